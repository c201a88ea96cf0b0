/** The one place that calls `fetch`: JSON in, JSON out, and every failure as one of two errors. */

import { text } from '../text';
import type { Problem } from './types';

/** The server answered, and the answer was no. */
export class ApiError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(sentence(problem.detail || problem.title));
    this.name = 'ApiError';
    this.problem = problem;
  }
}

/** Details are written to stand within a line; here they stand alone. */
function sentence(detail: string): string {
  return detail.charAt(0).toUpperCase() + detail.slice(1);
}

/** The server did not answer. */
export class Unreachable extends Error {
  constructor() {
    super(text.errors.unreachable);
    this.name = 'Unreachable';
  }
}

export function hasCode(error: unknown, code: Problem['code']): error is ApiError {
  return error instanceof ApiError && error.problem.code === code;
}

/** A problem document from an answer's body, or the best that its status allows. */
export function problemFrom(status: number, body: string): Problem {
  try {
    const value: unknown = JSON.parse(body);
    // A proxy may answer with JSON of its own; the member `code` is what makes it ours.
    if (typeof value === 'object' && value !== null && 'code' in value) return value as Problem;
  } catch {
    // Not JSON: the status below says all there is.
  }
  const code = status === 401 ? 'unauthenticated' : status === 404 ? 'not_found' : 'internal';
  return { type: 'about:blank', title: '', status, code, detail: text.errors.status(status), request_id: '' };
}

interface Call {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  body?: unknown;
  signal?: AbortSignal;
}

async function answer(address: string, call: Call): Promise<Response> {
  const { method = 'GET', body, signal } = call;
  const init: RequestInit = { method, headers: { accept: 'application/json' }, ...(signal && { signal }) };
  if (body !== undefined) {
    init.headers = { accept: 'application/json', 'content-type': 'application/json' };
    init.body = JSON.stringify(body);
  }
  try {
    return await fetch(address, init);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable();
  }
}

/** Asks, and gives the body as `Answer`: the API's description promises the shape, so it is not checked twice. */
export async function request<Answer>(address: string, call: Call = {}): Promise<Answer> {
  const response = await answer(address, call);
  if (!response.ok) throw new ApiError(problemFrom(response.status, await response.text()));
  return (await response.json()) as Answer;
}

/** Like `request`, for calls that answer with nothing to read. */
export async function send(address: string, call: Call): Promise<void> {
  const response = await answer(address, call);
  if (!response.ok) throw new ApiError(problemFrom(response.status, await response.text()));
}

/** Requests and answers of the mock API, on Node's own server. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Problem, ProblemCode } from '../api/types';

export interface Call {
  method: string;
  /** The path behind `/api/v1`, cut at slashes, not decoded. */
  raw: string[];
  query: URLSearchParams;
  request: IncomingMessage;
  response: ServerResponse;
}

export function callOf(request: IncomingMessage, response: ServerResponse): Call {
  const url = new URL(request.url ?? '/', 'http://mock');
  const raw = url.pathname.split('/').slice(3);
  return { method: request.method ?? 'GET', raw, query: url.searchParams, request, response };
}

export function pathOf(raw: string[]): string {
  return `/${raw.filter(Boolean).map(decodeURIComponent).join('/')}`;
}

export function json(call: Call, status: number, body: unknown) {
  call.response.writeHead(status, { 'content-type': 'application/json' });
  call.response.end(JSON.stringify(body));
}

export function nothing(call: Call) {
  call.response.writeHead(204).end();
}

export function problem(
  call: Call,
  status: number,
  code: ProblemCode,
  detail: string,
  more: Partial<Problem> = {},
) {
  const body = { type: 'about:blank', title: detail, status, code, detail, request_id: 'mock', ...more };
  call.response.writeHead(status, { 'content-type': 'application/problem+json' });
  call.response.end(JSON.stringify(body));
}

export async function bytesOf(request: IncomingMessage): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

export async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const value: unknown = JSON.parse(new TextDecoder().decode(await bytesOf(request)) || '{}');
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

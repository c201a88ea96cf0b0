/** Which call of the mock API answers what. It keeps to the server's description, for `npm run dev` and for tests. */

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { clusterOf, nodesOf, stop, wake } from './cluster.ts';
import { content, files, folders, move, restore, trash } from './files.ts';
import { find, graphOf, relatedTo, tagCounts } from './find.ts';
import { bodyOf, type Call, callOf, json, nothing, problem } from './http.ts';
import { messages, silence } from './messages.ts';
import { filesOf, type Mock } from './state.ts';

const COOKIE = 'asterism_session';

export async function answer(mock: Mock, request: IncomingMessage, response: ServerResponse) {
  const call = callOf(request, response);
  try {
    if (call.raw[0] === 'session') return await session(mock, call);
    const user = userOf(mock, request);
    if (!user) return problem(call, 401, 'unauthenticated', 'Sign in first.');
    await route(mock, call, user);
  } catch (error) {
    problem(call, 500, 'internal', error instanceof Error ? error.message : 'unknown');
  }
}

function route(mock: Mock, call: Call, user: string) {
  const { raw, query } = call;
  switch (raw[0]) {
    case 'content':
      return content(mock, call);
    case 'files':
      return files(mock, call);
    case 'folders':
      return folders(mock, call);
    case 'files:move':
      return move(mock, call);
    case 'files:restore':
      return restore(mock, call);
    case 'trash':
      return trash(mock, call);
    case 'search':
      return search(mock, call);
    case 'graph':
      return json(call, 200, graphOf(mock, query.get('q') ?? '', Number(query.get('limit') ?? 200)));
    case 'tags':
      return tags(mock, call);
    case 'cluster':
      return json(call, 200, clusterOf(mock));
    case 'nodes':
      return nodes(mock, call);
    case 'timeline':
      return timeline(mock, call);
    case 'messages':
      return messages(mock, call, user);
    case 'silences':
      return silence(mock, call);
    default:
      return problem(call, 404, 'not_found', 'There is no such call.');
  }
}

/** Any name signs in with the password `mock`; the names `reader`, `editor` and `operator` get that role. */
async function session(mock: Mock, call: Call) {
  if (call.method === 'POST') {
    const { user, password } = await bodyOf(call.request);
    if (typeof user !== 'string' || password !== 'mock') {
      return problem(call, 401, 'unauthenticated', 'That user name and password do not match.');
    }
    const id = randomUUID();
    mock.sessions.set(id, user);
    call.response.setHeader('set-cookie', `${COOKIE}=${id}; Path=/; HttpOnly; SameSite=Lax`);
    return json(call, 200, sessionOf(user));
  }
  const user = userOf(mock, call.request);
  if (call.method === 'DELETE') {
    mock.sessions.delete(cookieOf(call.request));
    return nothing(call);
  }
  return user ? json(call, 200, sessionOf(user)) : problem(call, 401, 'unauthenticated', 'Sign in first.');
}

function sessionOf(user: string) {
  const role = ['reader', 'editor', 'operator'].includes(user) ? user : 'admin';
  return { user, role, expires_at: null };
}

function cookieOf(request: IncomingMessage): string {
  return new RegExp(`${COOKIE}=([^;]+)`).exec(request.headers.cookie ?? '')?.[1] ?? '';
}

export function userOf(mock: Mock, request: IncomingMessage): string | undefined {
  return mock.sessions.get(cookieOf(request));
}

function search(mock: Mock, call: Call) {
  const q = call.query.get('q') ?? '';
  if ((q.match(/"/g) ?? []).length % 2 === 1) {
    return problem(call, 400, 'invalid_query', 'The quotation mark at the end is missing.');
  }
  const found = find(mock, q);
  const from = Number(call.query.get('cursor') ?? 0);
  const limit = Number(call.query.get('limit') ?? 100);
  const next = from + limit < found.length ? String(from + limit) : null;
  const items = found.slice(from, from + limit).map(({ redundancy: _, ...file }) => file);
  json(call, 200, { items, next });
}

function tags(mock: Mock, call: Call) {
  const { raw, query } = call;
  if (raw[2] === 'related') {
    return json(call, 200, { items: relatedTo(mock, decodeURIComponent(raw[1] ?? ''), query.get('kind')) });
  }
  const prefix = (query.get('prefix') ?? '').toLowerCase();
  const counts = tagCounts(filesOf(mock)).filter((tag) => tag.name.toLowerCase().startsWith(prefix));
  json(call, 200, { items: counts.slice(0, Number(query.get('limit') ?? 50)) });
}

function timeline(mock: Mock, call: Call) {
  const after = Number(call.query.get('after') ?? 0);
  const items = mock.transitions.filter(({ seq }) => seq > after).sort((a, b) => a.seq - b.seq);
  json(call, 200, { items: items.slice(0, Number(call.query.get('limit') ?? 1000)) });
}

function nodes(mock: Mock, call: Call) {
  const [, name, act] = call.raw;
  if (!name) return json(call, 200, { items: nodesOf(mock) });
  const node = mock.nodes.get(decodeURIComponent(name));
  if (!node) return problem(call, 404, 'not_found', 'There is no such node.');
  if (act === 'wake') return json(call, 200, wake(mock, node));
  if (act !== 'stop') return json(call, 200, node);
  const dryRun = call.query.get('dry_run') === 'true';
  const result = stop(mock, node, dryRun);
  if (result.outcome === 'refused') return problem(call, 409, 'refused', result.message, { act: result });
  json(call, 200, result);
}

/** Files, folders, tags and the trash of the mock. */

import type { Entry, Tagging } from '../api/types';
import { similarTo } from './find.ts';
import { bodyOf, bytesOf, type Call, json, nothing, pathOf, problem } from './http.ts';
import { below, emit, type Mock, makeFolder, nameOf, parentOf, putFile } from './state.ts';
import { guessTags, mediaTypeOf, tag } from './tagger.ts';

const TAGGING_MS = 600;
const TRASH_DAYS = 30;
const DAY_MS = 86_400_000;

export async function content(mock: Mock, call: Call) {
  const path = pathOf(call.raw.slice(1));
  const known = mock.entries.get(path);
  if (call.method === 'PUT') return put(mock, call, path);
  if (known?.kind !== 'file') return problem(call, 404, 'not_found', 'There is no such file.');
  const bytes = mock.contents.get(path) ?? new TextEncoder().encode(`Mock content of ${path}\n`);
  call.response.writeHead(200, {
    'content-type': known.media_type,
    'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(known.name)}`,
  });
  call.response.end(bytes);
}

async function put(mock: Mock, call: Call, path: string) {
  const bytes = await bytesOf(call.request);
  const known = mock.entries.get(path);
  if (known && call.request.headers['if-none-match'] === '*') {
    return problem(call, 412, 'precondition_failed', 'There is already a file of this name.');
  }
  if (nameOf(path).startsWith('fail-') && !mock.contents.has(path)) {
    // For looking at failures: the first attempt of such a name breaks.
    mock.contents.set(path, bytes);
    return problem(call, 503, 'too_few_nodes', 'Only 4 of 5 needed storage nodes answered.');
  }
  mock.contents.set(path, bytes);
  const file = putFile(mock, { path, size: bytes.length, mediaType: mediaTypeOf(path), tags: [] });
  emit(mock, { type: 'file_stored', path });
  setTimeout(() => tagLater(mock, path), TAGGING_MS);
  json(call, known ? 200 : 201, { ...file, tags: undefined });
}

function tagLater(mock: Mock, path: string) {
  const file = mock.entries.get(path);
  if (file?.kind !== 'file') return;
  const words = nameOf(path)
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .slice(0, -1);
  file.tags = [
    ...guessTags(path),
    ...words.filter(Boolean).map((word) => tag(word, 'keyword', 'word of the name', 0.8)),
  ];
  emit(mock, { type: 'file_tagged', path, tags: file.tags.map(({ name }) => name) });
}

export async function files(mock: Mock, call: Call) {
  const { raw, method } = call;
  const last = raw.at(-1);
  if (last === 'similar') return json(call, 200, { items: similarTo(mock, pathOf(raw.slice(1, -1))) });
  if (last === 'tags') return tags(mock, call, pathOf(raw.slice(1, -1)), null);
  if (raw.at(-2) === 'tags' && raw.length > 3) {
    return tags(mock, call, pathOf(raw.slice(1, -2)), decodeURIComponent(last ?? ''));
  }
  const path = pathOf(raw.slice(1));
  const entry = mock.entries.get(path);
  if (!entry) return problem(call, 404, 'not_found', 'There is no such file.');
  if (method !== 'DELETE') return json(call, 200, entry);
  trashEntry(mock, entry);
  nothing(call);
}

function tags(mock: Mock, call: Call, path: string, name: string | null) {
  const file = mock.entries.get(path);
  if (file?.kind !== 'file') return problem(call, 404, 'not_found', 'There is no such file.');
  const known = file.tags ?? [];
  if (name !== null && call.method === 'PUT') {
    const own: Tagging = { ...tag(name, 'user', '', 1), source: 'admin', version: '' };
    file.tags = [...known.filter((one) => one.name !== name || one.kind !== 'user'), own];
  }
  if (name !== null && call.method === 'DELETE') {
    const kind = call.query.get('kind') ?? 'user';
    const meant = (one: Tagging) => one.name === name && one.kind === kind;
    file.tags =
      kind === 'user'
        ? known.filter((one) => !meant(one))
        : known.map((one) => (meant(one) ? { ...one, state: 'rejected' } : one));
  }
  emit(mock, { type: 'file_tagged', path, tags: (file.tags ?? []).map((one) => one.name) });
  if (call.method === 'DELETE') return nothing(call);
  json(call, 200, { items: file.tags ?? [] });
}

export function folders(mock: Mock, call: Call) {
  const path = pathOf(call.raw.slice(1));
  const known = mock.entries.get(path);
  if (call.method === 'POST') {
    if (known) return problem(call, 409, 'exists', 'Something of this name is already there.');
    return json(call, 201, makeFolder(mock, path));
  }
  if (known?.kind !== 'folder') return problem(call, 404, 'not_found', 'There is no such folder.');
  const items = [...mock.entries.values()]
    .filter((entry) => entry.path !== '/' && parentOf(entry.path) === path)
    .sort((a, b) => b.kind.localeCompare(a.kind) || a.name.localeCompare(b.name));
  const from = Number(call.query.get('cursor') ?? 0);
  const limit = Number(call.query.get('limit') ?? 200);
  const next = from + limit < items.length ? String(from + limit) : null;
  const page = items
    .slice(from, from + limit)
    .map((entry) => (entry.kind === 'file' ? { ...entry, tags: undefined, redundancy: undefined } : entry));
  json(call, 200, { items: page, next });
}

export async function move(mock: Mock, call: Call) {
  const { from, to } = await bodyOf(call.request);
  if (typeof from !== 'string' || typeof to !== 'string') {
    return problem(call, 400, 'invalid_request', 'Both from and to are needed.');
  }
  const entry = mock.entries.get(from);
  if (!entry) return problem(call, 404, 'not_found', 'There is no such file.');
  if (mock.entries.has(to)) return problem(call, 409, 'exists', 'Something of this name is already there.');
  relocate(mock, below(mock, from), (path) => to + path.slice(from.length));
  emit(mock, { type: 'file_removed', path: from });
  emit(mock, { type: 'file_stored', path: to });
  json(call, 200, mock.entries.get(to));
}

function relocate(mock: Mock, entries: Entry[], place: (path: string) => string) {
  for (const entry of entries) {
    mock.entries.delete(entry.path);
    const path = place(entry.path);
    const bytes = mock.contents.get(entry.path);
    if (bytes) mock.contents.set(path, bytes);
    makeFolder(mock, parentOf(path));
    mock.entries.set(path, { ...entry, path, name: nameOf(path) });
  }
}

function trashEntry(mock: Mock, entry: Entry) {
  const entries = below(mock, entry.path);
  for (const { path } of entries) mock.entries.delete(path);
  const now = Date.now();
  mock.trash.unshift({
    id: (mock.trash[0]?.id ?? 0) + 1,
    path: entry.path,
    kind: entry.kind,
    size: entry.kind === 'file' ? entry.size : 0,
    trashed_at: new Date(now).toISOString(),
    expires_at: new Date(now + TRASH_DAYS * DAY_MS).toISOString(),
    entries,
  });
  emit(mock, { type: 'file_removed', path: entry.path });
}

export function trash(mock: Mock, call: Call) {
  json(call, 200, { items: mock.trash.map(({ entries: _, ...item }) => item), next: null });
}

export async function restore(mock: Mock, call: Call) {
  const wanted = await bodyOf(call.request);
  const item = mock.trash.find(({ id, path }) => id === wanted.id || path === wanted.path);
  if (!item) return problem(call, 404, 'not_found', 'This is not in the trash.');
  if (mock.entries.has(item.path))
    return problem(call, 409, 'exists', 'Something of this name is already there.');
  mock.trash = mock.trash.filter(({ id }) => id !== item.id);
  for (const entry of item.entries) {
    makeFolder(mock, parentOf(entry.path));
    mock.entries.set(entry.path, entry);
  }
  emit(mock, { type: 'file_stored', path: item.path });
  json(call, 200, mock.entries.get(item.path));
}

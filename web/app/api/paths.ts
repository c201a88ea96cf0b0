/** Every address this page asks for is built here, so that no name can ever change which address is meant. */

const BASE = '/api/v1';

/** As last segments these mean a sub-resource, unless they are written another way. */
const RESERVED = new Map([
  ['tags', '%74ags'],
  ['similar', '%73imilar'],
]);

/** One name as one segment of an address. */
export function segment(name: string): string {
  return RESERVED.get(name) ?? encodeURIComponent(name.toWellFormed());
}

/** `/a/b c` as `/a/b%20c`; the root is `/`. */
export function encodePath(path: string): string {
  return `/${path.split('/').filter(Boolean).map(segment).join('/')}`;
}

type Parameters = Record<string, string | number | boolean | null | undefined>;

function query(parameters: Parameters): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== '') search.set(name, String(value));
  }
  const text = search.toString();
  return text && `?${text}`;
}

export const url = {
  session: () => `${BASE}/session`,
  content: (path: string) => `${BASE}/content${encodePath(path)}`,
  file: (path: string) => `${BASE}/files${encodePath(path)}`,
  fileTags: (path: string) => `${BASE}/files${encodePath(path)}/tags`,
  fileTag: (path: string, tag: string, kind?: string) =>
    `${BASE}/files${encodePath(path)}/tags/${encodeURIComponent(tag.toWellFormed())}${query({ kind })}`,
  similar: (path: string) => `${BASE}/files${encodePath(path)}/similar`,
  move: () => `${BASE}/files:move`,
  restore: () => `${BASE}/files:restore`,
  folder: (path: string, page: { cursor?: string | null; limit?: number } = {}) =>
    `${BASE}/folders${encodePath(path)}${query(page)}`,
  trash: (page: { cursor?: string | null } = {}) => `${BASE}/trash${query(page)}`,
  search: (page: { q: string; cursor?: string | null; limit?: number }) => `${BASE}/search${query(page)}`,
  graph: (page: { q: string; limit?: number }) => `${BASE}/graph${query(page)}`,
  tags: (page: { prefix?: string; kind?: string; limit?: number }) => `${BASE}/tags${query(page)}`,
  related: (tag: string, kind?: string) =>
    `${BASE}/tags/${encodeURIComponent(tag.toWellFormed())}/related${query({ kind })}`,
  cluster: () => `${BASE}/cluster`,
  nodes: () => `${BASE}/nodes`,
  nodeStop: (name: string, options: { dry_run?: boolean } = {}) =>
    `${BASE}/nodes/${segment(name)}/stop${query(options)}`,
  nodeWake: (name: string) => `${BASE}/nodes/${segment(name)}/wake`,
  timeline: (page: { after?: number; limit?: number } = {}) => `${BASE}/timeline${query(page)}`,
  messages: (page: { open?: boolean; unread?: boolean; limit?: number } = {}) =>
    `${BASE}/messages${query(page)}`,
  message: (id: number) => `${BASE}/messages/${id}`,
  silences: () => `${BASE}/silences`,
  nodeDrain: (name: string) => `${BASE}/nodes/${segment(name)}/drain`,
  events: (since: number | null) => `${BASE}/events${query({ since })}`,
};

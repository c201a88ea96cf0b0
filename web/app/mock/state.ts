/** The cluster that the mock API plays: all in memory, begun anew with each start. */

import type { ServerEvent } from '../api/events';
import type {
  Entry,
  File,
  Folder,
  Message,
  NodeState,
  StorageNode,
  Tagging,
  Transition,
  TrashItem,
} from '../api/types';

export const POLICY = { data: 4, parity: 2 };
export const GROUPS = 64;

export interface Trashed extends TrashItem {
  entries: Entry[];
}

/** What `Omit` loses on a union: each member without its number. */
type Unnumbered<Event> = Event extends unknown ? Omit<Event, 'seq'> : never;

export interface Mock {
  entries: Map<string, Entry>;
  contents: Map<string, Uint8Array>;
  trash: Trashed[];
  nodes: Map<string, StorageNode>;
  transitions: Transition[];
  messages: Message[];
  shortExtents: number;
  sequence: number;
  watchers: Set<(event: ServerEvent) => void>;
  /** The user signed in by each session. */
  sessions: Map<string, string>;
}

export function emptyMock(): Mock {
  return {
    entries: new Map(),
    contents: new Map(),
    trash: [],
    nodes: new Map(),
    transitions: [],
    messages: [],
    shortExtents: 0,
    sequence: 0,
    watchers: new Set(),
    sessions: new Map(),
  };
}

export function emit(mock: Mock, event: Unnumbered<ServerEvent>) {
  mock.sequence += 1;
  const numbered: ServerEvent = { ...event, seq: mock.sequence };
  for (const watcher of mock.watchers) watcher(numbered);
}

/** The lowest margin: every node that is away takes one from it (each group is spread over all six). */
export function marginOf(mock: Mock): number {
  let margin = POLICY.parity;
  for (const node of mock.nodes.values())
    if (node.state !== 'online' && node.state !== 'suspect') margin -= 1;
  return margin;
}

export function setNodeState(mock: Mock, name: string, to: NodeState, cause: string, actor: string) {
  const node = mock.nodes.get(name);
  if (!node || node.state === to) return;
  const from = node.state;
  node.state = to;
  const transition = { time: new Date().toISOString(), kind: 'node', subject: name, from, to, cause, actor };
  mock.transitions.unshift({ seq: mock.transitions.length + 1, ...transition });
  emit(mock, { type: 'node_changed', node: name, from, to });
  emit(mock, { type: 'groups_changed', worst_margin: marginOf(mock), short_extents: mock.shortExtents });
}

/** Makes a folder and all above it. */
export function makeFolder(mock: Mock, path: string): Folder {
  const known = mock.entries.get(path);
  if (known?.kind === 'folder') return known;
  if (path !== '/') makeFolder(mock, parentOf(path));
  const now = new Date().toISOString();
  const folder: Folder = {
    kind: 'folder',
    path,
    name: nameOf(path),
    owner: 'admin',
    created_at: now,
    modified_at: now,
  };
  mock.entries.set(path, folder);
  return folder;
}

interface NewFile {
  path: string;
  size: number;
  mediaType: string;
  tags: Tagging[];
  modified?: string;
}

export function putFile(mock: Mock, { path, size, mediaType, tags, modified }: NewFile): File {
  makeFolder(mock, parentOf(path));
  const time = modified ?? new Date().toISOString();
  const file: File = {
    kind: 'file',
    path,
    name: nameOf(path),
    size,
    blake3: hashLike(path),
    media_type: mediaType,
    owner: 'admin',
    created_at: time,
    modified_at: time,
    redundancy: marginOf(mock),
    tags,
  };
  mock.entries.set(path, file);
  return file;
}

export function below(mock: Mock, path: string): Entry[] {
  return [...mock.entries.values()].filter(
    (entry) => entry.path === path || entry.path.startsWith(`${path}/`),
  );
}

export function filesOf(mock: Mock): File[] {
  return [...mock.entries.values()].filter((entry) => entry.kind === 'file');
}

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Looks like a hash, and is the same for the same path; nothing here depends on more. */
function hashLike(seed: string): string {
  let state = 2166136261;
  for (const character of seed) state = Math.imul(state ^ (character.codePointAt(0) ?? 0), 16777619);
  let hash = '';
  while (hash.length < 64) {
    state = Math.imul(state ^ (state >>> 13), 1274126177);
    hash += (state >>> 0).toString(16).padStart(8, '0');
  }
  return hash;
}

/** Everything the server tells without being asked, and what each of it changes here. */

import { keys } from './keys';
import type { Cluster, NodeState, StorageNode } from './types';

export type ServerEvent =
  | { seq: number; type: 'file_stored'; path: string }
  | { seq: number; type: 'file_tagged'; path: string; tags: string[] }
  | { seq: number; type: 'file_removed'; path: string }
  | { seq: number; type: 'node_changed'; node: string; from: NodeState; to: NodeState }
  | { seq: number; type: 'groups_changed'; worst_margin: number | null; short_extents: number }
  | {
      seq: number;
      type: 'message_changed';
      message: number;
      name: string;
      severity: string;
      firing: boolean;
      summary: string;
    }
  | { seq: number; type: 'resync' };

const TYPES: readonly string[] = [
  'file_stored',
  'file_tagged',
  'file_removed',
  'node_changed',
  'groups_changed',
  'message_changed',
  'resync',
] satisfies ServerEvent['type'][];

/** An event from a text frame; nothing for a frame of a newer server, which this page can do without. */
export function parseEvent(frame: string): ServerEvent | null {
  let value: unknown;
  try {
    value = JSON.parse(frame);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  if (!('type' in value) || !('seq' in value) || typeof value.seq !== 'number') return null;
  if (typeof value.type !== 'string' || !TYPES.includes(value.type)) return null;
  // The discriminant is checked; the members that come with it are the server's promise.
  return value as ServerEvent;
}

/** The queries whose answers an event makes old. */
export function staleAfter(event: ServerEvent): readonly (readonly unknown[])[] {
  switch (event.type) {
    case 'file_stored':
      return [...listingsAbove(event.path), keys.file(event.path), keys.found, keys.cluster];
    case 'file_tagged':
      return [keys.file(event.path), keys.found, keys.tags];
    case 'file_removed':
      return [...listingsAbove(event.path), keys.file(event.path), keys.found, keys.trash, keys.cluster];
    case 'node_changed':
      return [keys.nodes, keys.cluster, keys.timeline];
    case 'groups_changed':
      return [keys.cluster];
    case 'message_changed':
      return [keys.messages];
    case 'resync':
      return [[]];
  }
}

/** The cluster as it is after the event, as far as the event alone can tell. */
export function applyToCluster(cluster: Cluster, event: ServerEvent): Cluster {
  switch (event.type) {
    case 'groups_changed':
      return {
        ...cluster,
        short_extents: event.short_extents,
        groups: { ...cluster.groups, worst_margin: event.worst_margin },
      };
    case 'node_changed':
      return { ...cluster, nodes: moveOne(cluster.nodes, event.from, event.to) };
    default:
      return cluster;
  }
}

/** The nodes as they are after the event. */
export function applyToNodes(nodes: StorageNode[], event: ServerEvent): StorageNode[] {
  if (event.type !== 'node_changed') return nodes;
  return nodes.map((node) => (node.name === event.node ? { ...node, state: event.to } : node));
}

function moveOne(counts: Cluster['nodes'], from: NodeState, to: NodeState): Cluster['nodes'] {
  const before = counts[from] ?? 0;
  // A count that doesn't know the old state is out of step; the reload that follows sets it right.
  if (before === 0 || from === to) return counts;
  const { [from]: _, ...others } = counts;
  const left = before === 1 ? others : { ...others, [from]: before - 1 };
  return { ...left, [to]: (counts[to] ?? 0) + 1 };
}

/** The folders on the way down: storing a file may have made any of them. */
function listingsAbove(path: string) {
  const names = path.split('/').slice(1, -1);
  return [
    keys.listing('/'),
    ...names.map((_, index) => keys.listing(`/${names.slice(0, index + 1).join('/')}`)),
  ];
}

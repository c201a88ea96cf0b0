import type { Cluster, File, Message, StorageNode } from '../api/types';

export function cluster(changes: Partial<Cluster> = {}): Cluster {
  return {
    cluster: 'c',
    policy: '4+2',
    nodes: { online: 6 },
    groups: { total: 64, worst_margin: 2, by_margin: { '2': 64 } },
    short_extents: 0,
    files: 1,
    bytes: 1,
    capacity_bytes: 10,
    free_bytes: 5,
    background: [],
    graph: { kind: 'sql', reachable: true },
    monitor: { reachable: true },
    version: '0.1.0',
    ...changes,
  };
}

export function clusterAt(margin: number, changes: Partial<Cluster> = {}): Cluster {
  return cluster({ groups: { total: 64, worst_margin: margin, by_margin: { [margin]: 64 } }, ...changes });
}

export function file(path: string, changes: Partial<File> = {}): File {
  return {
    kind: 'file',
    path,
    name: path.slice(path.lastIndexOf('/') + 1),
    size: 1,
    blake3: '00',
    media_type: 'text/plain',
    owner: 'admin',
    created_at: '2026-01-01T00:00:00Z',
    modified_at: '2026-01-01T00:00:00Z',
    redundancy: 2,
    ...changes,
  };
}

export function node(name: string, changes: Partial<StorageNode> = {}): StorageNode {
  return {
    name,
    id: name,
    state: 'online',
    address: '127.0.0.1:1',
    metrics_address: '127.0.0.1:2',
    pid: 1,
    zone: 'z1',
    free_bytes: 5,
    used_bytes: 5,
    capacity_bytes: 10,
    shards: 3,
    load1: 0.1,
    cores: 2,
    memory_total_bytes: 10,
    memory_available_bytes: 5,
    resident_bytes: 1,
    heartbeat_age_seconds: 0.2,
    uptime_seconds: 5,
    weight: 1,
    ...changes,
  };
}

export function message(changes: Partial<Message> = {}): Message {
  return {
    id: 7,
    source: 'monitor',
    name: 'NodeProcessDead',
    severity: 'warning',
    labels: { node: 'n1' },
    value: 1,
    state: 'firing',
    summary: 'The storage node n1 has died on a live host',
    advice: 'Wake it.',
    runbook: 'docs/runbooks/NodeProcessDead.md',
    started_at: '2026-01-01T00:00:00Z',
    ended_at: null,
    files: 3,
    owners: ['ada'],
    tags: ['holiday'],
    parent: null,
    children: 0,
    read: false,
    acknowledged_by: null,
    silenced: false,
    acts: [{ verb: 'wake', node: 'n1' }],
    ...changes,
  };
}

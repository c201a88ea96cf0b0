/** The nodes of the mock: the same answers and refusals as the real ones, with the steps in between. */

import type { Act, Cluster, NodeState, StorageNode } from '../api/types';
import { filesOf, GROUPS, type Mock, marginOf, POLICY, setNodeState } from './state.ts';

const STEP_MS = 900;

export function clusterOf(mock: Mock): Cluster {
  const nodes: Partial<Record<NodeState, number>> = {};
  let capacity = 0;
  let free = 0;
  for (const node of mock.nodes.values()) {
    nodes[node.state] = (nodes[node.state] ?? 0) + 1;
    capacity += node.capacity_bytes;
    free += node.free_bytes;
  }
  const files = filesOf(mock);
  const margin = marginOf(mock);
  const idle = { queue: 0, rate: 0, last_error: null, eta_seconds: null };
  return {
    cluster: '0193a5c2-0000-7000-8000-000000000000',
    policy: `${POLICY.data}+${POLICY.parity}`,
    nodes,
    groups: { total: GROUPS, worst_margin: margin, by_margin: { [margin]: GROUPS } },
    short_extents: mock.shortExtents,
    files: files.length,
    bytes: files.reduce((sum, file) => sum + file.size, 0),
    capacity_bytes: capacity,
    free_bytes: free,
    background: ['repair', 'tagging', 'graph', 'deletion', 'trash'].map((name) => ({ name, ...idle })),
    graph: { kind: 'sql', reachable: true },
    monitor: { reachable: true },
    version: '0.1.0',
  };
}

/** The nodes with figures that move a little, as real ones do. */
export function nodesOf(mock: Mock): StorageNode[] {
  return [...mock.nodes.values()].map((node) => ({
    ...node,
    load1: Math.max(0, node.load1 + Math.sin(Date.now() / 5000 + (node.pid ?? 0)) * 0.15),
    heartbeat_age_seconds: node.state === 'online' ? Math.random() : (Date.now() / 1000) % 600,
  }));
}

export function stop(mock: Mock, node: StorageNode, dryRun: boolean): Act {
  if (node.state === 'asleep' || node.state === 'stopping') {
    return act(mock, 'unchanged', node.state, `${node.name} is already ${node.state}.`, marginOf(mock));
  }
  const after = marginOf(mock) - 1;
  if (after < 1) {
    const message = `Stopping ${node.name} would leave ${GROUPS} of ${GROUPS} placement groups with ${POLICY.data + after} live members; the floor is ${POLICY.data + 1}.`;
    const files = filesOf(mock).length;
    const refused = act(mock, 'refused', node.state, message, after);
    return {
      ...refused,
      groups_below_floor: GROUPS,
      files_touched: files,
      owners: ['admin'],
      tags: ['image', 'jpeg'],
    };
  }
  const message = `Every group keeps at least ${POLICY.data + after} live members; each file survives ${after} more loss.`;
  if (dryRun) return act(mock, 'dry_run', node.state, message, after);
  setNodeState(mock, node.name, 'stopping', message, 'admin');
  setTimeout(() => setNodeState(mock, node.name, 'asleep', 'the process ended', 'monitor'), STEP_MS);
  return act(mock, 'done', 'stopping', `${node.name} is stopping. ${message}`, after);
}

export function wake(mock: Mock, node: StorageNode): Act {
  if (node.state === 'online')
    return act(mock, 'unchanged', 'online', `${node.name} is online.`, marginOf(mock));
  setNodeState(mock, node.name, 'waking', 'asked for', 'admin');
  setTimeout(() => setNodeState(mock, node.name, 'online', 'heartbeat is back', 'monitor'), STEP_MS);
  return act(mock, 'done', 'waking', `${node.name} is waking.`, marginOf(mock));
}

function act(_mock: Mock, outcome: Act['outcome'], state: NodeState, message: string, margin: number): Act {
  return {
    outcome,
    state,
    message,
    groups_counted: GROUPS,
    groups_below_floor: 0,
    worst_margin: margin,
    files_touched: 0,
    owners: [],
    tags: [],
  };
}

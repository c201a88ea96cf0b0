/** The state of the cluster in one word, and why. Pure: the header and the nodes page show what it says. */

import { text } from '../text';
import type { Cluster, NodeState } from './types';

export type HealthWord =
  | 'healthy'
  | 'resting'
  | 'repairing'
  | 'degraded'
  | 'at_risk'
  | 'unreadable'
  | 'unknown';

export interface Health {
  word: HealthWord;
  reason: string;
}

const INTENDED: readonly NodeState[] = ['asleep', 'stopping', 'waking', 'draining', 'retired', 'joining'];

export function healthOf(cluster: Cluster | undefined): Health {
  if (!cluster) return { word: 'unknown', reason: text.health.reasonUnknown };
  const margin = cluster.groups.worst_margin;
  const lost = (cluster.nodes.offline ?? 0) + (cluster.nodes.suspect ?? 0);
  const parity = parityOf(cluster.policy);

  if (margin === null) return { word: 'unknown', reason: text.health.reasonEmpty };
  if (margin < 0) return { word: 'unreadable', reason: text.health.reasonUnreadable };
  if (margin === 0) return { word: 'at_risk', reason: text.health.reasonAtRisk };
  if (lost > 0) return { word: 'degraded', reason: text.health.reasonLost(lost, margin) };
  if (cluster.short_extents > 0) {
    return { word: 'repairing', reason: text.health.reasonShort(cluster.short_extents) };
  }
  if (margin < parity) {
    const resting = INTENDED.some((state) => (cluster.nodes[state] ?? 0) > 0);
    return resting
      ? { word: 'resting', reason: text.health.reasonResting(cluster.nodes.asleep ?? 0, margin) }
      : { word: 'degraded', reason: text.health.reasonMargin(margin, parity) };
  }
  return { word: 'healthy', reason: text.health.reasonHealthy(margin) };
}

/** Of `4+2` the 2; a policy this page can't read asks for nothing. */
export function parityOf(policy: string): number {
  const parity = Number(policy.split('+')[1]);
  return Number.isInteger(parity) ? parity : 0;
}

export function nodeTotal(cluster: Cluster): number {
  return Object.values(cluster.nodes).reduce((sum, count) => sum + count, 0);
}

export const HEALTH_COLOR: Record<HealthWord, string> = {
  healthy: 'teal',
  resting: 'blue',
  repairing: 'yellow',
  degraded: 'yellow',
  at_risk: 'red',
  unreadable: 'red',
  unknown: 'gray',
};

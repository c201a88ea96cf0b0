import { expect, test } from 'vitest';
import { cluster, clusterAt } from '../test/fixtures';
import { type HealthWord, healthOf } from './health';
import type { Cluster } from './types';

const check = (given: Cluster | undefined, word: HealthWord) => expect(healthOf(given).word).toBe(word);

test('nothing known yet', () => check(undefined, 'unknown'));
test('all there', () => check(cluster(), 'healthy'));
test('a node asleep is no fault', () => check(clusterAt(1, { nodes: { online: 5, asleep: 1 } }), 'resting'));
test('a node lost is one', () => check(clusterAt(1, { nodes: { online: 5, offline: 1 } }), 'degraded'));
test('a doubt is already one', () => check(cluster({ nodes: { online: 5, suspect: 1 } }), 'degraded'));
test('short extents are being rebuilt', () => check(clusterAt(2, { short_extents: 3 }), 'repairing'));
test('a margin lost without a cause is a fault', () => check(clusterAt(1), 'degraded'));
test('no margin left', () => check(clusterAt(0, { nodes: { online: 4, asleep: 2 } }), 'at_risk'));
test('below it', () => check(clusterAt(-1, { nodes: { online: 3, offline: 3 } }), 'unreadable'));
test('no groups yet: nothing can be said', () =>
  check(cluster({ groups: { total: 0, worst_margin: null, by_margin: {} } }), 'unknown'));

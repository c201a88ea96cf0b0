import { describe, expect, test } from 'vitest';
import type { TagGraph } from '../../api/types';
import { drawn } from './model';
import { withoutWeak } from './weak';

const GRAPH: TagGraph = {
  nodes: [
    { id: 'file:1', type: 'file', label: 'a', path: '/a', size: 1 },
    { id: 'file:2', type: 'file', label: 'b', path: '/b', size: 1 },
    { id: 'tag:x', type: 'tag', label: 'x', kind: 'user', files: 2 },
    { id: 'tag:y', type: 'tag', label: 'y', kind: 'keyword', files: 10_000 },
  ],
  edges: [
    { source: 'file:1', target: 'tag:x', score: 1 },
    { source: 'file:2', target: 'tag:y', score: 0.3 },
  ],
  truncated: false,
};
const PALETTE = { file: '#111', edge: '#222', faded: '#333', label: '#444', surface: '#555' };

describe('weak links', () => {
  test('go, with what hangs on nothing then', () => {
    const strong = withoutWeak(GRAPH, 0.5);
    expect(strong.nodes.map(({ id }) => id)).toEqual(['file:1', 'tag:x']);
    expect(strong.edges).toHaveLength(1);
  });
  test('stay while nobody minds', () => expect(withoutWeak(GRAPH, 0)).toBe(GRAPH));
});

describe('the drawing', () => {
  test('has every vertex at a finite place, of a bounded size', () => {
    const graph = drawn(GRAPH, PALETTE);
    expect(graph.order).toBe(4);
    graph.forEachNode((_, { x, y, size }) => {
      expect(Number.isFinite(x) && Number.isFinite(y)).toBe(true);
      expect(size).toBeLessThanOrEqual(15);
    });
  });
  test('is the same for the same answer', () => {
    expect(drawn(GRAPH, PALETTE).export().nodes).toEqual(drawn(GRAPH, PALETTE).export().nodes);
  });
  test('passes over an edge to nowhere, and one told twice', () => {
    const [edge] = GRAPH.edges;
    const edges = [
      ...GRAPH.edges,
      { source: 'file:1', target: 'tag:none', score: 1 },
      ...(edge ? [edge] : []),
    ];
    expect(drawn({ ...GRAPH, edges }, PALETTE).size).toBe(2);
  });
  test('of nothing is nothing', () =>
    expect(drawn({ nodes: [], edges: [], truncated: false }, PALETTE).order).toBe(0));
});

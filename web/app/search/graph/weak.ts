import type { TagGraph } from '../../api/types';

/** The graph without links below `weakest`, and without what then hangs on nothing. */
export function withoutWeak(graph: TagGraph, weakest: number): TagGraph {
  if (weakest <= 0) return graph;
  const edges = graph.edges.filter((edge) => edge.score >= weakest);
  const held = new Set(edges.flatMap((edge) => [edge.source, edge.target]));
  return { ...graph, edges, nodes: graph.nodes.filter((node) => held.has(node.id)) };
}

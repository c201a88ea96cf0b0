/** The answer of the server as a graph with places and sizes, ready to be drawn. */

import Graph from 'graphology';
import forceAtlas2 from 'graphology-layout-forceatlas2';
import type { FileVertex, TagGraph, TagVertex } from '../../api/types';
import { colorOfKind } from '../kinds';

/** Up to here every name finds room. */
const LABELS_ALL_MAX = 24;
const FILE_SIZE = 3.5;
const TAG_SIZE_MIN = 5;
const TAG_SIZE_MAX = 15;
/** Spreads the first places evenly, so that the same answer is always drawn alike. */
const GOLDEN_ANGLE = 2.399963;
/** Enough for some hundreds of vertices to settle, within some tens of milliseconds. */
const ITERATIONS = 300;
const LAYOUT = { gravity: 0.6, scalingRatio: 6, linLogMode: true, slowDown: 4 };

export interface Palette {
  file: string;
  edge: string;
  faded: string;
  label: string;
  surface: string;
}

export interface NodeAttributes {
  x: number;
  y: number;
  size: number;
  color: string;
  label: string;
  kind: 'file' | 'tag';
  forceLabel: boolean;
  zIndex: number;
}

export interface EdgeAttributes {
  size: number;
  color: string;
  weight: number;
}

export type DrawnGraph = Graph<NodeAttributes, EdgeAttributes>;

export function drawn({ nodes, edges }: TagGraph, palette: Palette): DrawnGraph {
  const graph: DrawnGraph = new Graph({ multi: false, type: 'undirected' });
  nodes.forEach((node, index) => {
    const radius = Math.sqrt(index + 1);
    const place = { x: radius * Math.cos(index * GOLDEN_ANGLE), y: radius * Math.sin(index * GOLDEN_ANGLE) };
    graph.mergeNode(node.id, {
      ...place,
      ...looksOf(node, palette),
      forceLabel: nodes.length <= LABELS_ALL_MAX,
    });
  });
  for (const { source, target, score } of edges) {
    if (!graph.hasNode(source) || !graph.hasNode(target)) continue;
    graph.mergeEdge(source, target, { size: 0.5 + score * 0.6, color: palette.edge, weight: 0.2 + score });
  }
  weakenHubs(graph);
  if (graph.order > 1) {
    const settings = { ...forceAtlas2.inferSettings(graph), ...LAYOUT };
    forceAtlas2.assign(graph, { iterations: ITERATIONS, settings });
  }
  return graph;
}

/** A tag that every file carries says nothing about which of them belong together, so it pulls but little. */
function weakenHubs(graph: DrawnGraph) {
  graph.updateEachEdgeAttributes((_, attributes, source, target) => {
    const degree = Math.max(graph.degree(source), graph.degree(target));
    return { ...attributes, weight: attributes.weight / Math.max(1, degree) };
  });
}

function looksOf(node: FileVertex | TagVertex, palette: Palette) {
  if (node.type === 'file') {
    return { label: node.label, kind: node.type, size: FILE_SIZE, color: palette.file, zIndex: 0 };
  }
  const size = Math.min(TAG_SIZE_MAX, TAG_SIZE_MIN + Math.sqrt(node.files));
  return { label: node.label, kind: node.type, size, color: colorOfKind(node.kind), zIndex: 1 };
}

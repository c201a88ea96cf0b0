/** Sigma, set up for this page. */

import Sigma from 'sigma';
import type { NodeHoverDrawingFunction } from 'sigma/rendering';
import type { DrawnGraph, EdgeAttributes, NodeAttributes, Palette } from './model';

const LABEL_SIZE = 12;
/** More names than this lie on top of each other. */
const LABELS_FORCED_MAX = 14;
const LABEL_FONT = 'system-ui, sans-serif';

type Stage = Sigma<NodeAttributes, EdgeAttributes>;

/** Nothing where the browser has no WebGL. */
export function start(model: DrawnGraph, container: HTMLElement, palette: Palette): Stage | null {
  if (!document.createElement('canvas').getContext('webgl2')) return null;
  return new Sigma(model, container, {
    allowInvalidContainer: true,
    zIndex: true,
    labelFont: LABEL_FONT,
    labelSize: LABEL_SIZE,
    labelColor: { color: palette.label },
    labelRenderedSizeThreshold: 5,
    labelDensity: 1,
    labelGridCellSize: 60,
    stagePadding: 72,
    minCameraRatio: 0.1,
    maxCameraRatio: 3,
    defaultDrawNodeHover: hoverOn(palette),
  });
}

/** Leaves only the chosen vertex and its neighbours in colour. */
export function fade(stage: Stage, chosen: string | null, palette: Palette) {
  const graph = stage.getGraph();
  if (chosen === null || !graph.hasNode(chosen)) {
    stage.setSetting('nodeReducer', null);
    stage.setSetting('edgeReducer', null);
    return;
  }
  const near = new Set([chosen, ...graph.neighbors(chosen)]);
  const forceLabel = near.size <= LABELS_FORCED_MAX;
  stage.setSetting('nodeReducer', (node, data) => {
    if (node === chosen)
      return { ...data, size: data.size * 1.25, highlighted: true, forceLabel: true, zIndex: 2 };
    if (near.has(node)) return { ...data, forceLabel };
    return { ...data, color: palette.faded, label: '', zIndex: -1 };
  });
  stage.setSetting('edgeReducer', (edge, data) => {
    return graph.hasExtremity(edge, chosen) ? { ...data, color: palette.file } : { ...data, hidden: true };
  });
}

/** Sigma's own hover label is white on every background. */
function hoverOn(palette: Palette): NodeHoverDrawingFunction<NodeAttributes, EdgeAttributes> {
  return (context, { x, y, size, label }) => {
    context.beginPath();
    context.arc(x, y, size + 3, 0, Math.PI * 2);
    context.lineWidth = 2;
    context.strokeStyle = palette.label;
    context.stroke();
    if (typeof label !== 'string' || label === '') return;

    context.font = `${LABEL_SIZE}px ${LABEL_FONT}`;
    const width = context.measureText(label).width;
    context.beginPath();
    context.roundRect(x + size + 4, y - LABEL_SIZE, width + 12, LABEL_SIZE * 2, 4);
    context.fillStyle = palette.surface;
    context.fill();
    context.lineWidth = 1;
    context.strokeStyle = palette.edge;
    context.stroke();
    context.fillStyle = palette.label;
    context.fillText(label, x + size + 10, y + LABEL_SIZE / 3);
  };
}

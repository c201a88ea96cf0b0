import { ActionIcon, useComputedColorScheme } from '@mantine/core';
import { IconFocusCentered, IconMinus, IconPlus } from '@tabler/icons-react';
import { useEffect, useMemo, useRef, useState } from 'react';
import type Sigma from 'sigma';
import type { TagGraph } from '../../api/types';
import { text } from '../../text';
import { drawn, type EdgeAttributes, type NodeAttributes, type Palette } from './model';
import classes from './Picture.module.css';
import { fade, start } from './stage';

const PALETTES: Record<'light' | 'dark', Palette> = {
  light: { file: '#7b8494', edge: '#d3d8e2', faded: '#e6e9ef', label: '#20242c', surface: '#ffffff' },
  dark: { file: '#8f97a6', edge: '#333945', faded: '#23272f', label: '#d5d8df', surface: '#20242c' },
};

interface Props {
  graph: TagGraph;
  chosen: string | null;
  onVertex: (id: string) => void;
  onNothing: () => void;
}

/** Draws the graph with WebGL. Everything in it can also be reached through the lists beside it. */
export default function Picture({ graph, chosen, onVertex, onNothing }: Props) {
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false });
  const palette = PALETTES[scheme];
  const container = useRef<HTMLDivElement>(null);
  const [stage, setStage] = useState<Sigma<NodeAttributes, EdgeAttributes> | null>(null);
  const [unavailable, setUnavailable] = useState(false);
  const model = useMemo(() => drawn(graph, palette), [graph, palette]);
  // The drawing outlives a render; it must call today's handlers.
  const handlers = useRef({ onVertex, onNothing });
  handlers.current = { onVertex, onNothing };

  // Sigma is no React component: it lives and ends with its container and its model.
  useEffect(() => {
    if (!container.current) return;
    const sigma = start(model, container.current, palette);
    setUnavailable(sigma === null);
    setStage(sigma);
    if (!sigma) return;
    sigma.on('clickNode', ({ node }) => handlers.current.onVertex(node));
    sigma.on('enterNode', () => sigma.getContainer().setAttribute('data-over', 'vertex'));
    sigma.on('leaveNode', () => sigma.getContainer().removeAttribute('data-over'));
    sigma.on('clickStage', () => handlers.current.onNothing());
    const observer = new ResizeObserver(() => sigma.resize());
    observer.observe(container.current);
    return () => {
      observer.disconnect();
      sigma.kill();
      setStage(null);
    };
  }, [model, palette]);

  useEffect(() => {
    if (stage) fade(stage, chosen, palette);
  }, [stage, chosen, palette]);

  if (unavailable) return <p className={classes.unavailable}>{text.graph.unavailable}</p>;
  const camera = stage?.getCamera();
  return (
    <>
      <div ref={container} className={classes.stage} data-drawn={stage !== null} />
      <div className={classes.zoom}>
        <ActionIcon.Group orientation="vertical">
          <ActionIcon
            variant="default"
            aria-label={text.graph.zoomIn}
            onClick={() => void camera?.animatedZoom()}
          >
            <IconPlus size={16} />
          </ActionIcon>
          <ActionIcon
            variant="default"
            aria-label={text.graph.zoomOut}
            onClick={() => void camera?.animatedUnzoom()}
          >
            <IconMinus size={16} />
          </ActionIcon>
          <ActionIcon
            variant="default"
            aria-label={text.graph.fit}
            onClick={() => void camera?.animatedReset()}
          >
            <IconFocusCentered size={16} />
          </ActionIcon>
        </ActionIcon.Group>
      </div>
    </>
  );
}

import { Loader, Slider } from '@mantine/core';
import { IconAffiliate } from '@tabler/icons-react';
import { lazy, Suspense, useMemo, useState } from 'react';
import type { TagGraph, TagVertex } from '../api/types';
import { text } from '../text';
import { Empty } from '../ui/Empty';
import { Failure } from '../ui/Failure';
import { formatCount, formatPercent } from '../ui/format';
import { Tag } from '../ui/Tag';
import classes from './GraphPane.module.css';
import { withoutWeak } from './graph/weak';
import { type TagRef, tagRefTo } from './kinds';

// The drawing library is as large as a page; those who only read lists never load it.
const Picture = lazy(() => import('./graph/Picture'));

interface Props {
  graph: TagGraph | undefined;
  error: Error | null;
  onRetry: () => void;
  chosenFile: string | null;
  chosenTag: TagRef | null;
  onFile: (path: string) => void;
  onTag: (tag: TagRef) => void;
  onNothing: () => void;
}

/** The files found and their tags as a picture, and below it the same tags as buttons. */
export function GraphPane({ graph, error, onRetry, chosenFile, chosenTag, onFile, onTag, onNothing }: Props) {
  const [weakest, setWeakest] = useState(0);
  const shown = useMemo(() => graph && withoutWeak(graph, weakest), [graph, weakest]);
  const tags = useMemo(() => (shown ? tagsOf(shown) : []), [shown]);

  if (error && !graph) return <Failure error={error} onRetry={onRetry} />;
  if (!shown) return <div className={classes.waiting} />;

  const onVertex = (id: string) => {
    const vertex = shown.nodes.find((node) => node.id === id);
    if (vertex?.type === 'file') onFile(vertex.path);
    if (vertex?.type === 'tag') onTag({ kind: vertex.kind, name: vertex.label });
  };
  const chosen = shown.nodes.find((node) =>
    node.type === 'file'
      ? node.path === chosenFile
      : node.kind === chosenTag?.kind && node.label === chosenTag.name,
  );

  return (
    <section className={classes.pane} aria-label={text.graph.title}>
      <header className={classes.header}>
        <span className="figures">
          {text.graph.counts(shown.nodes.length - tags.length, tags.length)}
          {shown.truncated && `, ${text.graph.truncated}`}
        </span>
        <div className={classes.weak}>
          <span id="weakest">{text.graph.weak}</span>
          <Slider
            w={90}
            size="xs"
            min={0}
            max={1}
            step={0.05}
            value={weakest}
            onChange={setWeakest}
            label={formatPercent}
            thumbProps={{ 'aria-labelledby': 'weakest' }}
          />
        </div>
      </header>
      <div
        className={classes.canvas}
        data-testid="graph"
        data-nodes={shown.nodes.length}
        data-edges={shown.edges.length}
      >
        <p className="visually-hidden">{text.graph.description}</p>
        {shown.nodes.length === 0 ? (
          <Empty icon={<IconAffiliate size={22} />} title={text.graph.empty} />
        ) : (
          <Suspense fallback={<Loader className={classes.loader} size="sm" />}>
            <Picture graph={shown} chosen={chosen?.id ?? null} onVertex={onVertex} onNothing={onNothing} />
          </Suspense>
        )}
      </div>
      {tags.length > 0 && (
        <div className={classes.tags} role="group" aria-label={text.graph.tags}>
          {tags.map((tag) => (
            <Tag
              key={tag.id}
              name={tag.label}
              kind={tag.kind}
              count={formatCount(tag.files)}
              description={text.graph.tagButton(tag.kind, tag.files)}
              chosen={tag.id === chosen?.id}
              testId="graph-tag"
              onClick={() => onTag({ kind: tag.kind, name: tag.label })}
            />
          ))}
        </div>
      )}
    </section>
  );
}

function tagsOf(graph: TagGraph): TagVertex[] {
  const tags = graph.nodes.filter((node): node is TagVertex => node.type === 'tag');
  return tags.sort((a, b) => b.files - a.files || tagRefTo(refOf(a)).localeCompare(tagRefTo(refOf(b))));
}

function refOf(tag: TagVertex): TagRef {
  return { kind: tag.kind, name: tag.label };
}

import { Badge, Button, Loader } from '@mantine/core';
import { IconPlayerPlay, IconPower } from '@tabler/icons-react';
import type { StorageNode } from '../api/types';
import { text } from '../text';
import { formatBytes, formatCount, formatDuration } from '../ui/format';
import { Meter } from '../ui/Meter';
import classes from './NodeCard.module.css';
import { canStop, canWake, isMoving, STATE_COLOR } from './states';

interface Props {
  node: StorageNode;
  mayAct: boolean;
  waking: boolean;
  onStop: () => void;
  onWake: () => void;
}

export function NodeCard({ node, mayAct, waking, onStop, onWake }: Props) {
  const away = node.state === 'asleep' || node.state === 'offline' || node.state === 'retired';
  return (
    <article
      className={classes.card}
      data-testid="node-card"
      data-node={node.name}
      data-state={node.state}
      data-away={away || undefined}
    >
      <header className={classes.header}>
        <div className={classes.names}>
          <h2 className="cut" title={node.name}>
            {node.name}
          </h2>
          <span className={`${classes.where} cut`}>
            {text.nodes.zone(node.zone)} · {node.address}
          </span>
        </div>
        <Badge
          variant="light"
          color={STATE_COLOR[node.state]}
          tt="none"
          radius="sm"
          leftSection={isMoving(node.state) ? <Loader size={10} color={STATE_COLOR[node.state]} /> : null}
        >
          {text.nodes.states[node.state]}
        </Badge>
      </header>
      <Meter
        label={text.nodes.summary.capacity}
        used={node.capacity_bytes - node.free_bytes}
        total={node.capacity_bytes}
        caption={text.nodes.room(formatBytes(node.free_bytes), formatBytes(node.capacity_bytes))}
      />
      <div className={classes.foot}>
        <dl className={`${classes.facts} figures`}>
          {factsOf(node, away).map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
        {mayAct && <PowerButton node={node} waking={waking} onStop={onStop} onWake={onWake} />}
      </div>
    </article>
  );
}

function PowerButton({ node, waking, onStop, onWake }: Omit<Props, 'mayAct'>) {
  if (canWake(node.state)) {
    return (
      <Button
        className={classes.power ?? ''}
        size="xs"
        variant="light"
        leftSection={<IconPlayerPlay size={14} />}
        aria-label={text.nodes.wakeNode(node.name)}
        loading={waking}
        onClick={onWake}
        data-testid="node-wake"
      >
        {text.nodes.wake}
      </Button>
    );
  }
  return (
    <Button
      className={classes.power ?? ''}
      size="xs"
      variant="default"
      leftSection={<IconPower size={14} />}
      aria-label={text.nodes.stopNode(node.name)}
      disabled={!canStop(node.state)}
      onClick={onStop}
      data-testid="node-stop"
    >
      {text.nodes.stop}
    </Button>
  );
}

/** Figures of a node that is away are from its last breath: only those that stay true are shown. */
function factsOf(node: StorageNode, away: boolean): [name: string, value: string][] {
  const live = (value: string) => (away ? text.nodes.none : value);
  return [
    [text.nodes.shards, text.nodes.shardsValue(formatCount(node.shards), formatBytes(node.used_bytes))],
    [text.nodes.load, live(text.nodes.loadValue(node.load1.toFixed(2), node.cores))],
    [text.nodes.memory, live(formatBytes(node.resident_bytes))],
    [
      text.nodes.heartbeat,
      node.heartbeat_age_seconds === null
        ? text.nodes.never
        : text.time.ago(
            node.heartbeat_age_seconds < 10
              ? `${node.heartbeat_age_seconds.toFixed(1)} s`
              : formatDuration(node.heartbeat_age_seconds),
          ),
    ],
    [text.nodes.uptime, live(formatDuration(node.uptime_seconds))],
  ];
}

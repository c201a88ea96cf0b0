import { Tooltip } from '@mantine/core';
import { HEALTH_COLOR, type HealthWord, healthOf, parityOf } from '../api/health';
import type { BackgroundWork, Cluster } from '../api/types';
import { text } from '../text';
import { formatBytes, formatCount, formatDuration } from '../ui/format';
import { Meter } from '../ui/Meter';
import classes from './ClusterSummary.module.css';

/** The cluster as a whole: its word and reason, room, groups by margin, and what works in the background. */
export function ClusterSummary({ cluster }: { cluster: Cluster }) {
  const { word, reason } = healthOf(cluster);
  const used = cluster.capacity_bytes - cluster.free_bytes;
  const { summary } = text.nodes;
  return (
    <section className={classes.summary} aria-label={summary.label}>
      <div className={classes.block}>
        <strong className={classes.word} style={{ color: toneOf(word) }}>
          {text.health.words[word]}
        </strong>
        <p className={classes.reason}>{reason}</p>
        <Facts
          facts={[
            [summary.policy, cluster.policy],
            [summary.stored, summary.storedValue(cluster.files, formatBytes(cluster.bytes))],
            [
              `${summary.graph} (${cluster.graph.kind})`,
              cluster.graph.reachable ? summary.reachable : summary.unreachable,
            ],
            [summary.monitor, cluster.monitor.reachable ? summary.reachable : summary.unreachable],
          ]}
        />
      </div>
      <div className={classes.block}>
        <Meter
          label={summary.capacity}
          used={used}
          total={cluster.capacity_bytes}
          caption={text.nodes.room(formatBytes(cluster.free_bytes), formatBytes(cluster.capacity_bytes))}
        />
        <Margins cluster={cluster} />
        <Facts facts={[[summary.short, formatCount(cluster.short_extents)]]} />
      </div>
      <div className={classes.block}>
        <Facts
          facts={[
            ...cluster.background.map((work): [string, string] => [
              text.nodes.work[work.name] ?? work.name,
              stateOf(work),
            ]),
          ]}
        />
      </div>
    </section>
  );
}

/** Dark enough on white and light enough on black to be read. */
function toneOf(word: HealthWord): string {
  const color = `var(--mantine-color-${HEALTH_COLOR[word]}`;
  return `light-dark(${color}-9), ${color}-4))`;
}

function stateOf({ queue, rate, last_error, eta_seconds }: BackgroundWork): string {
  if (last_error) return last_error;
  if (queue === 0) return text.nodes.summary.idle;
  return [
    text.nodes.summary.queue(queue),
    rate > 0 ? text.nodes.summary.rate(rate.toFixed(1)) : '',
    eta_seconds !== null ? text.upload.left(formatDuration(eta_seconds)) : '',
  ]
    .filter(Boolean)
    .join(', ');
}

function Facts({ facts }: { facts: [name: string, value: string][] }) {
  return (
    <dl className={`${classes.facts} figures`}>
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd className="cut" title={value}>
            {value}
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** How many groups stand at which margin, as one bar; its numbers in words for those who don't see it. */
function Margins({ cluster }: { cluster: Cluster }) {
  const { total, by_margin } = cluster.groups;
  const parity = parityOf(cluster.policy);
  const margins = Object.entries(by_margin).sort(([a], [b]) => Number(b) - Number(a));
  return (
    <div>
      <div className={`${classes.caption} figures`}>
        <span>
          {text.nodes.summary.groups} {text.nodes.summary.margins}
        </span>
        <span>{formatCount(total)}</span>
      </div>
      <div className={classes.bar}>
        {margins.map(([margin, count]) => (
          <Tooltip key={margin} label={text.nodes.summary.marginOf(margin, count)}>
            <div
              className={classes.part}
              role="img"
              aria-label={text.nodes.summary.marginOf(margin, count)}
              style={{
                flexGrow: count,
                background: `var(--mantine-color-${colorOf(Number(margin), parity)}-filled)`,
              }}
            />
          </Tooltip>
        ))}
      </div>
    </div>
  );
}

function colorOf(margin: number, parity: number): string {
  if (margin <= 0) return 'red';
  return margin < parity ? 'yellow' : 'teal';
}

import { Tooltip } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { HEALTH_COLOR, healthOf, nodeTotal } from '../api/health';
import { clusterQuery } from '../api/queries';
import { usePollMs } from '../live/useLive';
import { text } from '../text';
import { formatAgo } from '../ui/format';
import { useNow } from '../ui/useNow';
import classes from './HealthPill.module.css';

/** The cluster in a word and three figures; the reason and its age on hover. */
export function HealthPill() {
  const {
    data: cluster,
    dataUpdatedAt,
    isError,
  } = useQuery({ ...clusterQuery, refetchInterval: usePollMs() });
  const now = useNow();
  const { word, reason } = healthOf(isError ? undefined : cluster);
  const online = cluster?.nodes.online ?? 0;
  const age = dataUpdatedAt > 0 ? text.health.updated(formatAgo(dataUpdatedAt, now)) : '';

  return (
    <Tooltip label={`${reason} ${age && `(${age})`}`} multiline maw={280}>
      <Link
        to="/nodes"
        className={classes.pill}
        data-testid="health"
        data-health={word}
        data-online={cluster && online}
        data-worst-margin={cluster?.groups.worst_margin ?? undefined}
        data-short-extents={cluster?.short_extents}
      >
        <span
          className={classes.dot}
          style={{ color: `var(--mantine-color-${HEALTH_COLOR[word]}-filled)` }}
          aria-hidden
        />
        <span className="visually-hidden">{text.health.label}: </span>
        <span className={classes.word}>{text.health.words[word]}</span>
        {cluster && !isError && (
          <span className={classes.figures}>
            <span>{text.health.nodes(online, nodeTotal(cluster))}</span>
            <span>{text.health.margin(cluster.groups.worst_margin)}</span>
            <span>{text.health.short(cluster.short_extents)}</span>
          </span>
        )}
      </Link>
    </Tooltip>
  );
}

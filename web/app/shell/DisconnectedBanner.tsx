import { Button } from '@mantine/core';
import { IconPlugConnectedX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Unreachable } from '../api/client';
import { clusterQuery } from '../api/queries';
import { useLive } from '../live/useLive';
import { text } from '../text';
import { useNow } from '../ui/useNow';
import classes from './DisconnectedBanner.module.css';

/** A server that restarts is back within this; a banner that flashes helps nobody. */
const PATIENCE_MS = 1_500;

/** Says that what is shown may be old, and when that may end. */
export function DisconnectedBanner() {
  const { status, retry } = useLive();
  const { error, refetch } = useQuery({ ...clusterQuery, enabled: false });
  const now = useNow();

  const lost = status.state === 'lost' && now - status.since >= PATIENCE_MS ? status : null;
  const silent = error instanceof Unreachable;
  if (!lost && !silent) return null;

  return (
    <div className={classes.banner} role="status" data-testid="disconnected">
      <IconPlugConnectedX size={18} aria-hidden />
      <strong>{text.live.lost}</strong>
      <span>{silent ? text.live.unreachable : text.live.polling}</span>
      {lost && (
        <span className="figures">
          {text.live.retryIn(Math.max(0, Math.ceil((lost.retryAt - now) / 1000)))}
        </span>
      )}
      <Button
        size="compact-xs"
        variant="white"
        color="dark"
        onClick={() => {
          retry();
          void refetch();
        }}
      >
        {text.live.retry}
      </Button>
    </div>
  );
}

import { ActionIcon, Button, Progress } from '@mantine/core';
import { IconChevronDown, IconChevronUp, IconX } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { text } from '../text';
import { formatBytes, formatDuration, formatSpeed } from '../ui/format';
import { type Queue, rowsToShow, type Totals, totalsOf } from './queue';
import { secondsLeft } from './speed';
import classes from './UploadPanel.module.css';
import { UploadRow } from './UploadRow';
import { useQueue, useUploads } from './useUploads';

/** All transfers in one place, over every page, until the person clears it. */
export function UploadPanel() {
  const queue = useQueue();
  const totals = totalsOf(queue);
  useWarnBeforeLeaving(totals.active);
  if (queue.uploads.length === 0) return null;
  return <Panel queue={queue} totals={totals} />;
}

function Panel({ queue, totals }: { queue: Queue; totals: Totals }) {
  const uploads = useUploads();
  const [open, setOpen] = useState(true);
  const { rows, hidden } = rowsToShow(queue);
  const Chevron = open ? IconChevronDown : IconChevronUp;
  const percent = totals.bytes > 0 ? (totals.sent / totals.bytes) * 100 : totals.active ? 0 : 100;

  return (
    <section
      className={classes.panel}
      aria-label={text.upload.panel}
      data-testid="upload-panel"
      data-active={totals.active}
    >
      <header className={classes.header}>
        <div className={classes.titles}>
          <strong aria-live="polite">{headline(totals)}</strong>
          <span className={`${classes.figures} figures`}>{figures(totals, uploads.speed())}</span>
        </div>
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-expanded={open}
          aria-label={open ? text.upload.collapse : text.upload.expand}
          onClick={() => setOpen(!open)}
        >
          <Chevron size={18} />
        </ActionIcon>
        {!totals.active && (
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={text.upload.clear}
            data-testid="upload-clear"
            onClick={() => uploads.clear()}
          >
            <IconX size={18} />
          </ActionIcon>
        )}
      </header>
      <Progress
        size={3}
        radius={0}
        value={percent}
        color={totals.failed > 0 ? 'red' : totals.active ? 'star' : 'teal'}
        aria-label={text.upload.total}
        data-testid="upload-total"
      />
      {open && (
        <ul className={classes.rows}>
          {rows.map((upload) => (
            <UploadRow key={upload.id} upload={upload} />
          ))}
          {hidden > 0 && <li className={classes.hidden}>{text.upload.hidden(hidden)}</li>}
        </ul>
      )}
      {open && (totals.active || totals.failed > 0) && (
        <footer className={classes.footer}>
          {totals.failed > 0 && (
            <Button size="compact-sm" variant="light" onClick={uploads.retry} data-testid="upload-retry">
              {text.upload.retry}
            </Button>
          )}
          {totals.active && (
            <Button size="compact-sm" variant="subtle" color="gray" onClick={() => uploads.cancelAll()}>
              {text.upload.cancelAll}
            </Button>
          )}
        </footer>
      )}
    </section>
  );
}

function headline(totals: Totals): string {
  if (totals.active) return text.upload.running(totals.finished, totals.files);
  if (totals.conflicts > 0) return text.upload.undecided;
  if (totals.finished === 0 && totals.failed === 0) return text.upload.stopped;
  return text.upload.finished(totals.finished);
}

function figures(totals: Totals, speed: number | null): string {
  const left = secondsLeft(totals.bytes - totals.sent, speed);
  return [
    totals.active ? `${formatBytes(totals.sent)} / ${formatBytes(totals.bytes)}` : formatBytes(totals.sent),
    totals.active && speed ? formatSpeed(speed) : '',
    totals.active && left !== null ? text.upload.left(formatDuration(left)) : '',
    totals.failed > 0 ? text.upload.withFailures(totals.failed) : '',
  ]
    .filter(Boolean)
    .join(' · ');
}

function useWarnBeforeLeaving(active: boolean) {
  useEffect(() => {
    if (!active) return;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener('beforeunload', warn);
    return () => window.removeEventListener('beforeunload', warn);
  }, [active]);
}

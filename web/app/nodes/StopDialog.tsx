import { Alert, Button, Group, Loader, Modal } from '@mantine/core';
import { IconAlertTriangle, IconCircleCheck, IconHandStop } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import type { Act } from '../api/types';
import { text } from '../text';
import { Failure } from '../ui/Failure';
import { formatCount } from '../ui/format';
import { askToStop, succeeded, useStop } from './mutations';
import classes from './StopDialog.module.css';

interface Props {
  name: string;
  onClose: () => void;
}

/** First asks what a stop would do, shows that, and only then offers to do it. */
export function StopDialog({ name, onClose }: Props) {
  const stop = useStop();
  const dryRun = useQuery({
    queryKey: ['stop', name],
    queryFn: () => askToStop(name, { dry_run: true }),
    // A count is true for the moment in which it was made.
    gcTime: 0,
    staleTime: 0,
    retry: false,
    refetchOnWindowFocus: false,
  });
  const refused = stop.data && !succeeded(stop.data) ? stop.data : null;
  const act = refused ?? dryRun.data;

  return (
    <Modal
      opened
      centered
      size="md"
      onClose={onClose}
      title={text.stop.title(name)}
      closeButtonProps={{ 'aria-label': text.dialogs.close }}
    >
      {dryRun.isPending && (
        <div className={classes.checking} role="status">
          <Loader size="sm" /> {text.stop.checking}
        </div>
      )}
      {dryRun.isError && <Failure error={dryRun.error} onRetry={dryRun.refetch} />}
      {act && <Consequences act={act} afterTheFact={refused !== null} />}
      {stop.isError && <Failure error={stop.error} />}
      <Group justify="flex-end" mt="md" gap="xs">
        <Button variant="default" onClick={onClose} data-autofocus>
          {act && !succeeded(act) ? text.dialogs.close : text.dialogs.cancel}
        </Button>
        {act && succeeded(act) && (
          <Button
            color="red.8"
            loading={stop.isPending}
            data-testid="confirm-stop"
            onClick={() => stop.mutate(name, { onSuccess: (done) => succeeded(done) && onClose() })}
          >
            {text.stop.confirm(name)}
          </Button>
        )}
      </Group>
    </Modal>
  );
}

function Consequences({ act, afterTheFact }: { act: Act; afterTheFact: boolean }) {
  const safe = succeeded(act);
  const reduced = safe && (act.files_touched > 0 || act.worst_margin <= 0);
  const Icon = !safe ? IconHandStop : reduced ? IconAlertTriangle : IconCircleCheck;
  return (
    <div data-testid={safe ? 'consequences' : 'refusal'} role={safe ? 'status' : 'alert'}>
      <Alert
        variant="light"
        color={!safe ? 'red' : reduced ? 'yellow' : 'teal'}
        icon={<Icon size={20} />}
        title={titleOf(act, afterTheFact)}
      >
        {act.message}
      </Alert>
      <dl className={`${classes.facts} figures`}>
        {factsOf(act).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function titleOf(act: Act, afterTheFact: boolean): string {
  if (succeeded(act)) return text.stop.safe;
  if (act.outcome === 'failed') return text.stop.failedAct;
  return afterTheFact ? text.stop.refusedAct : text.stop.refused;
}

function factsOf(act: Act): [name: string, value: string][] {
  const facts: [string, string][] = [
    [text.stop.below, formatCount(act.groups_below_floor)],
    [text.stop.worst, String(act.worst_margin)],
    [text.stop.filesTouched, formatCount(act.files_touched)],
  ];
  if (act.groups_counted > 0) facts.unshift([text.stop.counted, formatCount(act.groups_counted)]);
  if (act.owners.length > 0) facts.push([text.stop.owners, act.owners.join(', ')]);
  if (act.tags.length > 0) facts.push([text.stop.tags, act.tags.join(', ')]);
  return facts;
}

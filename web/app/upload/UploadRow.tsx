import { ActionIcon, Progress } from '@mantine/core';
import { IconCheck, IconExclamationCircle, IconX } from '@tabler/icons-react';
import { nameOf } from '../files/path';
import { text } from '../text';
import { formatBytes, formatPercent } from '../ui/format';
import type { Upload } from './queue';
import classes from './UploadPanel.module.css';
import { useUploads } from './useUploads';

export function UploadRow({ upload }: { upload: Upload }) {
  const uploads = useUploads();
  const { id, path, size, state } = upload;
  const ratio = state.name === 'sending' && size > 0 ? state.sent / size : 0;
  const stoppable = state.name === 'waiting' || state.name === 'sending' || state.name === 'conflict';

  return (
    <li className={classes.row} data-testid="upload-row" data-path={path} data-state={state.name}>
      <div className={classes.line}>
        <span className="cut" title={path}>
          {nameOf(path)}
        </span>
        <span className={`${classes.state} figures`} data-bad={state.name === 'failed' || undefined}>
          {state.name === 'done' && <IconCheck size={15} color="var(--mantine-color-teal-6)" aria-hidden />}
          {(state.name === 'failed' || state.name === 'conflict') && (
            <IconExclamationCircle size={15} aria-hidden />
          )}
          {describe(upload, ratio)}
        </span>
        {stoppable && (
          <ActionIcon
            size="sm"
            variant="subtle"
            color="gray"
            aria-label={text.upload.cancel(nameOf(path))}
            onClick={() => uploads.cancel(id)}
            data-testid="upload-cancel"
          >
            <IconX size={14} />
          </ActionIcon>
        )}
      </div>
      {state.name === 'sending' && <Progress size={3} value={ratio * 100} aria-label={nameOf(path)} />}
    </li>
  );
}

function describe({ state, size }: Upload, ratio: number): string {
  switch (state.name) {
    case 'waiting':
      return `${formatBytes(size)}, ${text.upload.states.waiting}`;
    case 'sending':
      return `${formatPercent(ratio)} · ${formatBytes(size)}`;
    case 'done':
      return text.upload.states.done(state.redundancy);
    case 'failed':
      return state.reason;
    case 'conflict':
    case 'skipped':
    case 'cancelled':
      return text.upload.states[state.name];
  }
}

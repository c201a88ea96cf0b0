import { Checkbox } from '@mantine/core';
import { memo } from 'react';
import type { Entry } from '../api/types';
import { text } from '../text';
import { FileIcon } from '../ui/FileIcon';
import { formatBytes, formatDate, formatMoment } from '../ui/format';
import { Survives } from '../ui/Survives';
import type { Dialog } from './dialogs';
import classes from './FileTable.module.css';
import { RowMenu } from './RowMenu';

interface Props {
  entry: Entry;
  now: number;
  ticked: boolean;
  chosen: boolean;
  mayWrite: boolean;
  onTick: (path: string, range: boolean) => void;
  onOpen: (entry: Entry) => void;
  onDialog: (dialog: Dialog) => void;
  onRemove: (entry: Entry) => void;
}

export const FileRow = memo(function FileRow(props: Props) {
  const { entry, ticked, chosen } = props;
  const file = entry.kind === 'file' ? entry : null;
  return (
    <div
      role="row"
      className={classes.row}
      data-testid="file-row"
      data-path={entry.path}
      data-kind={entry.kind}
      data-chosen={chosen || undefined}
      data-ticked={ticked || undefined}
    >
      <div role="cell" className={classes.tick}>
        <Checkbox
          size="xs"
          aria-label={text.files.select(entry.name)}
          checked={ticked}
          // The click tells whether Shift is held; the change does not.
          onClick={(event) => props.onTick(entry.path, event.shiftKey)}
          readOnly
        />
      </div>
      <div role="cell" className={classes.name}>
        <button type="button" className={classes.open} onClick={() => props.onOpen(entry)} title={entry.name}>
          <FileIcon kind={entry.kind} mediaType={file?.media_type ?? ''} />
          <span className="cut">{entry.name}</span>
        </button>
      </div>
      <div role="cell" className={classes.redundancy}>
        {file?.redundancy !== undefined && <Survives redundancy={file.redundancy} />}
      </div>
      <div role="cell" className={`${classes.size} figures`}>
        {file ? formatBytes(file.size) : '–'}
      </div>
      <div role="cell" className={`${classes.modified} figures`} title={formatMoment(entry.modified_at)}>
        {formatDate(entry.modified_at, props.now)}
      </div>
      <div role="cell" className={classes.menu}>
        <RowMenu {...props} />
      </div>
    </div>
  );
});

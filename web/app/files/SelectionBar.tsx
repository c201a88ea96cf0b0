import { Button, CloseButton } from '@mantine/core';
import { IconFolderShare, IconTrash } from '@tabler/icons-react';
import { text } from '../text';
import classes from './SelectionBar.module.css';

interface Props {
  count: number;
  mayWrite: boolean;
  onMove: () => void;
  onRemove: () => void;
  onClear: () => void;
}

/** What can be done with all ticked rows at once. */
export function SelectionBar({ count, mayWrite, onMove, onRemove, onClear }: Props) {
  return (
    <div
      className={classes.bar}
      role="toolbar"
      aria-label={text.files.selected(count)}
      data-testid="selection"
    >
      <span className="figures">{text.files.selected(count)}</span>
      {mayWrite && (
        <>
          <Button
            size="compact-sm"
            variant="default"
            leftSection={<IconFolderShare size={15} />}
            onClick={onMove}
          >
            {text.files.move}
          </Button>
          <Button
            size="compact-sm"
            variant="light"
            color="red"
            leftSection={<IconTrash size={15} />}
            onClick={onRemove}
          >
            {text.files.remove}
          </Button>
        </>
      )}
      <CloseButton size="sm" aria-label={text.files.clearSelection} onClick={onClear} />
    </div>
  );
}

import { ActionIcon, Button, Group, Modal } from '@mantine/core';
import { IconArrowUp, IconChevronRight } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { listingQuery } from '../api/queries';
import { text } from '../text';
import { Failure } from '../ui/Failure';
import { FileIcon } from '../ui/FileIcon';
import { Rows } from '../ui/Rows';
import classes from './MoveDialog.module.css';
import { useMove } from './mutations';
import { isInside, nameOf, parentOf, ROOT } from './path';

interface Props {
  paths: string[];
  onClose: () => void;
}

/** Walks through the folders to the one that shall hold the chosen items. */
export function MoveDialog({ paths, onClose }: Props) {
  const [folder, setFolder] = useState(parentOf(paths[0] ?? ROOT));
  const listing = useInfiniteQuery(listingQuery(folder));
  const move = useMove();
  const entries = listing.data?.pages.flatMap((page) => page.items) ?? [];
  // A folder can't go into itself.
  const folders = entries.filter(
    ({ kind, path }) => kind === 'folder' && !paths.some((moved) => isInside(path, moved)),
  );
  const unchanged = paths.every((path) => parentOf(path) === folder);

  return (
    <Modal
      opened
      onClose={onClose}
      centered
      title={text.dialogs.moveTitle(paths.length, nameOf(paths[0] ?? ''))}
      closeButtonProps={{ 'aria-label': text.dialogs.close }}
    >
      <div className={classes.place}>
        <ActionIcon
          variant="default"
          aria-label={text.dialogs.moveUp}
          disabled={folder === ROOT}
          onClick={() => setFolder(parentOf(folder))}
        >
          <IconArrowUp size={16} />
        </ActionIcon>
        <span className="cut" title={folder}>
          {folder}
        </span>
      </div>
      <ul className={classes.folders}>
        {listing.isPending && <Rows count={4} height={16} />}
        {listing.isError && <Failure error={listing.error} onRetry={listing.refetch} />}
        {listing.data && folders.length === 0 && <li className={classes.none}>{text.dialogs.moveEmpty}</li>}
        {folders.map(({ path, name }) => (
          <li key={path}>
            <button type="button" className={classes.folder} onClick={() => setFolder(path)} data-path={path}>
              <FileIcon kind="folder" />
              <span className="cut">{name}</span>
              <IconChevronRight size={16} className={classes.into} aria-hidden />
            </button>
          </li>
        ))}
        {listing.hasNextPage && (
          <li>
            <Button fullWidth variant="subtle" size="compact-sm" onClick={() => void listing.fetchNextPage()}>
              {text.files.more}
            </Button>
          </li>
        )}
      </ul>
      <Group justify="flex-end" mt="md" gap="xs">
        <Button variant="default" onClick={onClose}>
          {text.dialogs.cancel}
        </Button>
        <Button
          disabled={unchanged}
          loading={move.isPending}
          title={unchanged ? text.dialogs.moveSame : undefined}
          data-testid="move-submit"
          onClick={() => move.mutate({ paths, folder }, { onSuccess: onClose })}
        >
          {text.dialogs.moveSubmit(nameOf(folder) || text.files.root)}
        </Button>
      </Group>
    </Modal>
  );
}

import { ActionIcon, Menu } from '@mantine/core';
import {
  IconCursorText,
  IconDots,
  IconDownload,
  IconFolderShare,
  IconInfoCircle,
  IconTrash,
} from '@tabler/icons-react';
import { url } from '../api/paths';
import type { Entry } from '../api/types';
import { text } from '../text';
import type { Dialog } from './dialogs';

interface Props {
  entry: Entry;
  mayWrite: boolean;
  onOpen: (entry: Entry) => void;
  onDialog: (dialog: Dialog) => void;
  onRemove: (entry: Entry) => void;
}

/** What can be done with one row. */
export function RowMenu({ entry, mayWrite, onOpen, onDialog, onRemove }: Props) {
  if (entry.kind === 'folder' && !mayWrite) return null;
  return (
    <Menu position="bottom-end" width={180} keepMounted={false}>
      <Menu.Target>
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={text.files.actions(entry.name)}
          data-testid="file-menu"
        >
          <IconDots size={18} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {entry.kind === 'file' && (
          <>
            <Menu.Item
              component="a"
              href={url.content(entry.path)}
              download={entry.name}
              leftSection={<IconDownload size={16} />}
              data-testid="file-download"
            >
              {text.files.download}
            </Menu.Item>
            <Menu.Item leftSection={<IconInfoCircle size={16} />} onClick={() => onOpen(entry)}>
              {text.files.details}
            </Menu.Item>
          </>
        )}
        {mayWrite && (
          <>
            {entry.kind === 'file' && <Menu.Divider />}
            <Menu.Item
              leftSection={<IconCursorText size={16} />}
              onClick={() => onDialog({ name: 'rename', entry })}
              data-testid="file-rename"
            >
              {text.files.rename}
            </Menu.Item>
            <Menu.Item
              leftSection={<IconFolderShare size={16} />}
              onClick={() => onDialog({ name: 'move', paths: [entry.path] })}
              data-testid="file-move"
            >
              {text.files.move}
            </Menu.Item>
            <Menu.Item
              color="red"
              leftSection={<IconTrash size={16} />}
              onClick={() => onRemove(entry)}
              data-testid="file-delete"
            >
              {text.files.remove}
            </Menu.Item>
          </>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}

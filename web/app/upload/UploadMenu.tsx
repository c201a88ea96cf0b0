import { Button, Menu } from '@mantine/core';
import { IconFile, IconFolder, IconFolderPlus, IconUpload } from '@tabler/icons-react';
import { type ChangeEvent, useRef } from 'react';
import { useWide } from '../shell/useWide';
import { text } from '../text';
import { type Dropped, fromInput } from './drop';

interface Props {
  folder: string;
  onPick: (dropped: Dropped) => void;
  onNewFolder: () => void;
}

/** The buttons that bring files and folders in, for those who don't drag. */
export function UploadMenu({ onPick, onNewFolder }: Props) {
  const files = useRef<HTMLInputElement>(null);
  const folders = useRef<HTMLInputElement>(null);
  const wide = useWide();

  const onChange = (event: ChangeEvent<HTMLInputElement>) => {
    const input = event.currentTarget;
    if (input.files && input.files.length > 0) onPick(fromInput(input.files));
    // Choosing the same file again must be a change again.
    input.value = '';
  };

  return (
    <>
      <input
        ref={files}
        type="file"
        multiple
        hidden
        aria-label={text.files.uploadFiles}
        data-testid="upload-input"
        onChange={onChange}
      />
      <input
        ref={folders}
        type="file"
        multiple
        hidden
        aria-label={text.files.uploadFolder}
        data-testid="upload-folder-input"
        // The attribute has no property in React's types.
        {...{ webkitdirectory: '' }}
        onChange={onChange}
      />
      <Button
        variant="default"
        leftSection={<IconFolderPlus size={16} />}
        onClick={onNewFolder}
        data-testid="mkdir"
        aria-label={text.files.newFolder}
        {...(!wide && { px: 'xs', styles: { section: { margin: 0 } } })}
      >
        {wide && text.files.newFolder}
      </Button>
      <Menu position="bottom-end">
        <Menu.Target>
          <Button leftSection={<IconUpload size={16} />} data-testid="upload-menu">
            {text.files.upload}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconFile size={16} />} onClick={() => files.current?.click()}>
            {text.files.uploadFiles}
          </Menu.Item>
          <Menu.Item leftSection={<IconFolder size={16} />} onClick={() => folders.current?.click()}>
            {text.files.uploadFolder}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </>
  );
}

import { notifications } from '@mantine/notifications';
import { text } from '../text';
import { type Dropped, FILES_MAX } from './drop';
import { useUploads } from './useUploads';

/** Starts the upload of what was dropped or chosen into `folder`. */
export function useAddDropped(folder: string) {
  const uploads = useUploads();
  return (dropped: Dropped) => {
    uploads.add(folder, dropped.files);
    uploads.addFolders(folder, dropped.emptyFolders).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : text.errors.unexpected;
      notifications.show({ color: 'red', message: text.upload.folderFailed(reason) });
    });
    if (dropped.truncated) notifications.show({ color: 'yellow', message: text.files.truncated(FILES_MAX) });
  };
}

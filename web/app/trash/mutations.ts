import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { hasCode, request } from '../api/client';
import { keys } from '../api/keys';
import { url } from '../api/paths';
import type { Entry, TrashItem } from '../api/types';
import { nameOf } from '../files/path';
import { text } from '../text';

/** Brings one item back. By its id: two deleted files may have had the same path. */
export function useRestoreItem() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id }: TrashItem) => request<Entry>(url.restore(), { method: 'POST', body: { id } }),
    onSuccess: (_, { path }) => notifications.show({ message: text.done.restored(nameOf(path)) }),
    onError: (error, { path }) => {
      const message = hasCode(error, 'exists') ? text.trash.taken(nameOf(path)) : error.message;
      notifications.show({ color: 'red', message });
    },
    onSettled: () => {
      for (const queryKey of [keys.trash, ['listing'], keys.found, keys.cluster]) {
        void client.invalidateQueries({ queryKey });
      }
    },
  });
}

/** What changes files, with what must be asked again after it and what the person is told. */

import { Button } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { request, send } from '../api/client';
import { keys } from '../api/keys';
import { url } from '../api/paths';
import type { Entry } from '../api/types';
import { text } from '../text';
import { join, nameOf } from './path';

/** Enough to be quick, few enough to leave the server to others. */
const AT_ONCE = 4;

export interface Batch {
  done: string[];
  failed: { path: string; reason: string }[];
}

/** Does `act` for each path, some at once; one failure does not stop the others. */
export async function forEach(
  paths: readonly string[],
  act: (path: string) => Promise<unknown>,
): Promise<Batch> {
  const batch: Batch = { done: [], failed: [] };
  const open = [...paths];
  const worker = async () => {
    for (let path = open.shift(); path !== undefined; path = open.shift()) {
      try {
        await act(path);
        batch.done.push(path);
      } catch (error) {
        batch.failed.push({ path, reason: error instanceof Error ? error.message : text.errors.unexpected });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return batch;
}

/** Makes the lists that any move of files may change be asked again. */
function useRefresh() {
  const client = useQueryClient();
  return () => {
    for (const queryKey of [['listing'], ['file'], keys.found, keys.trash, keys.cluster]) {
      void client.invalidateQueries({ queryKey });
    }
  };
}

function tellFailures({ failed }: Batch) {
  const first = failed[0];
  if (first) notifications.show({ color: 'red', message: text.done.partly(failed.length, first.reason) });
}

export function useMakeFolder() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (path: string) => request<Entry>(url.folder(path), { method: 'POST' }),
    onSuccess: refresh,
  });
}

export function useRename() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (move: { from: string; to: string }) =>
      request<Entry>(url.move(), { method: 'POST', body: move }),
    onSuccess: refresh,
  });
}

export function useMove() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: ({ paths, folder }: { paths: string[]; folder: string }) =>
      forEach(paths, (from) =>
        request(url.move(), { method: 'POST', body: { from, to: join(folder, nameOf(from)) } }),
      ),
    onSuccess: (batch, { folder }) => {
      const [first] = batch.done;
      if (first) notifications.show({ message: text.done.moved(batch.done.length, nameOf(first), folder) });
      tellFailures(batch);
    },
    onSettled: refresh,
  });
}

export function useRestore() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (paths: string[]) =>
      forEach(paths, (path) => request(url.restore(), { method: 'POST', body: { path } })),
    onSuccess: (batch) => {
      for (const path of batch.done.slice(0, 1))
        notifications.show({ message: text.done.restored(nameOf(path)) });
      tellFailures(batch);
    },
    onSettled: refresh,
  });
}

export function useTrash() {
  const refresh = useRefresh();
  const restore = useRestore();
  return useMutation({
    mutationFn: (paths: string[]) => forEach(paths, (path) => send(url.file(path), { method: 'DELETE' })),
    onSuccess: (batch) => {
      const [first] = batch.done;
      if (first)
        offerUndo(text.done.trashed(batch.done.length, nameOf(first)), () => restore.mutate(batch.done));
      tellFailures(batch);
    },
    onSettled: refresh,
  });
}

const UNDO_MS = 8_000;

function offerUndo(sentence: string, undo: () => void) {
  const id = notifications.show({
    autoClose: UNDO_MS,
    message: (
      <span style={{ display: 'flex', alignItems: 'center', gap: '0.75rem' }}>
        <span style={{ overflowWrap: 'anywhere' }}>{sentence}</span>
        <Button
          size="compact-xs"
          variant="light"
          data-testid="undo"
          onClick={() => {
            notifications.hide(id);
            undo();
          }}
        >
          {text.done.undo}
        </Button>
      </span>
    ),
  });
}

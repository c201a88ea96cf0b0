import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { request, send } from '../api/client';
import { keys } from '../api/keys';
import { url } from '../api/paths';
import type { Act, Message, MessageAct } from '../api/types';
import { text } from '../text';

const SILENCE_SECONDS = 3600;

function useRefresh() {
  const client = useQueryClient();
  return () => void client.invalidateQueries({ queryKey: keys.messages });
}

const failed = (error: Error) =>
  notifications.show({ color: 'red', message: text.messages.failed(error.message) });

/** Read or unread by me; taken on, or given back. */
export function useMark() {
  return useMutation({
    mutationFn: ({ id, ...mark }: { id: number; read?: boolean; acknowledged?: boolean }) =>
      send(url.message(id), { method: 'PATCH', body: mark }),
    onError: failed,
    onSettled: useRefresh(),
  });
}

/** Nobody is told of this alert again for an hour. */
export function useSilence() {
  return useMutation({
    mutationFn: ({ name, labels }: Message) =>
      request(url.silences(), {
        method: 'POST',
        body: { name, labels, seconds: SILENCE_SECONDS, reason: text.messages.silenceReason },
      }),
    onSuccess: (_, { summary }) => notifications.show({ message: text.messages.silenced_(summary) }),
    onError: failed,
    onSettled: useRefresh(),
  });
}

/** Does what may help. */
export function useHelp() {
  return useMutation({
    mutationFn: ({ verb, node }: MessageAct) =>
      request<Act>(verb === 'wake' ? url.nodeWake(node) : url.nodeDrain(node), { method: 'POST' }),
    onSuccess: (act) => notifications.show({ message: text.messages.done(act.message) }),
    onError: failed,
    onSettled: useRefresh(),
  });
}

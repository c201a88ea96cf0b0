import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { hasCode, request } from '../api/client';
import { keys } from '../api/keys';
import { url } from '../api/paths';
import type { Act } from '../api/types';
import { text } from '../text';

function useRefresh() {
  const client = useQueryClient();
  return () => {
    for (const queryKey of [keys.nodes, keys.cluster, keys.timeline])
      void client.invalidateQueries({ queryKey });
  };
}

/** Asks for a stop, or for what it would do. A refusal is an answer like the others. */
export async function askToStop(name: string, options: { dry_run: boolean }): Promise<Act> {
  try {
    return await request<Act>(url.nodeStop(name, options.dry_run ? { dry_run: true } : {}), {
      method: 'POST',
    });
  } catch (error) {
    if (hasCode(error, 'refused') && error.problem.act) return error.problem.act;
    throw error;
  }
}

export function useStop() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (name: string) => askToStop(name, { dry_run: false }),
    onSuccess: (act, name) => {
      if (succeeded(act)) notifications.show({ message: act.message || text.stop.stopped(name) });
    },
    onSettled: refresh,
  });
}

export function useWake() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (name: string) => request<Act>(url.nodeWake(name), { method: 'POST' }),
    onSuccess: (act, name) =>
      notifications.show(
        succeeded(act)
          ? { message: act.message || text.stop.woken(name) }
          : { color: 'red', message: text.stop.failed(act.message) },
      ),
    onError: (error) => notifications.show({ color: 'red', message: text.stop.failed(error.message) }),
    onSettled: refresh,
  });
}

export function succeeded(act: Act): boolean {
  return ['done', 'started', 'unchanged', 'dry_run'].includes(act.outcome);
}

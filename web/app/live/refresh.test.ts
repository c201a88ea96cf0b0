import { QueryClient } from '@tanstack/react-query';
import { expect, test, vi } from 'vitest';
import { clusterQuery } from '../api/queries';
import { cluster } from '../test/fixtures';
import { refreshBy } from './refresh';

test('a thousand events are one reload, and what they say is shown at once', async () => {
  vi.useFakeTimers();
  const client = new QueryClient();
  client.setQueryData(clusterQuery.queryKey, cluster());
  const invalidate = vi.spyOn(client, 'invalidateQueries');
  const refresh = refreshBy(client);

  for (let seq = 1; seq <= 1000; seq += 1)
    refresh({ seq, type: 'groups_changed', worst_margin: 1, short_extents: seq });
  expect(client.getQueryData(clusterQuery.queryKey)?.short_extents).toBe(1000);
  expect(invalidate).not.toHaveBeenCalled();

  await vi.advanceTimersByTimeAsync(500);
  expect(invalidate).toHaveBeenCalledTimes(1);
  vi.useRealTimers();
});

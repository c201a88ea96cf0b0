/** Carries server events into the cache: what an event says is shown at once, what it makes old is asked again soon. */

import type { QueryClient } from '@tanstack/react-query';
import { applyToCluster, applyToNodes, type ServerEvent, staleAfter } from '../api/events';
import { clusterQuery, nodesQuery } from '../api/queries';

/** A folder of a thousand files is a thousand events: they are answered by one reload per this long. */
const GATHER_MS = 400;

export function refreshBy(client: QueryClient): (event: ServerEvent) => void {
  const stale = new Map<string, readonly unknown[]>();
  let running = false;

  /** One round at a time: a reload that is begun anew by each event would never end while events come. */
  const run = async () => {
    running = true;
    while (stale.size > 0) {
      await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
      const queryKeys = [...stale.values()];
      stale.clear();
      await Promise.all(queryKeys.map((queryKey) => client.invalidateQueries({ queryKey })));
    }
    running = false;
  };

  return (event) => {
    client.setQueryData(clusterQuery.queryKey, (cluster) => cluster && applyToCluster(cluster, event));
    client.setQueryData(nodesQuery.queryKey, (nodes) => nodes && applyToNodes(nodes, event));
    for (const key of staleAfter(event)) stale.set(JSON.stringify(key), key);
    if (!running) void run();
  };
}

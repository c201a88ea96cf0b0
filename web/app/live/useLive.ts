import { createContext, use, useSyncExternalStore } from 'react';
import type { LiveConnection } from './connection';

export const LiveContext = createContext<LiveConnection | null>(null);

function useConnection(): LiveConnection {
  const connection = use(LiveContext);
  if (!connection) throw new Error('useLive outside of LiveContext');
  return connection;
}

/** The connection's state, and the way to try it again. */
export function useLive() {
  const connection = useConnection();
  const status = useSyncExternalStore(connection.subscribe, connection.status);
  return { status, retry: connection.retry };
}

const RELAXED_MS = 15_000;
const FALLBACK_MS = 3_000;

/** How often to poll what events keep fresh: seldom while they arrive, often while they don't. */
export function usePollMs(): number {
  return useLive().status.state === 'open' ? RELAXED_MS : FALLBACK_MS;
}

import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import { ApiError, hasCode } from './client';
import { keys } from './keys';

const RETRIES_MAX = 2;
const FRESH_MS = 2_000;

/** The cache of answers. `onSignedOut` is called when the server says the session is over. */
export function makeClient(onSignedOut: () => void): QueryClient {
  const onError = (error: unknown) => {
    if (hasCode(error, 'unauthenticated')) onSignedOut();
  };
  return new QueryClient({
    queryCache: new QueryCache({
      // Asking who is signed in may be answered with "nobody": that is not the end of a session.
      onError: (error, query) => query.queryKey[0] !== keys.session[0] && onError(error),
    }),
    mutationCache: new MutationCache({
      onError: (error, _variables, _result, mutation) =>
        mutation.options.mutationKey?.[0] !== keys.session[0] && onError(error),
    }),
    defaultOptions: {
      // A page on a machine without a network still reaches its own server.
      queries: {
        networkMode: 'always',
        retry: (count, error) => mayPass(error) && count < RETRIES_MAX,
        staleTime: FRESH_MS,
      },
      mutations: { networkMode: 'always' },
    },
  });
}

/** Whether the same question could be answered differently a moment later. */
function mayPass(error: unknown): boolean {
  return !(error instanceof ApiError) || error.problem.status >= 500;
}

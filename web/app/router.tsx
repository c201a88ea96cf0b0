/** Which address shows which page, and what must be loaded before it is drawn. */

import type { QueryClient } from '@tanstack/react-query';
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router';
import { hasCode } from './api/client';
import {
  clusterQuery,
  listingQuery,
  messagesQuery,
  nodesQuery,
  sessionQuery,
  trashQuery,
} from './api/queries';
import { FilesPage } from './files/FilesPage';
import { normalize } from './files/path';
import { LoginPage } from './session/LoginPage';
import { parseSearch, pick, stringifySearch } from './shell/address';
import { Broken, NotFound } from './shell/Broken';
import { Shell } from './shell/Shell';

const root = createRootRouteWithContext<{ client: QueryClient }>()({
  component: Outlet,
  notFoundComponent: NotFound,
});

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  validateSearch: (values: Record<string, unknown>) => pick(values, 'next', 'expired'),
  component: LoginPage,
});

const app = createRoute({
  getParentRoute: () => root,
  id: 'app',
  component: Shell,
  errorComponent: Broken,
  beforeLoad: async ({ context, location }) => {
    try {
      return { session: await context.client.ensureQueryData(sessionQuery) };
    } catch (error) {
      if (!hasCode(error, 'unauthenticated')) throw error;
      throw redirect({ to: '/login', search: location.href === '/' ? {} : { next: location.href } });
    }
  },
});

const index = createRoute({
  getParentRoute: () => app,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/files', search: {} });
  },
});

// Loaders begin what a page needs and don't wait for it: pages draw their own placeholders and failures.
const files = createRoute({
  getParentRoute: () => app,
  path: '/files',
  validateSearch: (values: Record<string, unknown>) => pick(values, 'path', 'file', 'sort'),
  loaderDeps: ({ search }) => ({ path: normalize(search.path ?? '/') }),
  loader: ({ context, deps }) => void context.client.prefetchInfiniteQuery(listingQuery(deps.path)),
  component: FilesPage,
});

const search = createRoute({
  getParentRoute: () => app,
  path: '/search',
  validateSearch: (values: Record<string, unknown>) => pick(values, 'q', 'tag', 'file', 'view'),
  component: lazyRouteComponent(() => import('./search/SearchPage'), 'SearchPage'),
});

const nodes = createRoute({
  getParentRoute: () => app,
  path: '/nodes',
  loader: ({ context }) => {
    void context.client.prefetchQuery(nodesQuery);
    void context.client.prefetchQuery(clusterQuery);
  },
  component: lazyRouteComponent(() => import('./nodes/NodesPage'), 'NodesPage'),
});

const messages = createRoute({
  getParentRoute: () => app,
  path: '/messages',
  loader: ({ context }) => void context.client.prefetchQuery(messagesQuery('open')),
  component: lazyRouteComponent(() => import('./messages/MessagesPage'), 'MessagesPage'),
});

const trash = createRoute({
  getParentRoute: () => app,
  path: '/trash',
  loader: ({ context }) => void context.client.prefetchInfiniteQuery(trashQuery),
  component: lazyRouteComponent(() => import('./trash/TrashPage'), 'TrashPage'),
});

const routeTree = root.addChildren([login, app.addChildren([index, files, search, nodes, messages, trash])]);

export const makeRouter = (client: QueryClient) =>
  createRouter({ routeTree, context: { client }, parseSearch, stringifySearch, defaultPreload: false });

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}

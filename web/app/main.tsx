import './mantine';
import './styles.css';
import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { makeClient } from './api/cache';
import { LiveConnection } from './live/connection';
import { refreshBy } from './live/refresh';
import { LiveContext } from './live/useLive';
import { makeRouter } from './router';
import { theme } from './theme';
import { Uploads } from './upload/uploads';
import { UploadsContext } from './upload/useUploads';

const client = makeClient(() => {
  client.clear();
  const { pathname, href } = router.state.location;
  if (pathname === '/login') return;
  void router.navigate({ to: '/login', search: { next: href, expired: '1' } });
});
const router = makeRouter(client);
const refresh = refreshBy(client);
const live = new LiveConnection(refresh);
// What this page stored itself is shown even while the server's events don't arrive.
const uploads = new Uploads({ onStored: (path) => refresh({ seq: 0, type: 'file_stored', path }) });

const element = document.getElementById('root');
if (!element) throw new Error('index.html has no #root');

createRoot(element).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <QueryClientProvider client={client}>
        <LiveContext value={live}>
          <UploadsContext value={uploads}>
            <Notifications position="bottom-left" limit={3} />
            <RouterProvider router={router} />
          </UploadsContext>
        </LiveContext>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);

/** Puts the mock API behind Vite's own servers. */

import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Connect, Plugin } from 'vite';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ServerEvent } from '../api/events';
import { answer, userOf } from './api.ts';
import { seededMock } from './seed.ts';
import type { Mock } from './state.ts';

/** What the real server sends with the page: a preview that breaks it should break here too. */
const POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; worker-src 'self' blob:";

export function mockApi(): Plugin {
  const mock = seededMock();
  return {
    name: 'asterism-mock-api',
    configureServer(server) {
      server.middlewares.use(serve(mock));
      listen(mock, server.httpServer as Server | null);
    },
    configurePreviewServer(server) {
      server.middlewares.use((_request, response, next) => {
        response.setHeader('content-security-policy', POLICY);
        next();
      });
      server.middlewares.use(serve(mock));
      listen(mock, server.httpServer as Server);
    },
  };
}

function serve(mock: Mock): Connect.NextHandleFunction {
  return (request, response, next) => {
    if (!request.url?.startsWith('/api/')) return next();
    void answer(mock, request, response);
  };
}

function listen(mock: Mock, server: Server | null) {
  const sockets = new WebSocketServer({ noServer: true });
  server?.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (!request.url?.startsWith('/api/v1/events')) return;
    if (!userOf(mock, request)) {
      socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => tell(mock, client));
  });
}

function tell(mock: Mock, client: WebSocket) {
  const watcher = (event: ServerEvent) => client.send(JSON.stringify(event));
  mock.watchers.add(watcher);
  client.on('close', () => mock.watchers.delete(watcher));
}

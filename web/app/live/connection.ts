/** The WebSocket of server events: it comes back by itself, and goes on after the last event it saw. */

import { parseEvent, type ServerEvent } from '../api/events';
import { url } from '../api/paths';
import { backoffMs } from './backoff';

export type LiveStatus =
  | { state: 'off' }
  | { state: 'connecting' }
  | { state: 'open' }
  | { state: 'lost'; since: number; retryAt: number };

export class LiveConnection {
  #status: LiveStatus = { state: 'off' };
  #socket: WebSocket | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #attempt = 0;
  #sequence: number | null = null;
  readonly #watchers = new Set<() => void>();
  readonly #onEvent: (event: ServerEvent) => void;

  constructor(onEvent: (event: ServerEvent) => void) {
    this.#onEvent = onEvent;
  }

  subscribe = (watcher: () => void) => {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  };

  status = () => this.#status;

  start() {
    if (this.#status.state === 'off') this.#connect();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#detach();
    this.#attempt = 0;
    this.#become({ state: 'off' });
  }

  /** Tries again now, instead of when the wait is over. */
  retry = () => {
    if (this.#status.state === 'lost') this.#connect();
  };

  #connect() {
    clearTimeout(this.#timer);
    this.#detach();
    // While an attempt runs after a loss, the loss is still what the reader should see.
    if (this.#status.state !== 'lost') this.#become({ state: 'connecting' });
    const socket = new WebSocket(socketAddress(url.events(this.#sequence)));
    socket.onopen = () => {
      this.#attempt = 0;
      this.#become({ state: 'open' });
    };
    socket.onmessage = (message) => this.#receive(message.data);
    socket.onclose = () => this.#lose();
    this.#socket = socket;
  }

  #receive(data: unknown) {
    const event = typeof data === 'string' ? parseEvent(data) : null;
    if (!event) return;
    this.#sequence = event.seq;
    this.#onEvent(event);
  }

  #lose() {
    this.#detach();
    const wait = backoffMs(this.#attempt++, Math.random());
    const since = this.#status.state === 'lost' ? this.#status.since : Date.now();
    this.#become({ state: 'lost', since, retryAt: Date.now() + wait });
    this.#timer = setTimeout(() => this.#connect(), wait);
  }

  #detach() {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #become(status: LiveStatus) {
    this.#status = status;
    for (const watcher of this.#watchers) watcher();
  }
}

function socketAddress(path: string): URL {
  const address = new URL(path, window.location.href);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  return address;
}

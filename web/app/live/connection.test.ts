import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ServerEvent } from '../api/events';
import { backoffMs } from './backoff';
import { LiveConnection } from './connection';

class FakeSocket {
  static all: FakeSocket[] = [];
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((message: { data: unknown }) => void) | null = null;
  closed = false;
  readonly url: URL;

  constructor(url: URL) {
    this.url = url;
    FakeSocket.all.push(this);
  }

  close() {
    this.closed = true;
  }
}

const last = () => {
  const socket = FakeSocket.all.at(-1);
  if (!socket) throw new Error('no socket yet');
  return socket;
};

beforeEach(() => {
  FakeSocket.all = [];
  vi.useFakeTimers();
  vi.stubGlobal('WebSocket', FakeSocket);
  vi.stubGlobal('window', { location: { href: 'https://files.example/nodes' } });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function started() {
  const events: ServerEvent[] = [];
  const live = new LiveConnection((event) => events.push(event));
  live.start();
  return { live, events };
}

test('an https page opens a safe socket on its own host', () => {
  started();
  expect(last().url.href).toBe('wss://files.example/api/v1/events');
});

test('after a loss it goes on behind the last event', () => {
  const { live, events } = started();
  last().onopen?.();
  last().onmessage?.({ data: '{"seq":41,"type":"file_stored","path":"/a"}' });
  last().onmessage?.({ data: 'noise' });
  last().onclose?.();
  expect(events).toHaveLength(1);
  expect(live.status().state).toBe('lost');
  vi.advanceTimersByTime(1000);
  expect(last().url.search).toBe('?since=41');
  last().onopen?.();
  expect(live.status()).toEqual({ state: 'open' });
});

test('the loss counts from its beginning, through every failed attempt', () => {
  const { live } = started();
  last().onclose?.();
  const first = live.status();
  vi.advanceTimersByTime(600);
  last().onclose?.();
  expect(live.status()).toMatchObject({ state: 'lost', since: first.state === 'lost' ? first.since : -1 });
  expect(FakeSocket.all).toHaveLength(2);
});

test('trying now replaces the wait', () => {
  const { live } = started();
  last().onclose?.();
  live.retry();
  expect(FakeSocket.all).toHaveLength(2);
  vi.advanceTimersByTime(600);
  expect(FakeSocket.all).toHaveLength(2);
});

test('stopped is stopped', () => {
  const { live } = started();
  last().onclose?.();
  live.stop();
  vi.advanceTimersByTime(60_000);
  expect(FakeSocket.all).toHaveLength(1);
  expect(live.status()).toEqual({ state: 'off' });
});

describe('the wait', () => {
  test('grows, and never past its bound', () => {
    expect([0, 1, 2].map((attempt) => backoffMs(attempt, 1))).toEqual([500, 1000, 2000]);
    expect(backoffMs(1000, 1)).toBe(15_000);
  });
  test('is at least half of its full length', () => expect(backoffMs(0, 0)).toBe(250));
});

// @vitest-environment happy-dom
import { cleanup, fireEvent, screen, waitFor } from '@testing-library/react';
import { afterEach, expect, test, vi } from 'vitest';
import { message } from '../test/fixtures';
import { draw } from '../test/render';
import { MessageCard } from './MessageCard';

const answers = (body: unknown) => {
  const fetch = vi.fn((_address: string, _call: RequestInit) =>
    Promise.resolve(new Response(JSON.stringify(body))),
  );
  vi.stubGlobal('fetch', fetch);
  return fetch;
};

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

test('says whom it touches and what to do, and offers what helps', async () => {
  const fetch = answers({ outcome: 'done', message: 'n1 is up' });
  draw(<MessageCard message={message()} mayAct />);
  const shown = screen.getByTestId('message').textContent;
  for (const part of ['n1 has died', 'Wake it.', '3 files touched', 'ada', 'holiday'])
    expect(shown).toContain(part);
  fireEvent.click(screen.getByTestId('message-wake'));
  await waitFor(() =>
    expect(fetch.mock.calls.map(([address]) => address)).toContain('/api/v1/nodes/n1/wake'),
  );
});

test('is marked as read, for the reader alone', async () => {
  const fetch = answers({});
  draw(<MessageCard message={message()} mayAct={false} />);
  expect(screen.queryByTestId('message-wake')).toBeNull();
  expect(screen.queryByTestId('message-acknowledge')).toBeNull();
  fireEvent.click(screen.getByTestId('message-read'));
  await waitFor(() => expect(fetch).toHaveBeenCalled());
  expect(fetch.mock.calls[0]).toMatchObject([
    '/api/v1/messages/7',
    { method: 'PATCH', body: '{"read":true}' },
  ]);
});

test('that has ended offers no act', () => {
  draw(<MessageCard message={message({ state: 'resolved', ended_at: '2026-01-01T00:01:00Z' })} mayAct />);
  expect(screen.queryByTestId('message-wake')).toBeNull();
  expect(screen.queryByTestId('message-silence')).toBeNull();
});

test('hostile words are shown as words', () => {
  const hostile = '<img src=x onerror=alert(1)>';
  draw(<MessageCard message={message({ summary: hostile, owners: [hostile] })} mayAct />);
  expect(screen.getByTestId('message').textContent).toContain(hostile);
  expect(document.querySelector('img')).toBeNull();
});

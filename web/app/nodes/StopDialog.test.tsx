// @vitest-environment happy-dom
import { cleanup, fireEvent, screen, waitFor } from '@testing-library/react';
import { afterEach, expect, test, vi } from 'vitest';
import type { Act } from '../api/types';
import { draw } from '../test/render';
import { StopDialog } from './StopDialog';

const ACT: Act = {
  outcome: 'dry_run',
  state: 'online',
  message: 'each file survives 1 more loss',
  groups_counted: 64,
  groups_below_floor: 0,
  worst_margin: 1,
  files_touched: 0,
  owners: [],
  tags: [],
};
const REFUSED: Act = {
  ...ACT,
  outcome: 'refused',
  message: 'group 7 would fall below its floor',
  owners: ['ada'],
};

const answers = (...list: Response[]) => {
  const fetch = vi.fn((_address: string, _call: RequestInit) =>
    Promise.resolve(list.shift() ?? new Response('', { status: 500 })),
  );
  vi.stubGlobal('fetch', fetch);
  return fetch;
};
const done = (act: Act) => new Response(JSON.stringify(act));
const refusal = () =>
  new Response(JSON.stringify({ code: 'refused', detail: REFUSED.message, title: '', act: REFUSED }), {
    status: 409,
  });

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

test('asks for a dry run, shows it, and stops only when told to', async () => {
  const fetch = answers(done(ACT), done({ ...ACT, outcome: 'done', state: 'stopping' }));
  const onClose = vi.fn();
  draw(<StopDialog name="n1" onClose={onClose} />);
  expect((await screen.findByTestId('consequences')).textContent).toContain(ACT.message);
  expect(fetch.mock.calls.map(([address]) => address)).toEqual(['/api/v1/nodes/n1/stop?dry_run=true']);

  fireEvent.click(screen.getByTestId('confirm-stop'));
  await waitFor(() => expect(onClose).toHaveBeenCalled());
  expect(fetch.mock.calls.map(([address]) => address)[1]).toBe('/api/v1/nodes/n1/stop');
});

test('a refused dry run offers nothing', async () => {
  answers(refusal());
  draw(<StopDialog name="n1" onClose={() => {}} />);
  const shown = await screen.findByTestId('refusal');
  expect(shown.textContent).toContain(REFUSED.message);
  expect(shown.textContent).toContain('ada');
  expect(screen.queryByTestId('confirm-stop')).toBeNull();
});

test('a stop that is refused after a good dry run stays open with the reason', async () => {
  answers(done(ACT), refusal());
  const onClose = vi.fn();
  draw(<StopDialog name="n1" onClose={onClose} />);
  fireEvent.click(await screen.findByTestId('confirm-stop'));
  expect((await screen.findByTestId('refusal')).textContent).toContain(REFUSED.message);
  expect(onClose).not.toHaveBeenCalled();
});

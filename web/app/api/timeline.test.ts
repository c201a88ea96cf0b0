import { expect, test } from 'vitest';
import { newest, TIMELINE_PAGE } from './timeline';
import type { Transition } from './types';

const entry = (seq: number): Transition => ({
  seq,
  time: '',
  kind: 'node',
  subject: 'n1',
  from: '',
  to: '',
  cause: '',
  actor: '',
});

/** A log of that many entries, and what it was asked for. */
function log(length: number) {
  const asked: number[] = [];
  const ask = async (after: number) => {
    asked.push(after);
    const left = Math.max(0, Math.min(TIMELINE_PAGE, length - after));
    return { items: Array.from({ length: left }, (_, index) => entry(after + 1 + index)) };
  };
  return { ask, asked };
}

test('a long log is walked to its end', async () => {
  const { ask, asked } = log(1203);
  const shown = await newest([], ask);
  expect([shown[0]?.seq, shown.at(-1)?.seq, shown.length]).toEqual([1203, 1192, 12]);
  expect(asked).toEqual([0, 500, 1000]);
});
test('next time it goes on from there', async () => {
  const { ask, asked } = log(1205);
  const shown = await newest([entry(1203), entry(1202)], ask);
  expect(shown.map(({ seq }) => seq)).toEqual([1205, 1204, 1203, 1202]);
  expect(asked).toEqual([1203]);
});
test('a very long one is caught up with in turns', async () => {
  const { ask, asked } = log(100_000);
  expect((await newest([], ask))[0]?.seq).toBe(5000);
  expect(asked).toHaveLength(10);
});
test('an empty one is empty', async () => expect(await newest([], log(0).ask)).toEqual([]));

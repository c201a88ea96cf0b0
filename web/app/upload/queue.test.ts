import { describe, expect, test } from 'vitest';
import {
  type Action,
  EMPTY,
  nextToSend,
  type Queue,
  reduce,
  rowsToShow,
  SENDING_MAX,
  totalsOf,
} from './queue';

const add = (...ids: number[]): Action => ({
  type: 'add',
  uploads: ids.map((id) => ({ id, path: `/f${id}`, size: 100, key: `k${id}` })),
});
const play = (...actions: Action[]): Queue => actions.reduce(reduce, EMPTY);
const states = (queue: Queue) => queue.uploads.map(({ state }) => state.name);
const begin = (id: number): Action => ({ type: 'begin', id });
const taken = (id: number): Action => ({ type: 'taken', id, newKey: `new${id}` });

describe('what is sent next', () => {
  test('the first few, in order', () => {
    const next = nextToSend(play(add(1, 2, 3, 4, 5)));
    expect(next.map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(next).toHaveLength(SENDING_MAX);
  });
  test('one more for each that ends', () => {
    const queue = play(add(1, 2, 3, 4, 5), begin(1), begin(2), begin(3));
    expect(nextToSend(queue)).toEqual([]);
    const after = reduce(queue, { type: 'stored', id: 2, redundancy: 2 });
    expect(nextToSend(after).map(({ id }) => id)).toEqual([4]);
  });
  test('a conflict holds no place', () => {
    const queue = play(add(1, 2, 3, 4), begin(1), begin(2), begin(3), taken(1));
    expect(nextToSend(queue).map(({ id }) => id)).toEqual([4]);
  });
});

describe('a name that is taken', () => {
  test('waits for the person, then goes again with another key and leave to replace', () => {
    const [upload] = play(add(1), begin(1), taken(1), { type: 'replace', id: 1 }).uploads;
    expect(upload).toMatchObject({ state: { name: 'waiting' }, replace: true, key: 'new1' });
  });
  test('may be skipped', () => {
    expect(states(play(add(1), begin(1), taken(1), { type: 'skip', id: 1 }))).toEqual(['skipped']);
  });
  test('is decided for all that wait and all that follow', () => {
    const queue = play(add(1, 2, 3), begin(1), begin(2), begin(3), taken(1), taken(2), {
      type: 'decide',
      rule: 'skip',
    });
    expect(states(queue)).toEqual(['skipped', 'skipped', 'sending']);
    expect(states(reduce(queue, taken(3)))).toEqual(['skipped', 'skipped', 'skipped']);
  });
  test('is asked about again in the next batch', () => {
    const queue = play(
      add(1),
      begin(1),
      taken(1),
      { type: 'decide', rule: 'skip' },
      add(2),
      begin(2),
      taken(2),
    );
    expect(states(queue)).toEqual(['skipped', 'conflict']);
  });
});

describe('late answers', () => {
  test('do not bring a cancelled upload back', () => {
    const queue = play(add(1), begin(1), { type: 'cancel', id: 1 }, { type: 'stored', id: 1, redundancy: 2 });
    expect(states(queue)).toEqual(['cancelled']);
  });
  test('progress after the end changes nothing', () => {
    const queue = play(
      add(1),
      begin(1),
      { type: 'fail', id: 1, reason: 'x' },
      { type: 'progress', id: 1, sent: 5 },
    );
    expect(states(queue)).toEqual(['failed']);
  });
  test('a name taken after a cancel stays cancelled', () => {
    expect(states(play(add(1), begin(1), { type: 'cancel', id: 1 }, taken(1)))).toEqual(['cancelled']);
  });
});

describe('the whole', () => {
  test('retry sends the failed ones alone', () => {
    const queue = play(add(1, 2), begin(1), begin(2), { type: 'fail', id: 1, reason: 'x' });
    expect(states(reduce(queue, { type: 'retry' }))).toEqual(['waiting', 'sending']);
  });
  test('clearing keeps what is not over', () => {
    const done: Action = { type: 'stored', id: 1, redundancy: 2 };
    const queue = play(
      add(1, 2, 3),
      begin(1),
      done,
      begin(2),
      { type: 'fail', id: 2, reason: 'x' },
      { type: 'clear' },
    );
    expect(states(queue)).toEqual(['failed', 'waiting']);
  });
  test('totals leave out what will never be sent', () => {
    const queue = play(
      add(1, 2, 3),
      begin(1),
      { type: 'progress', id: 1, sent: 40 },
      { type: 'cancel', id: 3 },
    );
    expect(totalsOf(queue)).toMatchObject({ files: 2, bytes: 200, sent: 40, active: true });
  });
  test('more sent than the file has (headers count too) is never more than the file', () => {
    expect(totalsOf(play(add(1), begin(1), { type: 'progress', id: 1, sent: 400 })).sent).toBe(100);
  });
  test('a long list shows first what needs someone', () => {
    const ids = Array.from({ length: 150 }, (_, index) => index + 1);
    const queue = play(add(...ids), begin(140), { type: 'fail', id: 140, reason: 'x' });
    const { rows, hidden } = rowsToShow(queue);
    expect([rows[0]?.id, rows.length, hidden]).toEqual([140, 100, 50]);
  });
});

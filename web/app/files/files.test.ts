import { describe, expect, test } from 'vitest';
import type { Folder } from '../api/types';
import { file } from '../test/fixtures';
import { forEach } from './mutations';
import { crumbsOf, faultOf, isInside, join, type NameFault, nameOf, normalize, parentOf } from './path';
import { extend, NOTHING, present, selectAll, toggle } from './selection';
import { nextSort, sorted, sortFrom, sortTo } from './sort';

describe('paths', () => {
  test('join and part', () => {
    expect(join('/', 'a')).toBe('/a');
    expect(join('/a', 'b')).toBe('/a/b');
    expect([parentOf('/a'), parentOf('/a/b'), nameOf('/a/b')]).toEqual(['/', '/a', 'b']);
  });
  test('one typed by hand', () => expect(['', '/', 'a//b/'].map(normalize)).toEqual(['/', '/', '/a/b']));
  test('breadcrumbs lead down', () => {
    expect(crumbsOf('/a/b').map(({ path }) => path)).toEqual(['/a', '/a/b']);
    expect(crumbsOf('/')).toEqual([]);
  });
  test('a folder is inside itself, its namesake is not', () => {
    expect([
      isInside('/a', '/a'),
      isInside('/a/b', '/a'),
      isInside('/ab', '/a'),
      isInside('/x', '/'),
    ]).toEqual([true, true, false, true]);
  });
});

describe('names', () => {
  const check = (name: string, fault: NameFault | null) => expect(faultOf(name)).toBe(fault);
  test('most are fine', () => {
    for (const name of ['a', 'a b', '夜.txt', '100%', '...', '"', '🌲']) check(name, null);
  });
  test('some are not', () => {
    check('  ', 'empty');
    check('a/b', 'slash');
    check('..', 'dots');
    check('a\u0000', 'control');
  });
  test('length counts in bytes', () => {
    check('a'.repeat(255), null);
    check('夜'.repeat(86), 'long');
  });
});

describe('ticks', () => {
  const order = ['/a', '/b', '/c', '/d'];
  test('go on and off', () => expect(toggle(toggle(NOTHING, '/a'), '/a').paths.size).toBe(0));
  test('with Shift, all between', () => {
    expect(present(extend(toggle(NOTHING, '/d'), '/b', order), order)).toEqual(['/b', '/c', '/d']);
  });
  test('with Shift and no start, one', () =>
    expect(present(extend(NOTHING, '/b', order), order)).toEqual(['/b']));
  test('what is gone is not acted on', () => expect(present(selectAll(order), ['/b'])).toEqual(['/b']));
});

describe('order', () => {
  const { size: _, blake3: __, redundancy: ___, ...rest } = file('/zoo');
  const folder: Folder = { ...rest, kind: 'folder' };
  const entries = [file('/f10', { size: 5 }), folder, file('/f9', { size: 5 }), file('/f1', { size: 7 })];
  const paths = (sort: string) => sorted(entries, sortFrom(sort)).map(({ path }) => path);
  test('folders first, numbers as numbers', () =>
    expect(paths('name')).toEqual(['/zoo', '/f1', '/f9', '/f10']));
  test('by size, then name', () => expect(paths('size')).toEqual(['/zoo', '/f9', '/f10', '/f1']));
  test('downwards, folders still first', () =>
    expect(paths('-size')).toEqual(['/zoo', '/f1', '/f9', '/f10']));
  test('is kept in the address', () => {
    expect(sortTo(nextSort(sortFrom('size'), 'size'))).toBe('-size');
    expect(sortTo(sortFrom('nonsense'))).toBeUndefined();
  });
});

test('one failure does not stop the others', async () => {
  const batch = await forEach(['/a', '/b', '/c'], (path) =>
    path === '/b' ? Promise.reject(new Error('no')) : Promise.resolve(),
  );
  expect(batch).toEqual({ done: ['/a', '/c'], failed: [{ path: '/b', reason: 'no' }] });
});

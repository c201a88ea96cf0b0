import { expect, test } from 'vitest';
import { localTarget, parseSearch, pick, stringifySearch } from './address';

test('every value comes back as the text it was', () => {
  for (const path of ['/a b', '/100%', '/1', 'true', '/a&b=c', '/夜?#', '/a+b', '"x"']) {
    expect(parseSearch(stringifySearch({ path }))).toEqual({ path });
  }
});
test('paths stay readable', () =>
  expect(stringifySearch({ path: '/a/b', tag: 'x:y' })).toBe('?path=/a/b&tag=x:y'));
test('nothing to keep', () => expect(stringifySearch({ q: '', n: 1, u: undefined })).toBe(''));
test('only what is asked for', () => expect(pick({ q: 'a', evil: 'b', n: 2 }, 'q')).toEqual({ q: 'a' }));

test('signing in leads to this page alone', () => {
  expect(localTarget('/files?path=/a')).toBe('/files?path=/a');
  for (const next of [
    undefined,
    '',
    'https://evil.example',
    '//evil.example',
    '/\\evil.example',
    'javascript:alert(1)',
  ]) {
    expect(localTarget(next)).toBe('/');
  }
});

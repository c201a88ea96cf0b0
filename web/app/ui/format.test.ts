import { describe, expect, test } from 'vitest';
import { formatAgo, formatBytes, formatDate, formatDuration, formatMoment, formatPercent } from './format';

describe('bytes', () => {
  const check = (bytes: number, expected: string) => expect(formatBytes(bytes)).toBe(expected);
  test('small ones are whole', () => check(999, '999 B'));
  test('three digits', () => {
    check(1000, '1.00 kB');
    check(12_345, '12.3 kB');
    check(123_456, '123 kB');
  });
  test('no 1000 of a unit', () => check(999_900, '1.00 MB'));
  test('nothing is nothing', () => check(0, '0 B'));
  test('there is a largest unit', () => check(5e21, '5000 EB'));
});

describe('percent', () => {
  const check = (ratio: number, expected: string) => expect(formatPercent(ratio)).toBe(expected);
  test('all means all', () => check(0.9999, '99\u00a0%'));
  test('nothing means nothing', () => check(0.0001, '1\u00a0%'));
  test('out of range stays in range', () => {
    check(1.7, '100\u00a0%');
    check(-1, '0\u00a0%');
  });
});

describe('time', () => {
  test('the largest whole unit', () => {
    expect([59.9, 60, 3599, 3600, 86_400 * 12].map(formatDuration)).toEqual([
      '59 s',
      '1 min',
      '59 min',
      '1 h',
      '12 d',
    ]);
  });
  test('a clock that is ahead reads as now', () => expect(formatAgo(2000, 1000)).toBe('now'));
  test('ago', () => expect(formatAgo(0, 300_000)).toBe('5 min ago'));
  test('what is no time is empty', () => {
    expect(formatMoment('never')).toBe('');
    expect(formatDate('never', 0)).toBe('');
  });
});

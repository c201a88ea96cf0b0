import { expect, test } from 'vitest';
import { addSample, bytesPerSecond, type Sample, secondsLeft } from './speed';

const speedOf = (...samples: Sample[]) => bytesPerSecond(samples.reduce<Sample[]>(addSample, []));

test('too little to tell', () => expect(speedOf({ at: 0, bytes: 0 }, { at: 100, bytes: 50 })).toBeNull());
test('bytes over time', () => expect(speedOf({ at: 0, bytes: 0 }, { at: 2000, bytes: 4000 })).toBe(2000));
test('what is long ago does not count', () => {
  const samples = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((second) => ({
    at: second * 1000,
    bytes: second < 4 ? 0 : (second - 4) * 100,
  }));
  expect(speedOf(...samples)).toBe(100);
});
test('a total that shrinks starts anew', () => {
  expect(speedOf({ at: 0, bytes: 900 }, { at: 2000, bytes: 100 })).toBeNull();
});
test('no speed, no end', () => expect(secondsLeft(100, 0)).toBeNull());

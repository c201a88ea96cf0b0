import { describe, expect, test } from 'vitest';
import { tagRefFrom, tagRefTo } from './kinds';
import { completed, narrowed, tagTerm, typedPrefix } from './language';

describe('a term for a tag', () => {
  const check = (name: string, expected: string) => expect(tagTerm(name)).toBe(expected);
  test('a word', () => check('jpeg', 'tag:jpeg'));
  test('a Chinese word', () => check('杭州', 'tag:杭州'));
  test('words', () => check('Canon EOS', 'tag:"Canon EOS"'));
  test('an operator is only a word', () => check('OR', 'tag:"OR"'));
  test('marks of the language', () => check('a"b', 'tag:"a\\"b"'));
});

describe('narrowing', () => {
  test('adds a term', () => expect(narrowed('a b', 'tag:c')).toBe('a b tag:c'));
  test('adds it once', () => expect(narrowed('a tag:c', 'tag:c')).toBe('a tag:c'));
  test('holds an OR together', () => expect(narrowed('a OR b', 'tag:c')).toBe('(a OR b) tag:c'));
  test('starts a search', () => expect(narrowed('  ', 'tag:c')).toBe('tag:c'));
});

describe('completing', () => {
  test('the last word is offered', () => {
    expect(typedPrefix('type:image hol')).toBe('hol');
    expect(typedPrefix('tag:hol')).toBe('hol');
    expect(typedPrefix('(lake OR se')).toBe('se');
  });
  test('but not in other fields, quotes or operators', () => {
    expect(typedPrefix('size:>1')).toBe('');
    expect(typedPrefix('"open quo')).toBe('');
    expect(typedPrefix('a OR')).toBe('');
    expect(typedPrefix('done ')).toBe('');
  });
  test('and replaced', () => {
    expect(completed('type:image hol', 'holiday')).toBe('type:image tag:holiday ');
    expect(completed('tag:can', 'Canon EOS')).toBe('tag:"Canon EOS" ');
  });
});

test('a chosen tag survives the address, colons in its name too', () => {
  const tag = { kind: 'user', name: 'a:b' };
  expect(tagRefFrom(tagRefTo(tag))).toEqual(tag);
  expect(tagRefFrom('nonsense')).toBeNull();
  expect(tagRefFrom(undefined)).toBeNull();
});

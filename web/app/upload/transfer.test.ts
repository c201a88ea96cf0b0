import { expect, test } from 'vitest';
import { outcomeOf } from './transfer';

const problem = (code: string, detail: string) => JSON.stringify({ code, detail, title: '', status: 0 });

test('created and overwritten are stored', () => {
  expect(outcomeOf(201, '{"redundancy":2}', false)).toEqual({ name: 'stored', redundancy: 2 });
  expect(outcomeOf(200, '{"redundancy":1}', false)).toEqual({ name: 'stored', redundancy: 1 });
});
test('a failed precondition and an existing name are the same question', () => {
  expect(outcomeOf(412, problem('precondition_failed', ''), false)).toEqual({ name: 'taken' });
  expect(outcomeOf(409, problem('exists', ''), false)).toEqual({ name: 'taken' });
});
test('another conflict is a failure', () => {
  expect(outcomeOf(409, problem('conflict', 'busy'), false)).toEqual({ name: 'failed', reason: 'busy' });
});
test('an answer that is no problem document still has a sentence', () => {
  expect(outcomeOf(502, '<html>', false)).toEqual({ name: 'failed', reason: 'The server answered 502.' });
});
test('a name that cannot be replaced is not asked about for ever', () => {
  expect(outcomeOf(409, problem('exists', 'a folder has this name'), true)).toEqual({
    name: 'failed',
    reason: 'a folder has this name',
  });
});

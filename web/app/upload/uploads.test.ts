import { expect, test } from 'vitest';
import type { Upload } from './queue';
import type { Outcome } from './transfer';
import { type Picked, Uploads } from './uploads';

interface Sent {
  upload: Upload;
  signal: AbortSignal;
  answer: (outcome: Outcome) => void;
}

/** Uploads whose wire is this test: each attempt waits for its answer. */
function rig() {
  const sent: Sent[] = [];
  const stored: string[] = [];
  const folders: string[] = [];
  const uploads = new Uploads({
    send: ({ upload, signal }) => new Promise((answer) => sent.push({ upload, signal, answer })),
    makeFolder: async (path) => void folders.push(path),
    onStored: (path) => stored.push(path),
  });
  return {
    uploads,
    sent,
    stored,
    folders,
    states: () => uploads.queue().uploads.map(({ state }) => state.name),
  };
}

const picked = (...relatives: string[]): Picked[] =>
  relatives.map((relative) => ({ file: new File(['x'], relative), relative }));
const settled = () => new Promise((resolve) => setTimeout(resolve));

test('three at a time, the next when one ends', async () => {
  const { uploads, sent, stored, states } = rig();
  uploads.add('/in', picked('a', 'b', 'c', 'd'));
  await settled();
  expect(sent.map(({ upload }) => upload.path)).toEqual(['/in/a', '/in/b', '/in/c']);
  sent[1]?.answer({ name: 'stored', redundancy: 2 });
  await settled();
  expect(sent).toHaveLength(4);
  expect(stored).toEqual(['/in/b']);
  expect(states()).toEqual(['sending', 'done', 'sending', 'sending']);
});

test('folders with nothing in them are made', async () => {
  const { uploads, folders } = rig();
  await uploads.addFolders('/in', ['t/hollow']);
  expect(folders).toEqual(['/in/t/hollow']);
});

test('a cancel reaches the wire', async () => {
  const { uploads, sent, states } = rig();
  uploads.add('/', picked('a'));
  await settled();
  uploads.cancel(1);
  expect(sent[0]?.signal.aborted).toBe(true);
  expect(states()).toEqual(['cancelled']);
});

test('a retry repeats the key, a replacement takes a new one', async () => {
  const { uploads, sent } = rig();
  uploads.add('/', picked('a', 'b'));
  await settled();
  sent[0]?.answer({ name: 'failed', reason: 'cut' });
  sent[1]?.answer({ name: 'taken' });
  await settled();
  uploads.retry();
  uploads.replace(2);
  await settled();
  const [first, second, again, replacing] = sent.map(({ upload }) => upload);
  expect(again?.key).toBe(first?.key);
  expect(replacing?.key).not.toBe(second?.key);
  expect(replacing?.replace).toBe(true);
});

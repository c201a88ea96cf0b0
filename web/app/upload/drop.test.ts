import { expect, test } from 'vitest';
import { fromDrop } from './drop';

/** A file system as the browser hands it out: folders in pieces of two. */
function entry(name: string, children?: FileSystemEntry[]): FileSystemEntry {
  const base = { name, isFile: !children, isDirectory: Boolean(children), fullPath: '', filesystem: null };
  const readEntries = (left: FileSystemEntry[]) => (done: (some: FileSystemEntry[]) => void) =>
    done(left.splice(0, 2));
  return {
    ...base,
    file: (done: (file: File) => void) => done(new File(['x'], name)),
    createReader: () => ({ readEntries: readEntries([...(children ?? [])]) }),
  } as unknown as FileSystemEntry;
}

const drop = (...entries: FileSystemEntry[]) =>
  fromDrop({ items: entries.map((one) => ({ webkitGetAsEntry: () => one })) } as unknown as DataTransfer);

test('folders are walked, each file keeps its place', async () => {
  const { files, emptyFolders, truncated } = await drop(
    entry('a.txt'),
    entry('tree', [entry('b'), entry('c'), entry('d', [entry('e')]), entry('hollow', [])]),
  );
  expect(files.map(({ relative }) => relative).sort()).toEqual(['a.txt', 'tree/b', 'tree/c', 'tree/d/e']);
  expect(emptyFolders).toEqual(['tree/hollow']);
  expect(truncated).toBe(false);
});

test('a folder without an end is cut', async () => {
  const endless: FileSystemEntry = entry('loop', []);
  Object.assign(endless, {
    createReader: () => {
      let given = false;
      const readEntries = (done: (some: FileSystemEntry[]) => void) => {
        done(given ? [] : [endless]);
        given = true;
      };
      return { readEntries };
    },
  });
  expect((await drop(endless)).truncated).toBe(true);
});

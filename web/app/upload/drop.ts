/** Turns what a person dropped or chose into files with their place below the open folder. */

import type { Picked } from './uploads';

/** A whole disk dropped by mistake must not freeze the page. */
export const FILES_MAX = 20_000;
const DEPTH_MAX = 64;

export interface Dropped {
  files: Picked[];
  /** Folders with nothing in them. */
  emptyFolders: string[];
  /** There was more than `FILES_MAX`. */
  truncated: boolean;
}

export function fromInput(list: FileList): Dropped {
  const all = Array.from(list, (file): Picked => ({ file, relative: file.webkitRelativePath || file.name }));
  return { files: all.slice(0, FILES_MAX), emptyFolders: [], truncated: all.length > FILES_MAX };
}

/** Must be called within the drop event: the browser empties the list when the event is over. */
export function fromDrop(transfer: DataTransfer): Promise<Dropped> {
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry()).filter(
    (entry) => entry !== null,
  );
  return entries.length > 0 ? walk(entries) : Promise.resolve(fromInput(transfer.files));
}

async function walk(entries: FileSystemEntry[]): Promise<Dropped> {
  const dropped: Dropped = { files: [], emptyFolders: [], truncated: false };
  const open = entries.map((entry) => ({ entry, prefix: '', depth: 0 }));
  for (let next = open.shift(); next; next = open.shift()) {
    const relative = `${next.prefix}${next.entry.name}`;
    if (dropped.files.length >= FILES_MAX || next.depth > DEPTH_MAX) {
      dropped.truncated = true;
      break;
    }
    if (isFile(next.entry)) {
      dropped.files.push({ file: await fileOf(next.entry), relative });
    } else if (isFolder(next.entry)) {
      const children = await childrenOf(next.entry);
      if (children.length === 0) dropped.emptyFolders.push(relative);
      for (const entry of children) open.push({ entry, prefix: `${relative}/`, depth: next.depth + 1 });
    }
  }
  return dropped;
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isFolder(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

/** The browser hands out a folder in pieces and says "done" with an empty one. */
async function childrenOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const piece = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (piece.length === 0 || all.length >= FILES_MAX) return all;
    all.push(...piece);
  }
}

import type { Entry } from '../api/types';

export type SortColumn = 'name' | 'size' | 'modified' | 'redundancy';

export interface Sort {
  column: SortColumn;
  descending: boolean;
}

export const BY_NAME: Sort = { column: 'name', descending: false };

const NAMES = new Intl.Collator(undefined, { numeric: true });

/** Folders stay first in every order; equal rows fall back to their names. */
export function sorted(entries: readonly Entry[], sort: Sort): Entry[] {
  const sign = sort.descending ? -1 : 1;
  return [...entries].sort((a, b) => {
    if (a.kind !== b.kind) return a.kind === 'folder' ? -1 : 1;
    return sign * compare(a, b, sort.column) || NAMES.compare(a.name, b.name);
  });
}

function compare(a: Entry, b: Entry, column: SortColumn): number {
  switch (column) {
    case 'name':
      return NAMES.compare(a.name, b.name);
    case 'modified':
      return Date.parse(a.modified_at) - Date.parse(b.modified_at);
    case 'size':
      return a.kind === 'file' && b.kind === 'file' ? a.size - b.size : 0;
    case 'redundancy':
      return a.kind === 'file' && b.kind === 'file' ? (a.redundancy ?? 0) - (b.redundancy ?? 0) : 0;
  }
}

export function nextSort(sort: Sort, column: SortColumn): Sort {
  if (sort.column !== column) return { column, descending: false };
  return { column, descending: !sort.descending };
}

/** The order is part of the address, so that it can be kept and sent: `size`, `-size`. */
export function sortFrom(value: string | undefined): Sort {
  const descending = value?.startsWith('-') ?? false;
  const column = descending ? value?.slice(1) : value;
  if (column === 'name' || column === 'size' || column === 'modified' || column === 'redundancy') {
    return { column, descending };
  }
  return BY_NAME;
}

export function sortTo(sort: Sort): string | undefined {
  if (sort.column === 'name' && !sort.descending) return undefined;
  return sort.descending ? `-${sort.column}` : sort.column;
}

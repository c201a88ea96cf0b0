import type { Entry } from '../api/types';

/** Which question the files page asks just now. */
export type Dialog =
  | { name: 'mkdir'; folder: string }
  | { name: 'rename'; entry: Entry }
  | { name: 'move'; paths: string[] };

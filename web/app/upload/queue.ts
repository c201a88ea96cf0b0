/** The list of uploads as a value: what may be sent next, what each answer changes, what is left. No IO. */

/** More connections than this make one browser slower, not faster (it opens six to a host, and pages need some). */
export const SENDING_MAX = 3;

export type UploadState =
  | { name: 'waiting' }
  | { name: 'sending'; sent: number }
  | { name: 'done'; redundancy: number | undefined }
  | { name: 'conflict' }
  | { name: 'failed'; reason: string }
  | { name: 'skipped' }
  | { name: 'cancelled' };

export interface Upload {
  id: number;
  path: string;
  size: number;
  /** Names this one wish to store these bytes, so that a repeated request is done once. */
  key: string;
  /** The person has said that what is there may go. */
  replace: boolean;
  state: UploadState;
}

/** What to do with names that are taken; `ask` until the person decides for all. */
export type ConflictRule = 'ask' | 'replace' | 'skip';

export interface Queue {
  uploads: readonly Upload[];
  rule: ConflictRule;
}

export const EMPTY: Queue = { uploads: [], rule: 'ask' };

export type Action =
  | { type: 'add'; uploads: Pick<Upload, 'id' | 'path' | 'size' | 'key'>[] }
  | { type: 'begin'; id: number }
  | { type: 'progress'; id: number; sent: number }
  | { type: 'stored'; id: number; redundancy: number | undefined }
  | { type: 'taken'; id: number; newKey: string }
  | { type: 'fail'; id: number; reason: string }
  | { type: 'replace'; id: number }
  | { type: 'skip'; id: number }
  | { type: 'decide'; rule: 'replace' | 'skip' }
  | { type: 'cancel'; id: number }
  | { type: 'cancel_all' }
  | { type: 'retry' }
  | { type: 'clear' };

export function reduce(queue: Queue, action: Action): Queue {
  switch (action.type) {
    case 'add':
      return add(queue, action.uploads);
    case 'begin':
      return become(queue, action.id, ['waiting'], { name: 'sending', sent: 0 });
    case 'progress':
      return become(queue, action.id, ['sending'], { name: 'sending', sent: action.sent });
    case 'stored':
      return become(queue, action.id, ['sending'], { name: 'done', redundancy: action.redundancy });
    case 'fail':
      return become(queue, action.id, ['sending'], { name: 'failed', reason: action.reason });
    case 'taken':
      return change(queue, (upload) =>
        upload.id === action.id ? taken(upload, queue.rule, action.newKey) : upload,
      );
    case 'replace':
      return change(queue, (upload) => (upload.id === action.id ? resolve(upload, 'replace') : upload));
    case 'skip':
      return change(queue, (upload) => (upload.id === action.id ? resolve(upload, 'skip') : upload));
    case 'decide':
      return { ...change(queue, (upload) => resolve(upload, action.rule)), rule: action.rule };
    case 'cancel':
      return become(queue, action.id, ['waiting', 'sending', 'conflict', 'failed'], { name: 'cancelled' });
    case 'cancel_all':
      return change(queue, (upload) =>
        isOver(upload) ? upload : { ...upload, state: { name: 'cancelled' } },
      );
    case 'retry':
      return change(queue, (upload) =>
        upload.state.name === 'failed' ? { ...upload, state: { name: 'waiting' } } : upload,
      );
    case 'clear':
      return { uploads: queue.uploads.filter((upload) => !isOver(upload)), rule: queue.rule };
  }
}

/** What to send now, in order, so that no more than `SENDING_MAX` are under way. */
export function nextToSend(queue: Queue): Upload[] {
  let free = SENDING_MAX;
  for (const upload of queue.uploads) if (upload.state.name === 'sending') free -= 1;
  const next: Upload[] = [];
  for (const upload of queue.uploads) {
    if (next.length >= free) break;
    if (upload.state.name === 'waiting') next.push(upload);
  }
  return next;
}

export function nextConflict(queue: Queue): Upload | undefined {
  return queue.uploads.find((upload) => upload.state.name === 'conflict');
}

export interface Totals {
  files: number;
  finished: number;
  failed: number;
  conflicts: number;
  bytes: number;
  sent: number;
  active: boolean;
}

/** Cancelled and skipped files count no bytes: what will not be sent must not hold the bar below its end. */
export function totalsOf(queue: Queue): Totals {
  const totals = { files: 0, finished: 0, failed: 0, conflicts: 0, bytes: 0, sent: 0, active: false };
  for (const { size, state } of queue.uploads) {
    if (state.name === 'cancelled' || state.name === 'skipped') continue;
    totals.files += 1;
    totals.bytes += size;
    if (state.name === 'done') {
      totals.finished += 1;
      totals.sent += size;
    }
    if (state.name === 'sending') totals.sent += Math.min(state.sent, size);
    if (state.name === 'failed') totals.failed += 1;
    if (state.name === 'conflict') totals.conflicts += 1;
    if (state.name === 'sending' || state.name === 'waiting') totals.active = true;
  }
  return totals;
}

const SHOWN_MAX = 100;

/** The rows worth showing, those that need a person or move first, and how many are left out. */
export function rowsToShow(queue: Queue): { rows: Upload[]; hidden: number } {
  const order: UploadState['name'][] = [
    'conflict',
    'failed',
    'sending',
    'waiting',
    'done',
    'skipped',
    'cancelled',
  ];
  const rank = new Map(order.map((name, index) => [name, index]));
  if (queue.uploads.length <= SHOWN_MAX) return { rows: [...queue.uploads], hidden: 0 };
  const sorted = [...queue.uploads].sort(
    (a, b) => (rank.get(a.state.name) ?? 0) - (rank.get(b.state.name) ?? 0),
  );
  return { rows: sorted.slice(0, SHOWN_MAX), hidden: queue.uploads.length - SHOWN_MAX };
}

function isOver({ state }: Upload): boolean {
  return state.name === 'done' || state.name === 'skipped' || state.name === 'cancelled';
}

function add(queue: Queue, added: Pick<Upload, 'id' | 'path' | 'size' | 'key'>[]): Queue {
  // A decision "for all" was about the batch in which it was made.
  const rule = queue.uploads.every(isOver) ? 'ask' : queue.rule;
  const fresh = added.map((upload): Upload => ({ ...upload, replace: false, state: { name: 'waiting' } }));
  return { uploads: [...queue.uploads, ...fresh], rule };
}

/** The name is taken. A later attempt asks for something else (to replace), so it gets a key of its own. */
function taken(upload: Upload, rule: ConflictRule, key: string): Upload {
  if (upload.state.name !== 'sending') return upload;
  const waiting: Upload = { ...upload, key, state: { name: 'conflict' } };
  return rule === 'ask' ? waiting : resolve(waiting, rule);
}

function resolve(upload: Upload, rule: 'replace' | 'skip'): Upload {
  if (upload.state.name !== 'conflict') return upload;
  return rule === 'skip'
    ? { ...upload, state: { name: 'skipped' } }
    : { ...upload, replace: true, state: { name: 'waiting' } };
}

/** Answers may come late: an upload that is not in one of the `from` states any more stays as it is. */
function become(queue: Queue, id: number, from: UploadState['name'][], state: UploadState): Queue {
  return change(queue, (upload) =>
    upload.id === id && from.includes(upload.state.name) ? { ...upload, state } : upload,
  );
}

function change(queue: Queue, by: (upload: Upload) => Upload): Queue {
  return { ...queue, uploads: queue.uploads.map(by) };
}

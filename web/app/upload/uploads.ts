/** Drives the queue: starts what may start, brings each answer back, tells those who watch. */

import { hasCode, send } from '../api/client';
import { url } from '../api/paths';
import { newKey } from './key';
import { type Action, EMPTY, nextToSend, type Queue, reduce, totalsOf, type Upload } from './queue';
import { addSample, bytesPerSecond, type Sample } from './speed';
import { type Outcome, sendFile } from './transfer';

/** A file to send, and where below the open folder it belongs (`photos/2024/a.jpg`). */
export interface Picked {
  file: File;
  relative: string;
}

async function postFolder(path: string): Promise<void> {
  try {
    await send(url.folder(path), { method: 'POST' });
  } catch (error) {
    if (!hasCode(error, 'exists')) throw error;
  }
}

/** Progress arrives far more often than anyone can read it. */
const PROGRESS_EVERY_MS = 100;

interface Options {
  onStored?: (path: string) => void;
  /** Tests bring their own wire. */
  send?: typeof sendFile;
  makeFolder?: (path: string) => Promise<void>;
}

export class Uploads {
  #queue: Queue = EMPTY;
  #samples: Sample[] = [];
  #nextId = 1;
  readonly #files = new Map<number, Blob>();
  readonly #running = new Map<number, AbortController>();
  readonly #watchers = new Set<() => void>();
  readonly #options: Required<Options>;

  constructor(options: Options = {}) {
    this.#options = { onStored: () => {}, send: sendFile, makeFolder: postFolder, ...options };
  }

  subscribe = (watcher: () => void) => {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  };

  queue = () => this.#queue;

  speed = () => bytesPerSecond(this.#samples);

  add(folder: string, picked: Picked[]) {
    const base = folder === '/' ? '' : folder;
    const uploads = picked.map(({ file, relative }) => {
      const id = this.#nextId++;
      this.#files.set(id, file);
      return { id, path: `${base}/${relative}`, size: file.size, key: newKey() };
    });
    this.#act({ type: 'add', uploads });
    this.#pump();
  }

  /** Folders that were dropped with nothing in them exist only if someone makes them. */
  addFolders(folder: string, relatives: string[]) {
    const base = folder === '/' ? '' : folder;
    return Promise.all(relatives.map((relative) => this.#options.makeFolder(`${base}/${relative}`)));
  }

  cancel(id: number) {
    this.#act({ type: 'cancel', id });
    this.#running.get(id)?.abort();
    this.#pump();
  }

  cancelAll() {
    this.#act({ type: 'cancel_all' });
    for (const controller of this.#running.values()) controller.abort();
  }

  replace = (id: number) => this.#actAndPump({ type: 'replace', id });
  skip = (id: number) => this.#actAndPump({ type: 'skip', id });
  decide = (rule: 'replace' | 'skip') => this.#actAndPump({ type: 'decide', rule });
  retry = () => this.#actAndPump({ type: 'retry' });

  clear() {
    this.#act({ type: 'clear' });
    const left = new Set(this.#queue.uploads.map((upload) => upload.id));
    for (const id of this.#files.keys()) if (!left.has(id)) this.#files.delete(id);
  }

  #actAndPump(action: Action) {
    this.#act(action);
    this.#pump();
  }

  #pump() {
    for (const upload of nextToSend(this.#queue)) {
      this.#act({ type: 'begin', id: upload.id });
      void this.#run(upload);
    }
  }

  async #run(upload: Upload) {
    const controller = new AbortController();
    this.#running.set(upload.id, controller);
    const outcome = await this.#attempt(upload, controller.signal);
    this.#running.delete(upload.id);
    this.#settle(upload, outcome);
    this.#pump();
  }

  async #attempt(upload: Upload, signal: AbortSignal): Promise<Outcome> {
    const file = this.#files.get(upload.id);
    if (!file) return { name: 'aborted' };
    return this.#options.send({ upload, file, signal, onProgress: this.#throttled(upload.id) });
  }

  #throttled(id: number) {
    let shownAt = 0;
    return (sent: number) => {
      const now = performance.now();
      if (now - shownAt < PROGRESS_EVERY_MS) return;
      shownAt = now;
      this.#act({ type: 'progress', id, sent });
    };
  }

  #settle({ id, path }: Upload, outcome: Outcome) {
    switch (outcome.name) {
      case 'stored':
        this.#files.delete(id);
        this.#options.onStored(path);
        return this.#act({ type: 'stored', id, redundancy: outcome.redundancy });
      case 'taken':
        return this.#act({ type: 'taken', id, newKey: newKey() });
      case 'failed':
        return this.#act({ type: 'fail', id, reason: outcome.reason });
      case 'aborted':
        return this.#act({ type: 'cancel', id });
    }
  }

  #act(action: Action) {
    this.#queue = reduce(this.#queue, action);
    const { active, sent } = totalsOf(this.#queue);
    this.#samples = active ? addSample(this.#samples, { at: performance.now(), bytes: sent }) : [];
    for (const watcher of this.#watchers) watcher();
  }
}

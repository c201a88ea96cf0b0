/** One upload on the wire. XMLHttpRequest, because `fetch` can't tell how much of a body has gone. */

import { ApiError, problemFrom, request } from '../api/client';
import { url } from '../api/paths';
import type { File as StoredFile } from '../api/types';
import { text } from '../text';
import type { Upload } from './queue';

export type Outcome =
  | { name: 'stored'; redundancy: number | undefined }
  | { name: 'taken' }
  | { name: 'failed'; reason: string }
  | { name: 'aborted' };

/** From this size on it is worth asking whether the name is free before the bytes go. */
const ASK_FIRST_BYTES = 1 << 20;

interface Sending {
  upload: Upload;
  file: Blob;
  signal: AbortSignal;
  onProgress: (sent: number) => void;
}

export async function sendFile(sending: Sending): Promise<Outcome> {
  const { upload, file, signal } = sending;
  try {
    if (!upload.replace && file.size >= ASK_FIRST_BYTES && (await isTaken(upload.path, signal))) {
      return { name: 'taken' };
    }
    return await put(sending);
  } catch (error) {
    if (signal.aborted) return { name: 'aborted' };
    return { name: 'failed', reason: error instanceof Error ? error.message : text.errors.unexpected };
  }
}

async function isTaken(path: string, signal: AbortSignal): Promise<boolean> {
  try {
    await request(url.file(path), { signal });
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.problem.status === 404) return false;
    throw error;
  }
}

function put({ upload, file, signal, onProgress }: Sending): Promise<Outcome> {
  return new Promise((resolve) => {
    const call = new XMLHttpRequest();
    const abort = () => call.abort();
    const finish = (outcome: Outcome) => {
      signal.removeEventListener('abort', abort);
      resolve(outcome);
    };
    call.open('PUT', url.content(upload.path));
    if (!upload.replace) call.setRequestHeader('If-None-Match', '*');
    call.setRequestHeader('Idempotency-Key', upload.key);
    call.upload.onprogress = (event) => onProgress(event.loaded);
    call.onload = () => finish(outcomeOf(call.status, call.responseText, upload.replace));
    call.onerror = () => finish({ name: 'failed', reason: text.errors.interrupted });
    call.onabort = () => finish({ name: 'aborted' });
    signal.addEventListener('abort', abort);
    if (signal.aborted) return finish({ name: 'aborted' });
    call.send(file);
  });
}

/** A name that cannot be replaced (a folder has it) is no question any more: asking again would never end. */
export function outcomeOf(status: number, body: string, replacing: boolean): Outcome {
  if (status === 200 || status === 201) {
    // The API's description promises a file here.
    return { name: 'stored', redundancy: (JSON.parse(body) as StoredFile).redundancy };
  }
  const problem = problemFrom(status, body);
  if (!replacing && (status === 412 || problem.code === 'exists')) return { name: 'taken' };
  return { name: 'failed', reason: problem.detail || problem.title };
}

/** Tags by a file's name alone: enough for a page to have something to show. */

import type { Tagging } from '../api/types';

const MEDIA_TYPES: Record<string, string> = {
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  png: 'image/png',
  pdf: 'application/pdf',
  md: 'text/markdown',
  txt: 'text/plain',
  csv: 'text/csv',
  html: 'text/html',
  json: 'application/json',
  mp3: 'audio/mpeg',
  wav: 'audio/wav',
  flac: 'audio/flac',
  mp4: 'video/mp4',
  gz: 'application/gzip',
  zip: 'application/zip',
};

export function tag(name: string, kind: string, evidence: string, score: number): Tagging {
  return {
    name,
    kind,
    source: 'builtin',
    version: '1',
    score,
    evidence,
    state: score >= 0.9 ? 'confirmed' : 'suggested',
  };
}

export function mediaTypeOf(path: string): string {
  return MEDIA_TYPES[extensionOf(path)] ?? 'application/octet-stream';
}

export function guessTags(path: string): Tagging[] {
  const extension = extensionOf(path);
  const type = mediaTypeOf(path).split('/')[0] ?? '';
  const kind = type === 'application' ? (extension === 'pdf' ? 'document' : 'archive') : type;
  const tags = [tag(kind, 'type', 'magic bytes', 1)];
  if (extension) tags.push(tag(extension === 'jpg' ? 'jpeg' : extension, 'format', 'magic bytes', 1));
  if (kind === 'text' || kind === 'document') {
    const language = /\p{Script=Han}/u.test(path) ? 'chinese' : 'english';
    tags.push(tag(language, 'language', 'trigrams of the text', 0.87));
  }
  return tags;
}

function extensionOf(path: string): string {
  const dot = path.lastIndexOf('.');
  return dot > path.lastIndexOf('/') + 1 ? path.slice(dot + 1).toLowerCase() : '';
}

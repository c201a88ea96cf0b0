/** Paths as this page handles them: absolute, `/` between names, no slash at the end but for the root. */

export const ROOT = '/';

export function join(folder: string, name: string): string {
  return folder === ROOT ? `/${name}` : `${folder}/${name}`;
}

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || ROOT;
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export interface Crumb {
  name: string;
  path: string;
}

/** Every folder from below the root down to `path` itself. */
export function crumbsOf(path: string): Crumb[] {
  const names = path.split('/').filter(Boolean);
  return names.map((name, index) => ({ name, path: `/${names.slice(0, index + 1).join('/')}` }));
}

/** Brings an address typed by hand into the form above. */
export function normalize(path: string): string {
  return `/${path.split('/').filter(Boolean).join('/')}`;
}

export type NameFault = 'empty' | 'slash' | 'dots' | 'control' | 'long';

const NAME_BYTES_MAX = 255;

/** What is wrong with a name for a file or folder, before the server is asked. */
export function faultOf(name: string): NameFault | null {
  if (name.trim() === '') return 'empty';
  if (name.includes('/')) return 'slash';
  if (name === '.' || name === '..') return 'dots';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name)) return 'control';
  return new TextEncoder().encode(name).length > NAME_BYTES_MAX ? 'long' : null;
}

export function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === ROOT ? ROOT : `${folder}/`);
}

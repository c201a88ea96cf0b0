import { describe, expect, test } from 'vitest';
import { encodePath, url } from './paths';

const check = (path: string, expected: string) => expect(encodePath(path)).toBe(expected);

describe('a path in an address', () => {
  test('the root is one slash', () => check('/', '/'));
  test('spaces and percent signs are encoded', () => check('/a b/100%.txt', '/a%20b/100%25.txt'));
  test('marks that would end a path are encoded', () => check('/a?b/c#d', '/a%3Fb/c%23d'));
  test('Chinese and emoji are encoded as UTF-8', () => check('/夜/🌲', '/%E5%A4%9C/%F0%9F%8C%B2'));
  test('half a surrogate pair does not throw', () => check('/\ud800', '/%EF%BF%BD'));
  test('a file named tags is not the tags of a file', () => check('/a/tags', '/a/%74ags'));
  test('a folder named similar is a folder', () => check('/similar/x', '/%73imilar/x'));

  test('every name comes back as it was', () => {
    for (const name of ['tags', 'similar', '%74ags', '..x', 'a\\b', '"\'<>&', '\u0001', 'é', ' ']) {
      const encoded = encodePath(`/${name}`).slice(1);
      expect(decodeURIComponent(encoded)).toBe(name);
      expect(encoded).not.toContain('/');
    }
  });
});

describe('addresses', () => {
  test('a sub-resource keeps its plain name', () => {
    expect(url.fileTags('/tags')).toBe('/api/v1/files/%74ags/tags');
    expect(url.fileTag('/a', 'x/y', 'user')).toBe('/api/v1/files/a/tags/x%2Fy?kind=user');
  });
  test('nothing to say adds no question mark', () => {
    expect(url.folder('/', { cursor: null })).toBe('/api/v1/folders/');
    expect(url.events(null)).toBe('/api/v1/events');
    expect(url.events(0)).toBe('/api/v1/events?since=0');
  });
  test('a query is a value, whatever it holds', () => {
    expect(url.search({ q: 'a&b=c #x' })).toBe('/api/v1/search?q=a%26b%3Dc+%23x');
  });
  test('a dry run is asked for by name', () => {
    expect(url.nodeStop('n 1', { dry_run: true })).toBe('/api/v1/nodes/n%201/stop?dry_run=true');
    expect(url.nodeStop('n1')).toBe('/api/v1/nodes/n1/stop');
  });
});

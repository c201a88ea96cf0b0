/** The search of the mock: words, `tag:`, `type:`, `format:`, `path:`, NOT and OR without brackets. The server's has all. */

import type {
  Edge,
  File,
  FileVertex,
  RelatedTag,
  SimilarFile,
  TagCount,
  TagGraph,
  Tagging,
  TagVertex,
} from '../api/types';
import { filesOf, type Mock } from './state.ts';

type Test = (file: File) => boolean;

export function find(mock: Mock, query: string): File[] {
  const test = parse(query);
  return filesOf(mock)
    .filter(test)
    .sort((a, b) => a.path.localeCompare(b.path));
}

function parse(query: string): Test {
  const alternatives = query.replace(/[()]/g, ' ').split(/\sOR\s/);
  const tests = alternatives.map((part) => {
    const terms = part.match(/(?:NOT\s+)?(?:\w+:)?(?:"(?:[^"\\]|\\.)*"|[^\s"]+)/g) ?? [];
    const all = terms.filter((term) => term !== 'AND').map(parseTerm);
    return (file: File) => all.every((test) => test(file));
  });
  return (file) => tests.some((test) => test(file));
}

function parseTerm(term: string): Test {
  if (/^NOT\s/.test(term)) {
    const inner = parseTerm(term.replace(/^NOT\s+/, ''));
    return (file) => !inner(file);
  }
  const [, field = '', rest = ''] = /^(?:(\w+):)?(.*)$/s.exec(term) ?? [];
  const value = rest.replace(/^"|"$/g, '').replace(/\\(.)/g, '$1').toLowerCase();
  const tagged = (kind?: string) => (file: File) =>
    live(file).some((tag) => tag.name.toLowerCase() === value && (!kind || tag.kind === kind));
  switch (field) {
    case 'tag':
      return tagged();
    case 'type':
    case 'format':
      return tagged(field);
    case 'path':
      return (file) => file.path.toLowerCase().startsWith(value);
    case 'owner':
      return (file) => file.owner === value;
    case 'date':
      return (file) => file.modified_at.startsWith(value);
    case 'size':
      return sizeTest(value);
    default:
      return (file) => file.name.toLowerCase().includes(value) || tagged()(file);
  }
}

function sizeTest(value: string): Test {
  const [, sign = '', figure = '0', unit = ''] = /^([<>]?)([\d.]+)([kmg]?)b?$/.exec(value) ?? [];
  const limit = Number(figure) * ({ k: 1e3, m: 1e6, g: 1e9 }[unit] ?? 1);
  return (file) =>
    sign === '<' ? file.size < limit : sign === '>' ? file.size > limit : file.size === limit;
}

function live(file: File): Tagging[] {
  return (file.tags ?? []).filter((tag) => tag.state !== 'rejected');
}

export function tagCounts(files: readonly File[]): TagCount[] {
  const counts = new Map<string, TagCount>();
  for (const file of files) {
    for (const { name, kind } of live(file)) {
      const count = counts.get(`${kind}:${name}`) ?? { name, kind, files: 0 };
      count.files += 1;
      counts.set(`${kind}:${name}`, count);
    }
  }
  return [...counts.values()].sort((a, b) => b.files - a.files || a.name.localeCompare(b.name));
}

export function graphOf(mock: Mock, query: string, limit: number): TagGraph {
  const found = find(mock, query);
  const totals = new Map(tagCounts(filesOf(mock)).map((tag) => [`${tag.kind}:${tag.name}`, tag]));
  const files = found.slice(0, Math.floor(limit * 0.7));
  const nodes: (FileVertex | TagVertex)[] = [];
  const edges: Edge[] = [];
  const seen = new Set<string>();
  for (const { path, name, size, ...file } of files) {
    nodes.push({ id: `file:${path}`, type: 'file', label: name, path, size });
    for (const tag of live({ path, name, size, ...file })) {
      const key = `${tag.kind}:${tag.name}`;
      if (!seen.has(key)) {
        seen.add(key);
        nodes.push({
          id: `tag:${key}`,
          type: 'tag',
          label: tag.name,
          kind: tag.kind,
          files: totals.get(key)?.files ?? 0,
        });
      }
      edges.push({ source: `file:${path}`, target: `tag:${key}`, score: tag.score });
    }
  }
  return { nodes, edges, truncated: found.length > files.length };
}

export function relatedTo(mock: Mock, name: string, kind: string | null): RelatedTag[] {
  const carrying = filesOf(mock).filter((file) =>
    live(file).some((tag) => tag.name === name && (!kind || tag.kind === kind)),
  );
  return tagCounts(carrying)
    .filter((tag) => tag.name !== name || (kind !== null && tag.kind !== kind))
    .slice(0, 20)
    .map((tag) => ({ ...tag, score: tag.files / carrying.length }));
}

export function similarTo(mock: Mock, path: string): SimilarFile[] {
  const own = mock.entries.get(path);
  if (own?.kind !== 'file') return [];
  const tags = new Set(live(own).map((tag) => tag.name));
  return filesOf(mock)
    .filter((file) => file.path !== path)
    .map((file) => {
      const shared = live(file).flatMap((tag) => (tags.has(tag.name) ? [tag.name] : []));
      return {
        path: file.path,
        name: file.name,
        size: file.size,
        score: shared.length / (tags.size || 1),
        shared,
      };
    })
    .filter((file) => file.score >= 0.5)
    .sort((a, b) => b.score - a.score)
    .slice(0, 5);
}

/** One colour for each kind of tag, the same in chips and in the graph. Readable on light and dark alike. */

const COLORS: Record<string, string> = {
  type: '#4c8dff',
  format: '#2aa5b8',
  keyword: '#8f7bf0',
  language: '#d5749f',
  person: '#e07a3f',
  place: '#37a36b',
  date: '#b98b2f',
  camera: '#6f87a8',
  colour: '#c765c9',
  duration: '#5f9ea0',
  size: '#a08a72',
  user: '#e2574c',
};
const OTHER = '#8a8f98';

export function colorOfKind(kind: string): string {
  return COLORS[kind] ?? OTHER;
}

/** What people and content say of a file tells more than its format does. */
const BY_INTEREST = ['user', 'person', 'place', 'keyword', 'camera', 'type', 'date', 'language', 'format'];

/** The tags that tell most of a file first. */
export function byInterest<Told extends { kind: string; score: number }>(tags: readonly Told[]): Told[] {
  const rank = (tag: Told) => {
    const place = BY_INTEREST.indexOf(tag.kind);
    return place < 0 ? BY_INTEREST.length : place;
  };
  return [...tags].sort((a, b) => rank(a) - rank(b) || b.score - a.score);
}

/** A selected tag in the address: `format:jpeg`. Names may hold colons, kinds don't. */
export interface TagRef {
  kind: string;
  name: string;
}

export function tagRefFrom(value: string | undefined): TagRef | null {
  const colon = value?.indexOf(':') ?? -1;
  return value && colon > 0 ? { kind: value.slice(0, colon), name: value.slice(colon + 1) } : null;
}

export function tagRefTo(tag: TagRef): string {
  return `${tag.kind}:${tag.name}`;
}

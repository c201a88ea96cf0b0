/** The little of the search language that the page writes by itself. The server reads it. */

/** A word that needs no quotes. */
const PLAIN = /^[\p{L}\p{N}_-]+$/u;
const OPERATORS = new Set(['AND', 'OR', 'NOT']);

export function quoted(word: string): string {
  if (PLAIN.test(word) && !OPERATORS.has(word)) return word;
  return `"${word.replace(/[\\"]/g, (mark) => `\\${mark}`)}"`;
}

export function tagTerm(name: string): string {
  return `tag:${quoted(name)}`;
}

/** Narrows a query by one more term, unless it is already in it. */
export function narrowed(query: string, term: string): string {
  const trimmed = query.trim();
  if (trimmed === '') return term;
  if (trimmed.split(/\s+/).includes(term)) return trimmed;
  return /\sOR\s/.test(trimmed) ? `(${trimmed}) ${term}` : `${trimmed} ${term}`;
}

const LAST_WORD = /(^|[\s(])(?:tag:)?([^\s()":]+)$/;

/** What is being typed at the end of the query, where a tag's name may be offered. */
export function typedPrefix(query: string): string {
  const insideQuotes = query.split('"').length % 2 === 0;
  const word = LAST_WORD.exec(query)?.[2] ?? '';
  return insideQuotes || OPERATORS.has(word) ? '' : word;
}

/** The query with its last word replaced by the chosen tag. */
export function completed(query: string, tag: string): string {
  return `${query.replace(LAST_WORD, '$1')}${tagTerm(tag)} `;
}

/** The newest entries of a log that is told oldest first. */

import type { Transition } from './types';

export const TIMELINE_PAGE = 500;
const SHOWN = 12;
/** A long log is walked in more than one turn, so that no turn asks without end. */
const PAGES_MAX = 10;

type Ask = (after: number) => Promise<{ items: Transition[] }>;

/** Goes on behind what is known, and keeps the last entries, the newest first. */
export async function newest(known: readonly Transition[], ask: Ask): Promise<Transition[]> {
  let last = [...known].sort((a, b) => a.seq - b.seq);
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { items } = await ask(last.at(-1)?.seq ?? 0);
    last = [...last, ...items].slice(-SHOWN);
    if (items.length < TIMELINE_PAGE) break;
  }
  return last.reverse();
}

const FIRST_MS = 500;
const LONGEST_MS = 15_000;

/** How long to wait before the given attempt (from 0) to connect again; `random` in 0..1 keeps pages from coming back in step. */
export function backoffMs(attempt: number, random: number): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
  return full / 2 + (full / 2) * random;
}

/** How fast, and how long still. Pure: the caller brings the clock. */

export interface Sample {
  at: number;
  bytes: number;
}

const WINDOW_MS = 5_000;
/** Below this the figure would jump about. */
const SPAN_MIN_MS = 800;

/** Keeps what the window covers and one sample before it. A total that shrinks (something was cancelled) starts anew. */
export function addSample(samples: readonly Sample[], sample: Sample): Sample[] {
  const last = samples.at(-1);
  if (last && sample.bytes < last.bytes) return [sample];
  const kept = samples.filter((one, index) => {
    const following = samples[index + 1];
    return sample.at - one.at <= WINDOW_MS || (following && sample.at - following.at <= WINDOW_MS);
  });
  return [...kept, sample];
}

/** Bytes per second over the window, or nothing while there is too little to tell. */
export function bytesPerSecond(samples: readonly Sample[]): number | null {
  const first = samples[0];
  const last = samples.at(-1);
  if (!first || !last || last.at - first.at < SPAN_MIN_MS) return null;
  return ((last.bytes - first.bytes) * 1000) / (last.at - first.at);
}

export function secondsLeft(bytesLeft: number, speed: number | null): number | null {
  return speed ? bytesLeft / speed : null;
}

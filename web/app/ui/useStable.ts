import { useRef, useState } from 'react';

type Handlers = Record<string, (...parameters: never[]) => unknown>;

/** The same functions in every render, each doing what the latest render says: rows that did not change stay untouched. */
export function useStable<Given extends Handlers>(given: Given): Given {
  const latest = useRef(given);
  latest.current = given;
  const [stable] = useState(() => {
    const names = Object.keys(given) as (keyof Given)[];
    const forward =
      (name: keyof Given) =>
      (...parameters: never[]) =>
        latest.current[name]?.(...parameters);
    // Each function passes its parameters on unchanged, so the shape is the given one.
    return Object.fromEntries(names.map((name) => [name, forward(name)])) as Given;
  });
  return stable;
}

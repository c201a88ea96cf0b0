/** Which rows are ticked. Pure; Shift ticks all from the last one on. */

export interface Selection {
  paths: ReadonlySet<string>;
  anchor: string | null;
}

export const NOTHING: Selection = { paths: new Set(), anchor: null };

export function toggle(selection: Selection, path: string): Selection {
  const paths = new Set(selection.paths);
  if (!paths.delete(path)) paths.add(path);
  return { paths, anchor: path };
}

export function extend(selection: Selection, path: string, order: readonly string[]): Selection {
  const from = selection.anchor === null ? -1 : order.indexOf(selection.anchor);
  const to = order.indexOf(path);
  if (from < 0 || to < 0) return toggle(selection, path);
  const range = order.slice(Math.min(from, to), Math.max(from, to) + 1);
  return { paths: new Set([...selection.paths, ...range]), anchor: selection.anchor };
}

export function selectAll(order: readonly string[]): Selection {
  return { paths: new Set(order), anchor: null };
}

/** What is ticked and still there: a row that someone else removed is not acted on. */
export function present(selection: Selection, order: readonly string[]): string[] {
  return order.filter((path) => selection.paths.has(path));
}

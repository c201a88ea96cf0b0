/** The part of an address behind `?`, as plain text values: a folder named `1` or `true` stays a name. */

export function parseSearch(search: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(search));
}

export function stringifySearch(values: Record<string, unknown>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === 'string' && value !== '') parameters.set(name, value);
  }
  // Slashes and colons are harmless in a query, and paths read better with them.
  const text = parameters.toString().replaceAll('%2F', '/').replaceAll('%3A', ':');
  return text && `?${text}`;
}

/** Only the named values, and only as text. */
export function pick<Name extends string>(
  values: Record<string, unknown>,
  ...names: Name[]
): Partial<Record<Name, string>> {
  const picked: Partial<Record<Name, string>> = {};
  for (const name of names) {
    const value = values[name];
    if (typeof value === 'string' && value !== '') picked[name] = value;
  }
  return picked;
}

/** Where to go after signing in: a place on this page, never another host. */
export function localTarget(next: string | undefined): string {
  return next && /^\/(?![/\\])/.test(next) ? next : '/';
}

const KEY_BYTES = 16;

/** A fresh idempotency key. Not `crypto.randomUUID`: browsers offer that on https and localhost alone. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

//! Pure: the hash that binds a row of the log to all rows before it.

use super::Transition;

/// BLAKE3 of a row and of the hash before it.
pub(super) type Hash = [u8; 32];

/// What the first row hangs on.
pub(super) const GENESIS: Hash = [0; 32];

/// The hash of `row` behind a row of hash `prev`.
pub(super) fn link(prev: &Hash, row: &Transition) -> Hash {
    let mut hasher = blake3::Hasher::new_derive_key("asterism monitor transition v1");
    hasher.update(prev);
    hasher.update(&row.seq.to_le_bytes());
    hasher.update(&row.unix_ms.to_le_bytes());
    for text in [&row.kind, &row.subject, &row.from, &row.to, &row.cause, &row.actor, &row.detail] {
        // With its length, so that text cannot wander from one field into the next unseen.
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

//! What files hold: bytes that follow from a number, in sizes at which layouts change.

use crate::chance::Chance;
use asterism_erasure::{CELL_BYTES_MAX, Policy};
use bytes::Bytes;

/// Files up to this size are kept as copies.
const COPIES_BYTES_MAX: u64 = 32 << 10;

/// The content of one upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Content {
    /// No two uploads have the same.
    pub number: u64,
    /// How long it is.
    pub bytes: u64,
}

impl Content {
    /// A new content. Most are small; some lie at the edges of cells and stripes.
    pub fn draw(chance: &mut Chance, number: u64, policy: Policy) -> Self {
        let (cell, data) = (CELL_BYTES_MAX as u64, policy.data() as u64);
        let bytes = match chance.below(40) {
            0 => 0,
            1 => 1,
            2 => COPIES_BYTES_MAX,
            3 => COPIES_BYTES_MAX + 1,
            4 => cell * data + chance.below(3) - 1,
            5 => cell + chance.below(3) - 1,
            6 => cell * data * 2 + chance.within(1..100_000),
            7..=15 => chance.within(COPIES_BYTES_MAX..300_000),
            _ => chance.within(1..COPIES_BYTES_MAX),
        };
        Self { number, bytes }
    }

    /// All of it.
    pub fn make(self) -> Bytes {
        let mut bytes = vec![0; self.bytes as usize];
        blake3::Hasher::new().update(&self.number.to_le_bytes()).finalize_xof().fill(&mut bytes);
        bytes.into()
    }
}

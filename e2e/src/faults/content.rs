//! Contents that are made from a number, so that millions of bytes need no file.

use crate::faults::Chance;
use bytes::Bytes;
use sha2::{Digest, Sha256};

/// Lengths around every edge of the layout of policy `4+2`: nothing, one byte, a small file, a cell, a stripe.
pub const SIZES: &[u64] = &[
    0, 1, 4_095, 4_096, 32_768, 32_769, 100_000, 262_143, 262_144, 262_145, 1_048_575, 1_048_576, 1_048_577,
    2_621_441,
];

/// Bytes to store, and their SHA-256.
#[derive(Clone, Debug)]
pub struct Content {
    /// The bytes.
    pub bytes: Bytes,
    /// What must come back.
    pub digest: ContentDigest,
}

/// What a content is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentDigest {
    /// Length in bytes.
    pub size: u64,
    /// SHA-256.
    pub sha256: [u8; 32],
}

impl Content {
    /// `size` bytes that no other seed has.
    pub fn new(seed: u64, size: u64) -> Self {
        let mut chance = Chance::new(seed ^ (size << 40));
        let words = size.div_ceil(8);
        let mut bytes = Vec::with_capacity(words as usize * 8);
        (0..words).for_each(|_| bytes.extend_from_slice(&chance.number().to_le_bytes()));
        bytes.truncate(size as usize);
        let digest = ContentDigest::of(&bytes);
        Self { bytes: bytes.into(), digest }
    }

    /// A content of one of the usual awkward lengths.
    pub fn any(chance: &mut Chance) -> Self {
        let size = *chance.one_of(SIZES);
        Self::new(chance.number(), size)
    }
}

impl ContentDigest {
    /// Of bytes that are there.
    pub fn of(bytes: &[u8]) -> Self {
        Self { size: bytes.len() as u64, sha256: Sha256::digest(bytes).into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_has_its_length_and_its_seed() {
        for size in SIZES {
            assert_eq!(Content::new(1, *size).digest.size, *size);
        }
        assert_eq!(Content::new(1, 4_095).digest, Content::new(1, 4_095).digest);
        assert_ne!(Content::new(1, 4_095).digest, Content::new(2, 4_095).digest);
    }
}

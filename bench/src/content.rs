//! What is stored: noise that can be checked byte for byte when it comes back, made without copying.

use bytes::Bytes;
use std::sync::LazyLock;

/// Not a multiple of any block, page or cell size: a piece in the wrong place is other bytes.
const NOISE_BYTES: usize = (1 << 20) + 4099;
/// What is handed over at once.
pub(crate) const PIECE_BYTES: u64 = 256 << 10;
/// Distance of one file's begin from the next one's in the noise.
const FILE_STEP: u64 = 509;

static NOISE: LazyLock<Bytes> = LazyLock::new(|| {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let noise = (0..NOISE_BYTES).map(|_| {
        // xorshift64: no two blocks alike, nothing to compress.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    });
    noise.collect::<Vec<u8>>().into()
});

/// The content of one file: the noise again and again, from a place of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Content {
    begin: u64,
    pub(crate) bytes: u64,
}

impl Content {
    pub(crate) fn new(number: u64, bytes: u64) -> Self {
        Self { begin: number * FILE_STEP, bytes }
    }

    /// The bytes from `at` on, at most `most` and not beyond the end; empty at the end.
    pub(crate) fn piece(&self, at: u64, most: u64) -> Bytes {
        let from = ((self.begin + at) % NOISE_BYTES as u64) as usize;
        let length = self.bytes.saturating_sub(at).min(most).min((NOISE_BYTES - from) as u64) as usize;
        NOISE.slice(from..from + length)
    }

    /// Whether `bytes` are what stands at `at`.
    pub(crate) fn has(&self, mut at: u64, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let expected = self.piece(at, bytes.len() as u64);
            if expected.is_empty() || bytes[..expected.len()] != expected[..] {
                return false;
            }
            bytes = &bytes[expected.len()..];
            at += expected.len() as u64;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(content: Content) -> Vec<u8> {
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < content.bytes {
            bytes.extend(content.piece(bytes.len() as u64, PIECE_BYTES));
        }
        bytes
    }

    #[test]
    fn pieces_make_the_whole() {
        for length in [0, 1, 4096, NOISE_BYTES as u64, 3 * NOISE_BYTES as u64 + 7] {
            let content = Content::new(5, length);
            let bytes = whole(content);
            assert_eq!(bytes.len() as u64, length);
            assert!(content.has(0, &bytes), "{length}");
        }
    }

    #[test]
    fn a_flipped_bit_a_moved_piece_and_a_longer_file_are_seen() {
        let content = Content::new(0, 4 << 20);
        let mut bytes = whole(content);
        bytes[NOISE_BYTES + 17] ^= 1;
        assert!(!content.has(0, &bytes));
        assert!(!content.has(PIECE_BYTES, &content.piece(0, PIECE_BYTES)));
        assert!(!content.has(content.bytes, b"more"));
    }

    #[test]
    fn small_files_differ() {
        let files: std::collections::BTreeSet<Vec<u8>> =
            (0..3_000).map(|number| whole(Content::new(number, 64))).collect();
        assert_eq!(files.len(), 3_000);
    }
}

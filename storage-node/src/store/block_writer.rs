//! Bytes on their way to a file, in large parts that begin and end at blocks.

use super::aligned::Part;
use crate::disk::{BLOCK_BYTES, DiskFile};
use std::{io, sync::Arc};

/// Written at once.
pub(super) const PART_BYTES: usize = 1 << 20;
const _: () =
    assert!(PART_BYTES.is_multiple_of(BLOCK_BYTES) && PART_BYTES <= super::aligned::PART_CAPACITY_BYTES);

/// Writes a file from some block on.
pub(super) struct BlockWriter {
    file: Arc<dyn DiskFile>,
    part: Part,
    /// Where `part` belongs.
    at: u64,
}

impl BlockWriter {
    /// Begins at `at`, which is a block's beginning, with an empty `part`.
    pub(super) fn new(file: Arc<dyn DiskFile>, part: Part, at: u64) -> Self {
        Self { file, part, at }
    }

    /// Adds bytes; whole parts are written.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(PART_BYTES - self.part.len()));
            self.part.extend(now);
            bytes = rest;
            if self.part.len() == PART_BYTES {
                self.write()?;
            }
        }
        Ok(())
    }

    /// Where the next byte goes.
    pub(super) fn position(&self) -> u64 {
        self.at + self.part.len() as u64
    }

    /// Writes the rest, filled up to a block with zeros; where it ends.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.part.fill_block();
        if !self.part.is_empty() {
            self.write()?;
        }
        Ok(self.at)
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.write_at(&self.part, self.at)?;
        self.at += self.part.len() as u64;
        self.part.set_length(0);
        Ok(())
    }
}

//! Memory that a disk can be read into and written from past the page cache, used again and again.

use crate::disk::BLOCK_BYTES;
use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
};

/// A part of a shard, a cell more, and the rounding to blocks at both ends.
pub(super) const PART_CAPACITY_BYTES: usize = (1 << 20) + (256 << 10) + 4 * BLOCK_BYTES;
/// Kept for the next who needs one; more are given back to the system.
const IDLE_MAX: usize = 6;

/// Bytes that begin at a block's edge in memory.
#[derive(Debug)]
pub(super) struct Aligned {
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl Aligned {
    /// Empty, with room for `capacity` bytes.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        let memory = vec![0; capacity + BLOCK_BYTES];
        // Never moved from here on: the vector does not grow.
        let start = memory.as_ptr().align_offset(BLOCK_BYTES).min(BLOCK_BYTES);
        Self { memory, start, length: 0 }
    }

    /// How many bytes it can hold.
    pub(super) fn capacity(&self) -> usize {
        self.memory.len() - BLOCK_BYTES
    }

    /// Adds bytes, for which there is room.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        let end = self.start + self.length;
        self.memory[end..end + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    /// Makes it `length` bytes long; what is new holds anything.
    pub(super) fn set_length(&mut self, length: usize) {
        assert!(length <= self.capacity(), "{length} bytes do not fit");
        self.length = length;
    }

    /// Adds zeros up to the next block.
    pub(super) fn fill_block(&mut self) {
        let old = self.length;
        self.set_length(old.next_multiple_of(BLOCK_BYTES));
        self[old..].fill(0);
    }

    /// Takes the first `count` bytes away.
    pub(super) fn drop_front(&mut self, count: usize) {
        let (start, length) = (self.start, self.length);
        self.memory.copy_within(start + count..start + length, start);
        self.length = length - count;
    }
}

impl Deref for Aligned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.length]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.length]
    }
}

/// Buffers of [`PART_CAPACITY_BYTES`]; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool(Arc<Mutex<Vec<Aligned>>>);

impl Pool {
    /// An empty buffer, which comes back by itself.
    pub(super) fn take(&self) -> Part {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let buffer = idle.unwrap_or_else(|| Aligned::with_capacity(PART_CAPACITY_BYTES));
        Part { buffer: Some(buffer), pool: self.clone() }
    }
}

/// A buffer of a pool.
#[derive(Debug)]
pub(super) struct Part {
    /// None only while it is dropped.
    buffer: Option<Aligned>,
    pool: Pool,
}

impl Deref for Part {
    type Target = Aligned;

    fn deref(&self) -> &Aligned {
        self.buffer.as_ref().expect("a part has its buffer until it is dropped")
    }
}

impl DerefMut for Part {
    fn deref_mut(&mut self) -> &mut Aligned {
        self.buffer.as_mut().expect("a part has its buffer until it is dropped")
    }
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(mut buffer) = self.buffer.take() {
            buffer.set_length(0);
            let mut idle = self.pool.0.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < IDLE_MAX {
                idle.push(buffer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begins_at_a_block_and_keeps_what_is_left() {
        let mut buffer = Aligned::with_capacity(3 * BLOCK_BYTES);
        buffer.extend(&[7; BLOCK_BYTES + 5]);
        assert!((buffer.as_ptr() as usize).is_multiple_of(BLOCK_BYTES));
        buffer.drop_front(BLOCK_BYTES);
        assert_eq!(&buffer[..], [7; 5]);
        buffer.fill_block();
        assert_eq!((buffer.len(), buffer[4], buffer[5]), (BLOCK_BYTES, 7, 0));
    }

    #[test]
    fn a_part_comes_back_empty() {
        let pool = Pool::default();
        let mut part = pool.take();
        part.extend(b"left over");
        let at = part.as_ptr();
        drop(part);
        let again = pool.take();
        assert_eq!((again.as_ptr(), again.len()), (at, 0));
    }
}

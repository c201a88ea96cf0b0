//! Where the bytes of an extent are: in which stripe, in which cell, at which place of the shard.

use std::ops::Range;

use crate::Policy;

/// A cell is the unit of checksum and of range reads, so it also bounds how much a small read costs.
pub const CELL_BYTES_MAX: usize = 256 << 10;
/// An extent is coded and placed by itself; its size bounds what one repair moves.
pub const EXTENT_BYTES_MAX: u64 = 64 << 20;
// With cells of one byte and one data shard, every stripe still has a 32-bit number.
const _: () = assert!(EXTENT_BYTES_MAX <= u32::MAX as u64);

const CACHE_LINE_BYTES: usize = 64;
const SKEW_BYTES: usize = 5 * CACHE_LINE_BYTES;

/// How far apart cells should begin in a buffer that holds a stripe.
///
/// Cells at distances of a power of two compete for the same few places of the cache; a wide code loses up to a third of its
/// speed that way.
pub const fn cell_stride(cell_bytes: usize) -> usize {
    cell_bytes.next_multiple_of(CACHE_LINE_BYTES) + SKEW_BYTES
}

/// The layout of one extent: a run of stripes, each of `k` data cells and `m` parity cells of one size.
///
/// All stripes but the last are full. In the last one every cell is `ceil(rest / k)` bytes and the data is padded with
/// zeros to fill them. An extent of 0 bytes has no stripe. A stripe that doesn't exist is empty in every respect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    policy: Policy,
    cell_bytes: usize,
    extent_bytes: u64,
}

/// Why there is no such layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// The cell is empty or too large.
    #[error("a cell has 1 to {CELL_BYTES_MAX} bytes, not {0}")]
    CellBytes(usize),
    /// The extent is too large.
    #[error("an extent has at most {EXTENT_BYTES_MAX} bytes, not {0}")]
    ExtentBytes(u64),
}

impl Layout {
    /// The layout of `extent_bytes` bytes under `policy`, in cells of `cell_bytes`.
    pub const fn new(policy: Policy, cell_bytes: usize, extent_bytes: u64) -> Result<Self, LayoutError> {
        if cell_bytes == 0 || cell_bytes > CELL_BYTES_MAX {
            return Err(LayoutError::CellBytes(cell_bytes));
        }
        if extent_bytes > EXTENT_BYTES_MAX {
            return Err(LayoutError::ExtentBytes(extent_bytes));
        }
        Ok(Self { policy, cell_bytes, extent_bytes })
    }

    /// The policy of the extent.
    pub const fn policy(&self) -> Policy {
        self.policy
    }

    /// Bytes of content.
    pub const fn extent_bytes(&self) -> u64 {
        self.extent_bytes
    }

    /// Bytes of a cell in every stripe but the last.
    pub const fn full_cell_bytes(&self) -> usize {
        self.cell_bytes
    }

    /// Content bytes of every stripe but the last.
    pub const fn full_stripe_bytes(&self) -> usize {
        self.policy.data() * self.cell_bytes
    }

    /// How many stripes the extent has.
    pub const fn stripes(&self) -> u32 {
        self.extent_bytes.div_ceil(self.full_stripe_bytes() as u64) as u32
    }

    /// How many cells each shard has: one in every stripe.
    pub const fn cells(&self) -> u32 {
        self.stripes()
    }

    /// Where stripe `stripe` begins in the extent; the extent's end for a stripe past the last.
    pub fn stripe_start(&self, stripe: u32) -> u64 {
        (u64::from(stripe) * self.full_stripe_bytes() as u64).min(self.extent_bytes)
    }

    /// Content bytes of stripe `stripe`, without padding.
    pub fn stripe_bytes(&self, stripe: u32) -> usize {
        let rest = self.extent_bytes - self.stripe_start(stripe);
        rest.min(self.full_stripe_bytes() as u64) as usize
    }

    /// Bytes of each cell of stripe `stripe`.
    pub fn cell_bytes(&self, stripe: u32) -> usize {
        self.stripe_bytes(stripe).div_ceil(self.policy.data())
    }

    /// Where cell `stripe` begins in its shard; the shard's end for a cell past the last.
    pub fn cell_start(&self, stripe: u32) -> u64 {
        if stripe < self.stripes() { u64::from(stripe) * self.cell_bytes as u64 } else { self.shard_bytes() }
    }

    /// Bytes of one shard: of all its cells, without what a store adds around them.
    pub fn shard_bytes(&self) -> u64 {
        match self.stripes().checked_sub(1) {
            Some(last) => u64::from(last) * self.cell_bytes as u64 + self.cell_bytes(last) as u64,
            None => 0,
        }
    }

    /// Which content of stripe `stripe` the cell of `slot` holds, counted from the stripe's start: the rest of the cell is
    /// padding. Empty for a parity slot.
    pub fn cell_content(&self, stripe: u32, slot: usize) -> Range<usize> {
        let content = self.stripe_bytes(stripe);
        if slot >= self.policy.data() {
            return content..content;
        }
        let cell = self.cell_bytes(stripe);
        (slot * cell).min(content)..((slot + 1) * cell).min(content)
    }

    /// The stripe that holds the byte at `offset` of the extent, or `None` past its end.
    pub fn stripe_of(&self, offset: u64) -> Option<u32> {
        (offset < self.extent_bytes).then(|| (offset / self.full_stripe_bytes() as u64) as u32)
    }

    /// The stripes that hold `bytes` of the extent. What lies past the extent's end is ignored.
    pub fn stripe_range(&self, bytes: Range<u64>) -> Range<u32> {
        let end = bytes.end.min(self.extent_bytes);
        if bytes.start >= end {
            return 0..0;
        }
        let stripe = self.full_stripe_bytes() as u64;
        (bytes.start / stripe) as u32..end.div_ceil(stripe) as u32
    }
}

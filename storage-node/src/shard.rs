//! What a shard is, to everyone in this process: a key, a layout, and the identity that its cells are bound to.

use asterism_erasure::{CellIdentity, Layout, LayoutError, Policy, SHARDS_MAX};
use asterism_proto::{ClusterId, ExtentId};
use std::{fmt, ops::Range};

/// Which shard: one slot of one extent. Keys are ordered by extent, then slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardKey {
    extent: ExtentId,
    slot: u8,
}

impl ShardKey {
    /// The shard in `slot` of `extent`, or `None` where no policy has such a slot.
    pub fn new(extent: ExtentId, slot: u32) -> Option<Self> {
        let slot = u8::try_from(slot).ok().filter(|slot| usize::from(*slot) < SHARDS_MAX)?;
        Some(Self { extent, slot })
    }

    /// The extent.
    pub fn extent(self) -> ExtentId {
        self.extent
    }

    /// The slot, below `SHARDS_MAX`.
    pub fn slot(self) -> u8 {
        self.slot
    }
}

impl fmt::Display for ShardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.extent.simple(), self.slot)
    }
}

/// A shard before its length is known: what the writer says of it first.
///
/// Holds `slot < policy.total()` and a cell size that layouts allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardHead {
    key: ShardKey,
    policy: Policy,
    cell_bytes: usize,
    epoch: u64,
}

/// Why a shard cannot be as its writer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The slot is outside of the policy.
    #[error("slot {slot} is outside of policy {policy}")]
    Slot {
        /// As given.
        slot: u8,
        /// As given.
        policy: Policy,
    },
    /// Sizes that no layout has.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

impl ShardHead {
    /// Checked once, here.
    ///
    /// # Errors
    /// The slot is outside of the policy, or no layout has such cells.
    pub fn new(key: ShardKey, policy: Policy, cell_bytes: usize, epoch: u64) -> Result<Self, ShapeError> {
        if usize::from(key.slot) >= policy.total() {
            return Err(ShapeError::Slot { slot: key.slot, policy });
        }
        Layout::new(policy, cell_bytes, 0)?;
        Ok(Self { key, policy, cell_bytes, epoch })
    }

    /// Which shard.
    pub fn key(&self) -> ShardKey {
        self.key
    }

    /// The writer's epoch, when it wrote.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Size of a full cell.
    pub fn cell_bytes(&self) -> usize {
        self.cell_bytes
    }

    /// The whole shard, now that the extent's length is known.
    ///
    /// # Errors
    /// No extent is that long.
    pub fn complete(self, extent_bytes: u64) -> Result<Shard, ShapeError> {
        let layout = Layout::new(self.policy, self.cell_bytes, extent_bytes)?;
        Ok(Shard { key: self.key, layout, epoch: self.epoch })
    }

    /// What its cells' checksums are bound to.
    pub fn identity(&self, cluster: ClusterId) -> CellIdentity {
        identity(cluster, self.key, self.policy)
    }
}

/// A whole shard of this node's cluster.
///
/// Holds `slot < layout.policy().total()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    key: ShardKey,
    layout: Layout,
    epoch: u64,
}

impl Shard {
    /// Which shard.
    pub fn key(&self) -> ShardKey {
        self.key
    }

    /// Where its cells are.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The writer's epoch, when it wrote.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What its cells' checksums are bound to.
    pub fn identity(&self, cluster: ClusterId) -> CellIdentity {
        identity(cluster, self.key, self.layout.policy())
    }

    /// The cells that a reader means by `first` and `count`, where 0 is "to the end"; `None` if some do not exist.
    pub fn cell_range(&self, first: u32, count: u32) -> Option<Range<u32>> {
        let cells = self.layout.cells();
        let end = if count == 0 { cells } else { first.checked_add(count)? };
        (first <= end && end <= cells).then_some(first..end)
    }
}

fn identity(cluster: ClusterId, key: ShardKey, policy: Policy) -> CellIdentity {
    CellIdentity {
        cluster: *cluster.as_bytes(),
        extent: *key.extent.as_bytes(),
        slot: key.slot,
        // Both are at most SHARDS_MAX.
        data: policy.data() as u8,
        parity: policy.parity() as u8,
    }
}

/// A run of a shard's bytes with the checksum that binds it to its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The bytes.
    pub data: bytes::Bytes,
    /// `cell_checksum` of the bytes in this place.
    pub checksum: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(slot: u32) -> Option<ShardKey> {
        ShardKey::new(ExtentId::from_bytes([7; 16]), slot)
    }

    #[test]
    fn a_slot_beyond_every_policy_is_no_key() {
        assert!(key(0).is_some() && key(31).is_some());
        assert!(key(32).is_none() && key(256).is_none() && key(u32::MAX).is_none());
    }

    #[test]
    fn a_slot_beyond_its_policy_is_refused() {
        let policy = Policy::new(4, 2).unwrap();
        assert!(ShardHead::new(key(5).unwrap(), policy, 1, 0).is_ok());
        assert_eq!(ShardHead::new(key(6).unwrap(), policy, 1, 0), Err(ShapeError::Slot { slot: 6, policy }));
        assert!(ShardHead::new(key(0).unwrap(), policy, 0, 0).is_err());
    }

    #[test]
    fn a_range_past_the_end_is_no_range() {
        let head = ShardHead::new(key(0).unwrap(), Policy::new(1, 0).unwrap(), 10, 0).unwrap();
        let (shard, empty) = (head.complete(25).unwrap(), head.complete(0).unwrap());
        let check = |first, count, expected| assert_eq!(shard.cell_range(first, count), expected);
        check(0, 0, Some(0..3));
        check(1, 0, Some(1..3));
        check(1, 2, Some(1..3));
        check(3, 0, Some(3..3));
        check(1, 3, None);
        check(4, 0, None);
        check(u32::MAX, u32::MAX, None);
        assert_eq!(empty.cell_range(0, 0), Some(0..0));
        assert_eq!(empty.cell_range(0, 1), None);
    }
}

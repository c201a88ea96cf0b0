//! One extent, as far as its shards are concerned.

use asterism_erasure::{CellIdentity, Code, CodeError, Layout, LayoutError, Policy};
use asterism_proto::{ClusterId, ExtentId, NodeId};

/// Which shard of which extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardKey {
    /// The extent.
    pub extent: ExtentId,
    /// `0 .. policy.total()`; the first `policy.data()` slots hold the content itself.
    pub slot: u8,
}

/// What must be known to write or read an extent: its code and who keeps which slot.
#[derive(Clone, Debug)]
pub struct Extent {
    /// Whose shards they are; bound into every checksum.
    pub cluster: ClusterId,
    /// Its id.
    pub id: ExtentId,
    /// `k + m`.
    pub policy: Policy,
    /// Size of a full cell.
    pub cell_bytes: usize,
    /// The node of each slot: `policy.total()` distinct nodes.
    pub nodes: Vec<NodeId>,
}

impl Extent {
    /// The key of the shard in `slot`.
    pub fn key(&self, slot: usize) -> ShardKey {
        ShardKey { extent: self.id, slot: slot as u8 }
    }

    /// That to which the checksums of the cells in `slot` are bound.
    pub fn identity(&self, slot: usize) -> CellIdentity {
        CellIdentity {
            cluster: *self.cluster.as_bytes(),
            extent: *self.id.as_bytes(),
            slot: slot as u8,
            data: self.policy.data() as u8,
            parity: self.policy.parity() as u8,
        }
    }

    /// How `extent_bytes` of content lie in stripes and cells.
    ///
    /// # Errors
    /// The sizes are beyond the limits of an extent.
    pub fn layout(&self, extent_bytes: u64) -> Result<Layout, LayoutError> {
        Layout::new(self.policy, self.cell_bytes, extent_bytes)
    }

    pub(crate) fn code(&self) -> Result<Code, CodeError> {
        Code::new(self.policy.data(), self.policy.parity())
    }
}

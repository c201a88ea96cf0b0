//! One shard being written. Dropped at any point, it leaves nothing behind.

use super::{Store, incoming::Incoming, temporary::Temporary};
use crate::shard::{Cell, ShardHead};
use asterism_proto::ShardError;

/// Written at once; a small shard goes to the disk in one step.
const PART_BYTES: usize = 1 << 20;

/// A shard being written: cells in order, then [`ShardWriter::finish`].
pub struct ShardWriter {
    store: Store,
    incoming: Incoming,
    temporary: Option<Temporary>,
}

impl ShardWriter {
    pub(super) fn new(store: Store, head: ShardHead) -> Result<Self, ShardError> {
        let incoming = Incoming::new(head, store.owner().cluster)?;
        Ok(Self { store, incoming, temporary: None })
    }

    /// Takes the next cell, which must match its checksum in this place.
    ///
    /// # Errors
    /// `Invalid` for a cell that cannot be there, `Full`, or a failure of the disk. The writer is of no use then.
    pub async fn push(&mut self, cell: &Cell) -> Result<(), ShardError> {
        self.incoming.push(cell)?;
        if self.incoming.buffered_bytes() >= PART_BYTES {
            let (part, temporary) = (self.incoming.take(), self.temporary.take());
            let written = self.store.blocking(move |shared| shared.append(temporary, &part)).await??;
            self.temporary = Some(written);
        }
        Ok(())
    }

    /// Makes the shard durable and gives back the bytes of its cells. Once begun, this runs to its end even if nobody waits.
    ///
    /// # Errors
    /// `Invalid` for missing cells or a different shard under this key, `Stale`, `Full`, or a failure of the disk.
    pub async fn finish(self, extent_bytes: u64) -> Result<u64, ShardError> {
        let finished = self.incoming.finish(extent_bytes)?;
        let temporary = self.temporary;
        self.store.blocking(move |shared| shared.commit(temporary, &finished)).await?
    }
}

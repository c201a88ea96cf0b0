//! One shard being written. Dropped at any point before the end, it leaves nothing behind.

use super::{
    Shared, Store, error::error, header::HEADER_BYTES, incoming::Incoming, records::CHECKSUM_BYTES,
    solo::Solo,
};
use crate::shard::{Cell, ShardHead};
use asterism_proto::{ShardError, ShardErrorKind};
use std::sync::Arc;

/// A shard being written: cells in order, then [`ShardWriter::finish`].
pub struct ShardWriter {
    shared: Arc<Shared>,
    incoming: Incoming,
    sink: Sink,
}

enum Sink {
    /// Room for the header, then cells: not yet on the disk.
    Small(Vec<u8>),
    /// On its way to a file of its own.
    Large(Box<Solo>),
    /// An error took it away.
    Broken,
}

fn broken() -> ShardError {
    error(ShardErrorKind::Invalid, "the shard was given up after an error")
}

impl ShardWriter {
    pub(super) fn new(store: &Store, head: ShardHead) -> Result<Self, ShardError> {
        let incoming = Incoming::new(head, store.owner().cluster)?;
        let sink = Sink::Small(vec![0; HEADER_BYTES]);
        Ok(Self { shared: Arc::clone(&store.shared), incoming, sink })
    }

    /// Takes the next cell, which must match its checksum in this place.
    ///
    /// # Errors
    /// `Invalid` for a cell that cannot be there, `Full`, or a failure of the disk. The writer is of no use then.
    pub async fn push(&mut self, cell: &Cell) -> Result<(), ShardError> {
        self.incoming.accept(cell)?;
        let record_bytes = CHECKSUM_BYTES + cell.data.len();
        match &mut self.sink {
            Sink::Small(bytes) if bytes.len() + record_bytes <= self.shared.sizes.record_bytes => {
                bytes.extend_from_slice(&cell.checksum.to_le_bytes());
                bytes.extend_from_slice(&cell.data);
                return Ok(());
            }
            Sink::Small(bytes) => {
                let (bytes, largest) = (std::mem::take(bytes), self.incoming.largest());
                self.sink = Sink::Broken;
                let shared = Arc::clone(&self.shared);
                let begun = self.shared.workers.run(move || shared.begin_solo(&bytes, largest)).await??;
                self.sink = Sink::Large(Box::new(begun));
            }
            Sink::Large(_) | Sink::Broken => {}
        }
        self.push_large(cell).await
    }

    async fn push_large(&mut self, cell: &Cell) -> Result<(), ShardError> {
        match std::mem::replace(&mut self.sink, Sink::Broken) {
            Sink::Large(mut solo) => {
                solo.add(cell);
                if solo.is_part_full() {
                    let write = move || solo.write().map(Box::new);
                    solo = self.shared.workers.run(write).await??;
                }
                self.sink = Sink::Large(solo);
                Ok(())
            }
            Sink::Small(_) | Sink::Broken => Err(broken()),
        }
    }

    /// Makes the shard durable and gives back the bytes of its cells. Once begun, this runs to its end even if nobody waits.
    ///
    /// # Errors
    /// `Invalid` for missing cells or a different shard under this key, `Stale`, `Full`, or a failure of the disk.
    pub async fn finish(self, extent_bytes: u64) -> Result<u64, ShardError> {
        let shard = self.incoming.finish(extent_bytes)?;
        let shared = self.shared;
        let committing = match self.sink {
            Sink::Small(bytes) => tokio::spawn(shared.commit_small(shard, bytes)),
            Sink::Large(solo) => tokio::spawn(shared.commit_large(shard, *solo)),
            Sink::Broken => return Err(broken()),
        };
        let ended = committing.await;
        ended.map_err(|_| super::work::broken())??;
        Ok(shard.layout().shard_bytes())
    }
}

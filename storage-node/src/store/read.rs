//! Reading: every byte that leaves has been verified against the place it was asked for.

use super::{
    Shared, Store,
    error::{disk, error},
    records::{self, CellFault},
    scan::{Fault, bucket_of, open_shard},
};
use crate::shard::{Cell, Shard, ShardKey};
use asterism_proto::{ShardError, ShardErrorKind};
use std::{fs::File, io, ops::Range, os::fd::AsFd, sync::Arc};

/// An open shard whose header has been verified.
pub struct ShardReader {
    store: Store,
    file: Arc<File>,
    shard: Shard,
}

impl ShardReader {
    pub(super) async fn open(store: Store, key: ShardKey) -> Result<Self, ShardError> {
        let (file, shard) = store.blocking(move |shared| shared.open(key)).await??;
        Ok(Self { store, file: Arc::new(file), shard })
    }

    /// What the shard is.
    pub fn shard(&self) -> Shard {
        self.shard
    }

    /// Reads the next cells of `rest` and takes them off it; `None` at the end.
    ///
    /// # Errors
    /// `Corrupt` if one of them does not verify, or a failure of the disk.
    pub async fn next(&self, rest: &mut Range<u32>) -> Result<Option<Vec<Cell>>, ShardError> {
        let Some(batch) = records::batch(&self.shard, rest) else { return Ok(None) };
        let (file, shard) = (Arc::clone(&self.file), self.shard);
        self.store.blocking(move |shared| shared.read(&file, &shard, batch)).await?.map(Some)
    }

    /// Reads the whole shard.
    ///
    /// # Errors
    /// As [`ShardReader::next`].
    pub async fn verify(&self) -> Result<(), ShardError> {
        let mut rest = 0..self.shard.layout().cells();
        while self.next(&mut rest).await?.is_some() {}
        Ok(())
    }
}

impl Shared {
    fn open(&self, key: ShardKey) -> Result<(File, Shard), ShardError> {
        let absent = || error(ShardErrorKind::NotFound, "the node does not have the shard");
        self.index.get(key).ok_or_else(absent)?;
        let bucket = self.directory.bucket(bucket_of(key));
        let bucket = bucket.map_err(|errno| disk("open a directory of shards", errno))?;
        match open_shard(bucket.as_fd(), self.cluster(), key) {
            Ok((file, shard)) => {
                self.index.learn(shard);
                Ok((file, shard))
            }
            Err(Fault::Damaged(reason)) => Err(self.corrupt(key, &reason)),
            // Deleted in this moment, or taken away behind the node's back.
            Err(Fault::Unreadable(error)) if error.kind() == io::ErrorKind::NotFound => {
                match self.index.get(key) {
                    None => Err(absent()),
                    Some(_) => Err(self.corrupt(key, "its file is gone")),
                }
            }
            Err(Fault::Unreadable(error)) => Err(disk("open a shard", error)),
        }
    }

    fn read(&self, file: &File, shard: &Shard, batch: Range<u32>) -> Result<Vec<Cell>, ShardError> {
        records::read_cells(file, shard, &shard.identity(self.cluster()), batch).map_err(
            |fault| match fault {
                CellFault::Bad(cell) => self.corrupt(shard.key(), &format!("cell {cell} does not verify")),
                CellFault::Unreadable(error) => disk("read a shard", error),
            },
        )
    }

    fn corrupt(&self, key: ShardKey, reason: &str) -> ShardError {
        self.metrics.corrupt.inc();
        tracing::warn!(shard = %key, reason, "shard does not verify");
        error(ShardErrorKind::Corrupt, format!("shard {key}: {reason}"))
    }
}

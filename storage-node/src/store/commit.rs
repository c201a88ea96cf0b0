//! How a shard comes to stay, and how it goes: the only code that makes, replaces or removes a shard.
//!
//! Whoever changes a shard holds its key from the look at epoch and index until the change is durable and in the index. A
//! delete raises the epoch before it takes the key, so a late write can never follow a delete of a later epoch.

use super::{
    Shared,
    error::{disk, error},
    header::{Body, HEADER_BYTES, Location},
    index::Entry,
    log::Staged,
    records::{self, first_bad_cell, place_of, read_range},
    segment::{file_of, is_solo},
    solo::Solo,
};
use crate::{
    disk::{DiskFile, Folder},
    shard::{Shard, ShardKey},
};
use asterism_proto::{ShardError, ShardErrorKind};
use std::{collections::HashSet, io, sync::Arc, time::Instant};

/// What became of a shard that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone for good.
    Removed,
    /// It was not there.
    Absent,
    /// The disk failed; it may still be there.
    Failed,
}

/// How the stored shard compares with another one that has been verified.
enum Existing {
    Same,
    Different,
    Damaged,
}

/// What is compared with the stored shard.
enum Candidate {
    /// A record in memory.
    Bytes(Vec<u8>),
    /// A record in a file.
    Solo(Solo),
}

impl Shared {
    /// Makes a small shard durable; `bytes` has room for the header, then its cells.
    pub(super) async fn commit_small(
        self: Arc<Self>,
        shard: Shard,
        mut bytes: Vec<u8>,
    ) -> Result<(), ShardError> {
        let key = shard.key();
        let _held = self.keys.hold(vec![key]).await;
        self.refuse_stale(shard.epoch())?;
        let mut staged = Vec::with_capacity(2);
        if let Some(entry) = self.index.get(key) {
            let (candidate, same) = self.compare(entry, shard, Candidate::Bytes(bytes)).await?;
            if same {
                return self.settle_doubts().await;
            }
            let Candidate::Bytes(kept) = candidate else { return Ok(()) };
            bytes = kept;
            let (sequence, target) = (self.log.next_sequence(), entry.location.segment);
            staged.push(Staged::Remove { key, epoch: shard.epoch(), sequence, target, forget: false });
        }
        let room = bytes.len().next_multiple_of(HEADER_BYTES) as u64;
        let room = self.room.reserve(&**self.disk(), room)?;
        staged.push(Staged::Put { shard, sequence: self.log.next_sequence(), bytes });
        let before = self.append(staged).await?;
        room.keep();
        self.retire(key, before.into_iter().flatten().next()).await
    }

    /// Makes a large shard durable.
    pub(super) async fn commit_large(self: Arc<Self>, shard: Shard, solo: Solo) -> Result<(), ShardError> {
        let key = shard.key();
        let _held = self.keys.hold(vec![key]).await;
        self.refuse_stale(shard.epoch())?;
        let (before_it, sequence) = (self.log.next_sequence(), self.log.next_sequence());
        let mut solo = self.workers.run(move || solo.complete(shard, sequence)).await??;
        let stored = self.index.get(key);
        if let Some(entry) = stored {
            let (candidate, same) = self.compare(entry, shard, Candidate::Solo(solo)).await?;
            if same {
                return self.settle_doubts().await;
            }
            let Candidate::Solo(kept) = candidate else { return Ok(()) };
            solo = kept;
            let target = entry.location.segment;
            self.log.doubt(Body::Tombstone { key, epoch: shard.epoch(), target }, before_it);
        }
        self.settle_doubts().await?;
        let location = Location { segment: solo.id(), offset: 0 };
        self.workers.run(move || solo.name(&shard, sequence)).await??;
        let before = self.index.write().insert(key, Entry::known(location, shard));
        self.segments.count(before.map(|entry| (entry.location, -(entry.stored_bytes as i64))));
        self.retire(key, before).await
    }

    /// Whether the stored shard is the same; fails if it is another good one.
    async fn compare(
        self: &Arc<Self>,
        entry: Entry,
        shard: Shard,
        candidate: Candidate,
    ) -> Result<(Candidate, bool), ShardError> {
        let shared = Arc::clone(self);
        let compared = self.workers.run(move || {
            let found = match &candidate {
                Candidate::Bytes(bytes) => shared.existing(entry, &shard, |from, to| {
                    Ok(bytes::Bytes::copy_from_slice(&bytes[from as usize..to as usize]))
                }),
                Candidate::Solo(solo) => {
                    shared.existing(entry, &shard, |from, to| read_range(solo.file(), &shared.pool, from..to))
                }
            };
            found.map(|found| (found, candidate))
        });
        match compared.await?? {
            (Existing::Same, candidate) => Ok((candidate, true)),
            (Existing::Damaged, candidate) => Ok((candidate, false)),
            (Existing::Different, _) => {
                Err(error(ShardErrorKind::Invalid, "another shard is stored under this key"))
            }
        }
    }

    fn existing(
        &self,
        entry: Entry,
        shard: &Shard,
        candidate: impl Fn(u64, u64) -> io::Result<bytes::Bytes>,
    ) -> Result<Existing, ShardError> {
        let (file, found) = match self.open_record(shard.key(), entry, false) {
            Ok(found) => found,
            Err(error) if error.kind == ShardErrorKind::Corrupt => return Ok(Existing::Damaged),
            Err(error) => return Err(error),
        };
        let base = entry.location.offset;
        let comparing = |error| disk("compare shards", error);
        if found.layout() == shard.layout()
            && same_cells(self, &*file, base, shard, candidate).map_err(comparing)?
        {
            return Ok(Existing::Same);
        }
        match first_bad_cell(&*file, &self.pool, base, &found, &found.identity(self.cluster())) {
            Ok(Some(_)) => Ok(Existing::Damaged),
            Ok(None) => Ok(Existing::Different),
            Err(error) => Err(disk("read the stored shard", error)),
        }
    }

    /// Keeps what was damaged and is replaced.
    async fn retire(self: &Arc<Self>, key: ShardKey, before: Option<Entry>) -> Result<(), ShardError> {
        let Some(entry) = before else { return Ok(()) };
        let shared = Arc::clone(self);
        self.workers.run(move || shared.quarantine(key, entry)).await
    }

    /// Moves a damaged shard out of the way of a good one, or a copy of it where it lies among others.
    fn quarantine(&self, key: ShardKey, entry: Entry) {
        let name = file_of(key, entry.location);
        let kept = match is_solo(entry.location) {
            true => self.directory.set_aside(Folder::Segments, &name).inspect(|_| self.forget_file(entry)),
            false => self.copy_aside(key, entry),
        };
        match kept {
            Ok(kept) => {
                self.metrics.quarantined.inc();
                tracing::warn!(shard = %key, kept, "damaged shard set aside and replaced");
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if is_solo(entry.location) {
                    self.forget_file(entry);
                }
            }
            Err(error) => tracing::warn!(shard = %key, %error, "replaced shard could not be set aside"),
        }
    }

    fn forget_file(&self, entry: Entry) {
        self.room.release(entry.stored_bytes);
        self.segments.gone(entry.location.segment);
    }

    fn copy_aside(&self, key: ShardKey, entry: Entry) -> io::Result<String> {
        let file = self.open_segment(key, entry.location, false)?;
        let from = entry.location.offset;
        let bytes = read_range(&*file, &self.pool, from..from + entry.stored_bytes)?;
        self.directory.keep_copy(key.to_string().as_ref(), &bytes)
    }

    /// Removes shards for good; one outcome per key, in order.
    pub(super) async fn delete(
        self: Arc<Self>,
        keys: Vec<ShardKey>,
        epoch: u64,
    ) -> Result<Vec<Deleted>, ShardError> {
        self.admit(epoch).await?;
        let _held = self.keys.hold(keys.clone()).await;
        self.refuse_stale(epoch)?;
        self.remove_held(&keys, epoch).await
    }

    /// The same for keys that the caller holds, under an epoch that was admitted.
    pub(super) async fn remove_held(
        self: &Arc<Self>,
        keys: &[ShardKey],
        epoch: u64,
    ) -> Result<Vec<Deleted>, ShardError> {
        let mut asked = HashSet::new();
        let found: Vec<Option<Entry>> =
            keys.iter().map(|key| asked.insert(*key).then(|| self.index.get(*key)).flatten()).collect();
        let staged: Vec<Staged> = keys
            .iter()
            .zip(&found)
            .filter_map(|(key, entry)| {
                let (sequence, target) = (self.log.next_sequence(), entry.as_ref()?.location.segment);
                Some(Staged::Remove { key: *key, epoch, sequence, target, forget: true })
            })
            .collect();
        let removed = match staged.is_empty() {
            true => self.settle_doubts().await,
            false => self.append(staged).await.map(drop),
        };
        if let Err(error) = &removed {
            tracing::error!(%error, "deletes could not be made durable");
        }
        let outcomes = found.iter().map(|entry| match (&removed, entry) {
            (Err(_), _) => Deleted::Failed,
            (Ok(()), Some(_)) => Deleted::Removed,
            (Ok(()), None) => Deleted::Absent,
        });
        let outcomes = outcomes.collect();
        let shared = Arc::clone(self);
        self.workers.run(move || shared.take_out_garbage()).await?;
        Ok(outcomes)
    }

    /// Remembers a caller's epoch; `Stale` if a later one was seen.
    pub(super) async fn admit(self: &Arc<Self>, epoch: u64) -> Result<(), ShardError> {
        if epoch > self.epoch.highest() {
            let shared = Arc::clone(self);
            let raised = self.workers.run(move || shared.timed_sync(|| shared.epoch.raise(epoch)));
            raised.await?.map_err(|error| disk("remember the epoch", error))?;
        }
        self.refuse_stale(epoch)
    }

    pub(super) fn refuse_stale(&self, epoch: u64) -> Result<(), ShardError> {
        let highest = self.epoch.highest();
        if epoch < highest {
            let message = format!("epoch {epoch} is older than {highest}, which the node has seen");
            return Err(error(ShardErrorKind::Stale, message));
        }
        Ok(())
    }

    pub(super) fn timed_sync<T>(&self, sync: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let begin = Instant::now();
        let result = sync();
        self.metrics.sync_seconds.observe(begin.elapsed().as_secs_f64());
        if result.is_err() {
            self.metrics.sync_failures.inc();
        }
        result
    }
}

/// Whether a file holds the same cells as the candidate for its place; both have the right length, most likely.
fn same_cells(
    shared: &Shared,
    file: &dyn DiskFile,
    base: u64,
    shard: &Shard,
    candidate: impl Fn(u64, u64) -> io::Result<bytes::Bytes>,
) -> io::Result<bool> {
    let mut next = 0..shard.layout().cells();
    while let Some(batch) = records::batch(shard, &mut next) {
        let (from, to) = (place_of(shard, batch.start), place_of(shard, batch.end));
        if read_range(file, &shared.pool, base + from..base + to)? != candidate(from, to)? {
            return Ok(false);
        }
    }
    Ok(true)
}

//! How a shard comes to stay, and how it goes: the only code that gives, replaces or removes a shard's name.
//!
//! Order: cells, `fdatasync`, rename, `fsync` of the directory, answer. A bucket's lock is held from the look at epoch and
//! index to the rename, and by deletes as well, so that a late write can never follow a delete of a later epoch.

use super::{
    Shared,
    check::first_bad_cell,
    error::{disk, error},
    incoming::Finished,
    index::Entry,
    records,
    scan::{Fault, bucket_of, file_name, open_shard},
    temporary::Temporary,
};
use crate::shard::{Shard, ShardKey};
use asterism_proto::{ShardError, ShardErrorKind};
use rustix::io::Errno;
use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::File,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::FileExt,
    },
    sync::{MutexGuard, PoisonError},
    time::Instant,
};

/// What a bucket's lock guards besides the names in it.
#[derive(Default)]
pub(super) struct Bucket {
    /// Its directory could not be synced: what it holds is unknown until the next start.
    sync_failed: bool,
}

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

enum Existing {
    Same,
    Different,
    Damaged,
}

impl Shared {
    /// Adds `bytes` to a shard being written, which is made with the first ones.
    pub(super) fn append(&self, temporary: Option<Temporary>, bytes: &[u8]) -> Result<Temporary, ShardError> {
        let room = self.room.reserve(self.directory.temporary(), bytes.len() as u64)?;
        let mut temporary = match temporary {
            Some(temporary) => temporary,
            None => Temporary::create(self.directory.clone()).map_err(|errno| disk("make a file", errno))?,
        };
        temporary.append(bytes, room).map_err(|error| disk("write a shard", error))?;
        Ok(temporary)
    }

    /// Makes a finished shard durable under its name; gives back the bytes of its cells.
    pub(super) fn commit(
        &self,
        temporary: Option<Temporary>,
        finished: &Finished,
    ) -> Result<u64, ShardError> {
        let temporary = self.append(temporary, &finished.rest)?;
        if let Some(header) = &finished.header {
            temporary.write_header(header).map_err(|error| disk("write a header", error))?;
        }
        self.timed_sync(|| temporary.file().sync_data()).map_err(|error| disk("sync a shard", error))?;
        let shard = finished.shard;
        let bucket = self.name(temporary, shard)?;
        self.sync_bucket(bucket_of(shard.key()), &bucket)?;
        Ok(shard.layout().shard_bytes())
    }

    fn name(&self, temporary: Temporary, shard: Shard) -> Result<OwnedFd, ShardError> {
        let key = shard.key();
        let bucket = self.open_bucket(bucket_of(key))?;
        let _guard = self.lock_synced(bucket_of(key))?;
        self.refuse_stale(shard.epoch())?;
        if self.index.get(key).is_some() {
            match self.existing(&temporary, shard)? {
                // The other writer may not have synced the directory yet, so the caller syncs it in any case.
                Existing::Same => return Ok(bucket),
                Existing::Different => {
                    return Err(error(ShardErrorKind::Invalid, "another shard is stored under this key"));
                }
                Existing::Damaged => self.quarantine(key, &bucket)?,
            }
        }
        temporary.rename(bucket.as_fd(), &file_name(key)).map_err(|errno| disk("name a shard", errno))?;
        if let Some(before) = self.index.insert(key, Entry::known(shard)) {
            self.room.release(before.stored_bytes);
        }
        Ok(bucket)
    }

    /// How the stored shard compares with the one in `temporary`, which has been verified.
    fn existing(&self, temporary: &Temporary, shard: Shard) -> Result<Existing, ShardError> {
        let key = shard.key();
        let bucket = self.open_bucket(bucket_of(key))?;
        let (stored, found) = match open_shard(bucket.as_fd(), self.cluster(), key) {
            Ok(found) => found,
            Err(Fault::Damaged(_)) => return Ok(Existing::Damaged),
            Err(Fault::Unreadable(error)) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Existing::Damaged);
            }
            Err(Fault::Unreadable(error)) => return Err(disk("read the stored shard", error)),
        };
        let same_length = found.layout() == shard.layout();
        if same_length
            && same_cells(temporary.file(), &stored, &shard).map_err(|error| disk("compare shards", error))?
        {
            return Ok(Existing::Same);
        }
        match first_bad_cell(&stored, &found, self.directory.owner()) {
            Ok(Some(_)) => Ok(Existing::Damaged),
            Ok(None) => Ok(Existing::Different),
            Err(error) => Err(disk("read the stored shard", error)),
        }
    }

    /// Moves a damaged shard out of the way of a good one.
    fn quarantine(&self, key: ShardKey, bucket: &OwnedFd) -> Result<(), ShardError> {
        match self.directory.set_aside(bucket.as_fd(), OsStr::new(&file_name(key))) {
            Ok(kept) => {
                self.metrics.quarantined.inc();
                tracing::warn!(shard = %key, kept, "damaged shard set aside and replaced");
                Ok(())
            }
            Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(disk("set a damaged shard aside", errno)),
        }
    }

    /// Removes shards for good; one outcome per key, in order.
    pub(super) fn delete(&self, keys: &[ShardKey], epoch: u64) -> Result<Vec<Deleted>, ShardError> {
        self.admit(epoch)?;
        let mut outcomes: Vec<Deleted> = keys.iter().map(|key| self.unlink(*key)).collect();
        let touched: BTreeSet<u8> = keys
            .iter()
            .zip(&outcomes)
            // Absent ones too: another call may have removed them just now and not yet synced.
            .filter(|(_, outcome)| **outcome != Deleted::Failed)
            .map(|(key, _)| bucket_of(*key))
            .collect();
        for bucket in touched {
            let synced = self.open_bucket(bucket).and_then(|fd| self.sync_bucket(bucket, &fd));
            if let Err(error) = synced {
                tracing::error!(%error, "deletes could not be made durable");
                let failed = keys.iter().zip(&mut outcomes).filter(|(key, _)| bucket_of(**key) == bucket);
                failed.for_each(|(_, outcome)| *outcome = Deleted::Failed);
            }
        }
        Ok(outcomes)
    }

    fn unlink(&self, key: ShardKey) -> Deleted {
        let bucket = bucket_of(key);
        let removed = self.open_bucket(bucket).and_then(|fd| {
            let _guard = self.lock_synced(bucket)?;
            match super::directory::remove(fd.as_fd(), &file_name(key)) {
                Ok(()) | Err(Errno::NOENT) => Ok(self.index.remove(key)),
                Err(errno) => Err(disk("remove a shard", errno)),
            }
        });
        match removed {
            Ok(Some(entry)) => {
                self.room.release(entry.stored_bytes);
                Deleted::Removed
            }
            Ok(None) => Deleted::Absent,
            Err(error) => {
                tracing::error!(shard = %key, %error, "shard could not be removed");
                Deleted::Failed
            }
        }
    }

    /// Remembers a caller's epoch; `Stale` if a later one was seen.
    pub(super) fn admit(&self, epoch: u64) -> Result<(), ShardError> {
        if epoch > self.epoch.highest() {
            let raised = self.timed_sync(|| self.epoch.raise(epoch));
            raised.map_err(|error| disk("remember the epoch", error))?;
        }
        self.refuse_stale(epoch)
    }

    fn refuse_stale(&self, epoch: u64) -> Result<(), ShardError> {
        let highest = self.epoch.highest();
        if epoch < highest {
            let message = format!("epoch {epoch} is older than {highest}, which the node has seen");
            return Err(error(ShardErrorKind::Stale, message));
        }
        Ok(())
    }

    fn open_bucket(&self, bucket: u8) -> Result<OwnedFd, ShardError> {
        self.directory.bucket(bucket).map_err(|errno| disk("open a directory of shards", errno))
    }

    fn lock(&self, bucket: u8) -> MutexGuard<'_, Bucket> {
        self.buckets[usize::from(bucket)].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock of a bucket whose names are known to be what the disk holds.
    fn lock_synced(&self, bucket: u8) -> Result<MutexGuard<'_, Bucket>, ShardError> {
        let guard = self.lock(bucket);
        if guard.sync_failed {
            let message =
                "a directory of shards could not be synced; it takes no change until the node restarts";
            return Err(error(ShardErrorKind::Io, message));
        }
        Ok(guard)
    }

    /// Fails if a bucket takes no change any more.
    pub(super) fn all_synced(&self) -> Result<(), ShardError> {
        (0..=u8::MAX).try_for_each(|bucket| self.lock_synced(bucket).map(drop))
    }

    fn sync_bucket(&self, bucket: u8, fd: &OwnedFd) -> Result<(), ShardError> {
        self.timed_sync(|| rustix::fs::fsync(fd).map_err(io::Error::from)).map_err(|error| {
            self.lock(bucket).sync_failed = true;
            disk("sync a directory of shards", error)
        })?;
        // The kernel tells a failed write-back once: another's failure may have been ours.
        self.lock_synced(bucket).map(drop)
    }

    fn timed_sync<T>(&self, sync: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let begin = Instant::now();
        let result = sync();
        self.metrics.sync_seconds.observe(begin.elapsed().as_secs_f64());
        if result.is_err() {
            self.metrics.sync_failures.inc();
        }
        result
    }
}

/// Whether two files of the same shard hold the same cells; both have the right length.
fn same_cells(one: &File, other: &File, shard: &Shard) -> io::Result<bool> {
    let mut next = 0..shard.layout().cells();
    while let Some(batch) = records::batch(shard, &mut next) {
        let (from, to) = (records::place_of(shard, batch.start), records::place_of(shard, batch.end));
        let mut buffers = [vec![0; (to - from) as usize], vec![0; (to - from) as usize]];
        one.read_exact_at(&mut buffers[0], from)?;
        other.read_exact_at(&mut buffers[1], from)?;
        if buffers[0] != buffers[1] {
            return Ok(false);
        }
    }
    Ok(true)
}

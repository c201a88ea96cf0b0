//! How much more the node takes: the file system's free bytes less a reserve, and the operator's limit.

use super::error::{disk, error};
use asterism_proto::{ShardError, ShardErrorKind};
use rustix::fs::fstatvfs;
use std::{
    os::fd::BorrowedFd,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// The operator's limits.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// What shards may take in all; none: what the file system has.
    pub capacity_bytes: Option<u64>,
    /// What stays free on the file system, so that deletes always work.
    pub reserve_bytes: u64,
}

/// How full the node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// What shards could take in all.
    pub capacity_bytes: u64,
    /// What more they can take.
    pub free_bytes: u64,
    /// What they take, with headers and checksums.
    pub used_bytes: u64,
    /// How many they are.
    pub shards: u64,
}

/// Bytes of the file system, as it says itself.
#[derive(Clone, Copy, Debug)]
struct FileSystem {
    total_bytes: u64,
    available_bytes: u64,
}

/// Counts what is written against what there is.
pub(super) struct Room {
    limits: Limits,
    /// Of shards, and of shards being written.
    taken_bytes: Arc<AtomicU64>,
}

impl Room {
    /// Room with `taken_bytes` in use.
    pub(super) fn new(limits: Limits, taken_bytes: u64) -> Self {
        Self { limits, taken_bytes: Arc::new(AtomicU64::new(taken_bytes)) }
    }

    /// Capacity and free bytes now.
    pub(super) fn usage(&self, directory: BorrowedFd<'_>) -> Result<Usage, ShardError> {
        let files = measure(directory)?;
        let taken = self.taken_bytes.load(Ordering::Relaxed);
        Ok(Usage {
            capacity_bytes: capacity(self.limits, files),
            free_bytes: free(self.limits, files, taken),
            used_bytes: taken,
            shards: 0,
        })
    }

    /// Takes `bytes` for as long as the reservation lives; `Full` if they do not fit.
    pub(super) fn reserve(&self, directory: BorrowedFd<'_>, bytes: u64) -> Result<Reservation, ShardError> {
        let files = measure(directory)?;
        let taken = self.taken_bytes.fetch_add(bytes, Ordering::Relaxed);
        // Made before the check: what is refused is given back by its drop.
        let reservation = Reservation { taken_bytes: Arc::clone(&self.taken_bytes), bytes };
        if free(self.limits, files, taken) < bytes {
            return Err(error(ShardErrorKind::Full, "the node has no room for the shard"));
        }
        Ok(reservation)
    }

    /// Gives back what a removed shard took.
    pub(super) fn release(&self, bytes: u64) {
        drop(Reservation { taken_bytes: Arc::clone(&self.taken_bytes), bytes });
    }
}

/// Bytes that are spoken for.
pub(super) struct Reservation {
    taken_bytes: Arc<AtomicU64>,
    bytes: u64,
}

impl Reservation {
    /// Adds another reservation of the same room to this one.
    pub(super) fn absorb(&mut self, mut other: Self) {
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// Keeps the bytes: they are a shard's now.
    pub(super) fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.taken_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn measure(directory: BorrowedFd<'_>) -> Result<FileSystem, ShardError> {
    let found = fstatvfs(directory).map_err(|errno| disk("measure the file system", errno))?;
    Ok(FileSystem {
        total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
        available_bytes: found.f_bavail.saturating_mul(found.f_frsize),
    })
}

fn capacity(limits: Limits, files: FileSystem) -> u64 {
    limits.capacity_bytes.unwrap_or(u64::MAX).min(files.total_bytes)
}

fn free(limits: Limits, files: FileSystem, taken_bytes: u64) -> u64 {
    let below_limit = limits.capacity_bytes.unwrap_or(u64::MAX).saturating_sub(taken_bytes);
    below_limit.min(files.available_bytes.saturating_sub(limits.reserve_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::File, os::fd::AsFd};

    fn check(capacity_bytes: Option<u64>, available_bytes: u64, taken: u64, expected: u64) {
        let limits = Limits { capacity_bytes, reserve_bytes: 10 };
        assert_eq!(free(limits, FileSystem { total_bytes: 1000, available_bytes }, taken), expected);
    }

    #[test]
    fn the_tighter_limit_counts() {
        check(None, 100, 500, 90);
        check(Some(550), 100, 500, 50);
        check(Some(400), 100, 500, 0);
        check(Some(550), 10, 500, 0);
        check(Some(550), 3, 500, 0);
    }

    #[test]
    fn what_is_refused_or_given_up_is_given_back() {
        let dir = File::open(tempfile::tempdir().unwrap().path()).unwrap();
        let room = Room::new(Limits { capacity_bytes: Some(100), reserve_bytes: 0 }, 40);
        let mut first = room.reserve(dir.as_fd(), 30).unwrap();
        assert_eq!(room.reserve(dir.as_fd(), 31).err().unwrap().kind, ShardErrorKind::Full);
        first.absorb(room.reserve(dir.as_fd(), 30).unwrap());
        assert_eq!(room.usage(dir.as_fd()).unwrap().free_bytes, 0);
        drop(first);
        room.reserve(dir.as_fd(), 60).unwrap().keep();
        room.release(25);
        assert_eq!(room.usage(dir.as_fd()).unwrap().used_bytes, 75);
    }
}

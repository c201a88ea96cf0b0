//! How much more the node takes: the file system's free bytes less a reserve, and the operator's limit.

use super::error::{disk, error};
use crate::disk::{Disk, Space};
use asterism_proto::{ShardError, ShardErrorKind};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
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
    /// What their segments take.
    pub used_bytes: u64,
    /// How many they are.
    pub shards: u64,
}

/// Counts what is written against what there is.
pub(super) struct Room {
    limits: Limits,
    /// By segments, and by shards being written.
    taken_bytes: Arc<AtomicU64>,
}

impl Room {
    /// Room with `taken_bytes` in use.
    pub(super) fn new(limits: Limits, taken_bytes: u64) -> Self {
        Self { limits, taken_bytes: Arc::new(AtomicU64::new(taken_bytes)) }
    }

    /// Capacity and free bytes now.
    pub(super) fn usage(&self, disk: &dyn Disk) -> Result<Usage, ShardError> {
        let files = measure(disk)?;
        let taken = self.taken_bytes.load(Ordering::Relaxed);
        Ok(Usage {
            capacity_bytes: capacity(self.limits, files),
            free_bytes: free(self.limits, files, taken),
            used_bytes: taken,
            shards: 0,
        })
    }

    /// Takes `bytes` for as long as the reservation lives; `Full` if they do not fit.
    pub(super) fn reserve(&self, disk: &dyn Disk, bytes: u64) -> Result<Reservation, ShardError> {
        let files = measure(disk)?;
        let taken = self.taken_bytes.fetch_add(bytes, Ordering::Relaxed);
        // Made before the check: what is refused is given back by its drop.
        let reservation = Reservation { taken_bytes: Arc::clone(&self.taken_bytes), bytes };
        if free(self.limits, files, taken) < bytes {
            return Err(full());
        }
        Ok(reservation)
    }

    /// A reservation of no bytes.
    pub(super) fn nothing(&self) -> Reservation {
        Reservation { taken_bytes: Arc::clone(&self.taken_bytes), bytes: 0 }
    }

    /// Notes what is taken without asking: the store's own records, which must always find a place.
    pub(super) fn take(&self, bytes: u64) {
        self.taken_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives back what something took that is gone.
    pub(super) fn release(&self, bytes: u64) {
        self.taken_bytes.fetch_sub(bytes, Ordering::Relaxed);
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

/// What a caller is told for whom there is no room.
pub(super) fn full() -> ShardError {
    error(ShardErrorKind::Full, "the node has no room for the shard")
}

fn measure(disk: &dyn Disk) -> Result<Space, ShardError> {
    disk.space().map_err(|error| self::disk("measure the file system", error))
}

fn capacity(limits: Limits, files: Space) -> u64 {
    limits.capacity_bytes.unwrap_or(u64::MAX).min(files.total_bytes)
}

fn free(limits: Limits, files: Space, taken_bytes: u64) -> u64 {
    let below_limit = limits.capacity_bytes.unwrap_or(u64::MAX).saturating_sub(taken_bytes);
    below_limit.min(files.available_bytes.saturating_sub(limits.reserve_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SimDisk;

    fn check(capacity_bytes: Option<u64>, available_bytes: u64, taken: u64, expected: u64) {
        let limits = Limits { capacity_bytes, reserve_bytes: 10 };
        assert_eq!(free(limits, Space { total_bytes: 1000, available_bytes }, taken), expected);
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
        let disk = SimDisk::new(0);
        let room = Room::new(Limits { capacity_bytes: Some(100), reserve_bytes: 0 }, 40);
        let mut first = room.reserve(&disk, 30).unwrap();
        assert_eq!(room.reserve(&disk, 31).err().unwrap().kind, ShardErrorKind::Full);
        first.absorb(room.reserve(&disk, 30).unwrap());
        assert_eq!(room.usage(&disk).unwrap().free_bytes, 0);
        drop(first);
        room.reserve(&disk, 60).unwrap().keep();
        room.release(25);
        assert_eq!(room.usage(&disk).unwrap().used_bytes, 75);
    }
}

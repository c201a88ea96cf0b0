//! Which shards are on the disk: in memory, in key order, rebuilt from the disk at every start.

use super::records::stored_bytes;
use crate::shard::{Shard, ShardKey};
use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

/// What is known of a stored shard without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// What its header says; none if the header could not be read or does not verify.
    pub(super) shard: Option<Shard>,
    /// What it takes on the disk.
    pub(super) stored_bytes: u64,
}

impl Entry {
    /// A shard that was just written or whose header verified.
    pub(super) fn known(shard: Shard) -> Self {
        Self { shard: Some(shard), stored_bytes: stored_bytes(&shard) }
    }
}

/// How many shards there are, and their bytes without headers and checksums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) shards: u64,
    pub(super) shard_bytes: u64,
}

#[derive(Default)]
struct Entries {
    by_key: BTreeMap<ShardKey, Entry>,
    shard_bytes: u64,
}

/// All stored shards.
#[derive(Default)]
pub(super) struct Index(RwLock<Entries>);

impl Index {
    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of `key`.
    pub(super) fn get(&self, key: ShardKey) -> Option<Entry> {
        self.read().by_key.get(&key).copied()
    }

    /// Notes a shard; gives back what was known under its key.
    pub(super) fn insert(&self, key: ShardKey, entry: Entry) -> Option<Entry> {
        let mut entries = self.write();
        let before = entries.by_key.insert(key, entry);
        entries.shard_bytes += cell_bytes(Some(entry));
        entries.shard_bytes -= cell_bytes(before);
        before
    }

    /// Notes what a stored shard's header says, if that was not known.
    pub(super) fn learn(&self, shard: Shard) {
        if self.get(shard.key()).is_none_or(|entry| entry.shard.is_some()) {
            return;
        }
        let mut entries = self.write();
        if let Some(entry) = entries.by_key.get_mut(&shard.key())
            && entry.shard.is_none()
        {
            entry.shard = Some(shard);
            entries.shard_bytes += shard.layout().shard_bytes();
        }
    }

    /// Forgets a shard.
    pub(super) fn remove(&self, key: ShardKey) -> Option<Entry> {
        let mut entries = self.write();
        let before = entries.by_key.remove(&key);
        entries.shard_bytes -= cell_bytes(before);
        before
    }

    /// The next shards beyond `after` whose headers verified, in key order.
    pub(super) fn page(&self, after: Option<ShardKey>, count_max: usize) -> Vec<Shard> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.read();
        let beyond = entries.by_key.range((from, Bound::Unbounded));
        beyond.filter_map(|(_, entry)| entry.shard).take(count_max).collect()
    }

    /// Sums over all shards.
    pub(super) fn totals(&self) -> Totals {
        let entries = self.read();
        Totals { shards: entries.by_key.len() as u64, shard_bytes: entries.shard_bytes }
    }
}

fn cell_bytes(entry: Option<Entry>) -> u64 {
    entry.and_then(|entry| entry.shard).map_or(0, |shard| shard.layout().shard_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::ShardHead;
    use asterism_erasure::Policy;
    use asterism_proto::ExtentId;

    fn shard(extent: u8, slot: u32, bytes: u64) -> Shard {
        let key = ShardKey::new(ExtentId::from_bytes([extent; 16]), slot).unwrap();
        ShardHead::new(key, Policy::new(1, 3).unwrap(), 100, 1).unwrap().complete(bytes).unwrap()
    }

    #[test]
    fn pages_go_in_key_order_and_leave_out_what_is_damaged() {
        let index = Index::default();
        let shards = [shard(2, 1, 10), shard(1, 3, 20), shard(1, 0, 30)];
        shards.iter().for_each(|one| assert!(index.insert(one.key(), Entry::known(*one)).is_none()));
        let damaged = shard(1, 1, 5).key();
        index.insert(damaged, Entry { shard: None, stored_bytes: 7 });
        let first = index.page(None, 2);
        assert_eq!(first, [shards[2], shards[1]]);
        assert_eq!(index.page(Some(first[1].key()), 2), [shards[0]]);
        assert_eq!(index.page(Some(shards[0].key()), 2), []);
        assert_eq!(index.totals(), Totals { shards: 4, shard_bytes: 60 });
        index.insert(shards[0].key(), Entry::known(shard(2, 1, 15)));
        index.remove(shards[1].key());
        assert_eq!(index.totals(), Totals { shards: 3, shard_bytes: 45 });
    }
}

//! Which shards are on the disk, and where: in memory, in key order, rebuilt from the segments at every start.
//!
//! There can be millions, so an entry is four words. What many shards have in common (policy, cell size, epoch) is kept once.

use super::{
    header::{HEADER_BYTES, Location},
    segment::is_solo,
};
use crate::{
    disk::BLOCK_BYTES,
    shard::{Shard, ShardHead, ShardKey},
};
use asterism_erasure::Policy;
use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

/// What is known of a stored shard without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where its record is.
    pub(super) location: Location,
    /// What its header says; none if the header could not be read or does not verify.
    pub(super) shard: Option<Shard>,
    /// What it takes on the disk.
    pub(super) stored_bytes: u64,
}

impl Entry {
    /// A shard that was just written or whose header verified.
    pub(super) fn known(location: Location, shard: Shard) -> Self {
        Self { location, shard: Some(shard), stored_bytes: taken_bytes(location, &shard) }
    }
}

/// What a shard takes at `location`, with the rest of its last block where nothing else can use it.
pub(super) fn taken_bytes(location: Location, shard: &Shard) -> u64 {
    let unit = if is_solo(location) { BLOCK_BYTES } else { HEADER_BYTES };
    super::records::stored_bytes(shard).next_multiple_of(unit as u64)
}

/// How many shards there are, and their bytes without headers and checksums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) shards: u64,
    pub(super) shard_bytes: u64,
}

/// What many shards have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Class {
    policy: Policy,
    cell_bytes: u32,
    epoch: u64,
}

/// Nothing is known of the shard.
const UNKNOWN: u32 = u32::MAX;
/// Places are counted in headers; a segment has less than 2^24 of them.
const OFFSET_BITS: u32 = 24;

#[derive(Clone, Copy)]
struct Packed {
    /// Segment and offset; two halves, so that no room is lost to alignment.
    location: [u32; 2],
    /// Of the extent; blocks of the file if the class is unknown.
    bytes: u32,
    class: u32,
}

#[derive(Default)]
struct Classes {
    known: Vec<Class>,
    numbers: HashMap<Class, u32>,
}

impl Classes {
    fn number(&mut self, class: Class) -> u32 {
        let next = self.known.len() as u32;
        *self.numbers.entry(class).or_insert_with(|| {
            self.known.push(class);
            next
        })
    }

    fn pack(&mut self, entry: &Entry) -> Packed {
        let Location { segment, offset } = entry.location;
        let location = (segment << OFFSET_BITS) | (offset / HEADER_BYTES as u64);
        let location = [(location >> 32) as u32, location as u32];
        let Some(shard) = entry.shard else {
            return Packed {
                location,
                bytes: (entry.stored_bytes / BLOCK_BYTES as u64) as u32,
                class: UNKNOWN,
            };
        };
        let layout = shard.layout();
        let class = Class {
            policy: layout.policy(),
            cell_bytes: layout.full_cell_bytes() as u32,
            epoch: shard.epoch(),
        };
        // An extent has at most 64 MiB.
        Packed { location, bytes: layout.extent_bytes() as u32, class: self.number(class) }
    }

    fn unpack(&self, key: ShardKey, packed: &Packed) -> Entry {
        let place = (u64::from(packed.location[0]) << 32) | u64::from(packed.location[1]);
        let location = Location {
            segment: place >> OFFSET_BITS,
            offset: (place & ((1 << OFFSET_BITS) - 1)) * HEADER_BYTES as u64,
        };
        let shard = self.known.get(packed.class as usize).and_then(|class| {
            let head = ShardHead::new(key, class.policy, class.cell_bytes as usize, class.epoch).ok()?;
            head.complete(u64::from(packed.bytes)).ok()
        });
        match shard {
            Some(shard) => Entry::known(location, shard),
            None => {
                Entry { location, shard: None, stored_bytes: u64::from(packed.bytes) * BLOCK_BYTES as u64 }
            }
        }
    }
}

#[derive(Default)]
pub(super) struct Entries {
    by_key: BTreeMap<ShardKey, Packed>,
    classes: Classes,
    shard_bytes: u64,
}

/// All stored shards.
#[derive(Default)]
pub(super) struct Index(RwLock<Entries>);

impl Index {
    /// Of entries in key order, each key once.
    pub(super) fn of(entries: impl Iterator<Item = (ShardKey, Entry)>) -> Self {
        let (mut classes, mut shard_bytes) = (Classes::default(), 0);
        let by_key = entries
            .map(|(key, entry)| {
                shard_bytes += cell_bytes(Some(entry));
                (key, classes.pack(&entry))
            })
            .collect();
        Self(RwLock::new(Entries { by_key, classes, shard_bytes }))
    }

    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// All entries, for several changes that readers see at once.
    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of `key`.
    pub(super) fn get(&self, key: ShardKey) -> Option<Entry> {
        self.read().get(key)
    }

    /// Notes what a stored shard's header says, if that was not known.
    pub(super) fn learn(&self, location: Location, shard: Shard) {
        let mut entries = self.write();
        let unknown =
            entries.get(shard.key()).is_some_and(|entry| entry.location == location && entry.shard.is_none());
        if unknown {
            entries.insert(shard.key(), Entry::known(location, shard));
        }
    }

    /// The next shards beyond `after` whose headers verified, in key order.
    pub(super) fn page(&self, after: Option<ShardKey>, count_max: usize) -> Vec<Shard> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.read();
        let beyond = entries.by_key.range((from, Bound::Unbounded));
        beyond
            .filter_map(|(key, packed)| entries.classes.unpack(*key, packed).shard)
            .take(count_max)
            .collect()
    }

    /// Sums over all shards.
    pub(super) fn totals(&self) -> Totals {
        let entries = self.read();
        Totals { shards: entries.by_key.len() as u64, shard_bytes: entries.shard_bytes }
    }
}

impl Entries {
    /// What is known of `key`.
    pub(super) fn get(&self, key: ShardKey) -> Option<Entry> {
        self.by_key.get(&key).map(|packed| self.classes.unpack(key, packed))
    }

    /// Notes a shard; gives back what was known under its key.
    pub(super) fn insert(&mut self, key: ShardKey, entry: Entry) -> Option<Entry> {
        let packed = self.classes.pack(&entry);
        let before = self.by_key.insert(key, packed).map(|before| self.classes.unpack(key, &before));
        self.shard_bytes += cell_bytes(Some(entry));
        self.shard_bytes -= cell_bytes(before);
        before
    }

    /// Forgets a shard.
    pub(super) fn remove(&mut self, key: ShardKey) -> Option<Entry> {
        let before = self.by_key.remove(&key).map(|before| self.classes.unpack(key, &before));
        self.shard_bytes -= cell_bytes(before);
        before
    }
}

fn cell_bytes(entry: Option<Entry>) -> u64 {
    entry.and_then(|entry| entry.shard).map_or(0, |shard| shard.layout().shard_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use asterism_proto::ExtentId;

    fn shard(extent: u8, slot: u32, bytes: u64) -> Shard {
        let key = ShardKey::new(ExtentId::from_bytes([extent; 16]), slot).unwrap();
        ShardHead::new(key, Policy::new(1, 3).unwrap(), 100, 1).unwrap().complete(bytes).unwrap()
    }

    fn entry(shard: Shard) -> Entry {
        Entry::known(Location { segment: 3, offset: 4096 }, shard)
    }

    #[test]
    fn pages_go_in_key_order_and_leave_out_what_is_damaged() {
        let index = Index::default();
        let shards = [shard(2, 1, 10), shard(1, 3, 20), shard(1, 0, 30)];
        shards.iter().for_each(|one| assert!(index.write().insert(one.key(), entry(*one)).is_none()));
        let damaged = shard(1, 1, 5).key();
        let solo = Location { segment: 9, offset: 0 };
        index.write().insert(damaged, Entry { location: solo, shard: None, stored_bytes: 8192 });
        assert_eq!(index.get(damaged).unwrap().stored_bytes, 8192);
        let first = index.page(None, 2);
        assert_eq!(first, [shards[2], shards[1]]);
        assert_eq!(index.page(Some(first[1].key()), 2), [shards[0]]);
        assert_eq!(index.page(Some(shards[0].key()), 2), []);
        assert_eq!(index.totals(), Totals { shards: 4, shard_bytes: 60 });
        index.write().insert(shards[0].key(), entry(shard(2, 1, 15)));
        index.write().remove(shards[1].key());
        assert_eq!(index.totals(), Totals { shards: 3, shard_bytes: 45 });
    }

    #[test]
    fn an_entry_comes_back_as_it_was_and_stays_small() {
        let index = Index::default();
        let far = Location { segment: (1 << 40) - 1, offset: ((1 << OFFSET_BITS) - 1) * 128 };
        let largest = ShardHead::new(shard(1, 0, 0).key(), Policy::new(1, 0).unwrap(), 1, u64::MAX).unwrap();
        let entry = Entry::known(far, largest.complete(64 << 20).unwrap());
        index.write().insert(largest.key(), entry);
        assert_eq!(index.get(largest.key()), Some(entry));
        assert_eq!(size_of::<Packed>() + size_of::<ShardKey>(), 33);
        assert_eq!(align_of::<Packed>(), 4);
    }
}

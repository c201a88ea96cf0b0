//! A store on a simulated disk, with logs so small that every edge is met soon, and shards to put into it.

use asterism_erasure::{Layout, Policy, cell_checksum};
use asterism_proto::{ClusterId, ExtentId, NodeId, ShardError, ShardErrorKind};
use asterism_storage_node::{
    disk::SimDisk,
    metrics::StoreMetrics,
    shard::{Cell, ShardHead, ShardKey},
    store::{Deleted, Limits, OpenError, Owner, Sizes, Store, Work},
};
use std::sync::Arc;

pub(crate) const CELL_BYTES: usize = 1000;
pub(crate) const SIZES: Sizes = Sizes { log_bytes: 96 << 10, log_records: 40, record_bytes: 12 << 10 };
pub(crate) const NO_LIMITS: Limits = Limits { capacity_bytes: None, reserve_bytes: 0 };

/// `splitmix64`, as the disk's.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// A runtime of one thread: what happens follows from the seed alone.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

pub(crate) fn owner() -> Owner {
    Owner { cluster: ClusterId::from_bytes([7; 16]), node: NodeId::from_bytes([8; 16]) }
}

pub(crate) fn open(disk: &SimDisk) -> Result<Store, OpenError> {
    open_with(disk, NO_LIMITS, StoreMetrics::default())
}

pub(crate) fn open_with(disk: &SimDisk, limits: Limits, metrics: StoreMetrics) -> Result<Store, OpenError> {
    Store::open_sized(Arc::new(disk.clone()), owner(), limits, metrics, Work::Inline, SIZES)
}

/// A shard's key, its length and a seed of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) key: ShardKey,
    pub(crate) extent_bytes: u64,
    pub(crate) seed: u64,
    pub(crate) epoch: u64,
}

pub(crate) fn key(number: u64) -> ShardKey {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    ShardKey::new(ExtentId::from_bytes(id), (number % 3) as u32).unwrap()
}

impl Sample {
    fn policy() -> Policy {
        Policy::new(1, 2).unwrap()
    }

    pub(crate) fn head(&self) -> ShardHead {
        ShardHead::new(self.key, Self::policy(), CELL_BYTES, self.epoch).unwrap()
    }

    pub(crate) fn cells(&self) -> Vec<Cell> {
        let layout = Layout::new(Self::policy(), CELL_BYTES, self.extent_bytes).unwrap();
        let identity = self.head().identity(owner().cluster);
        let cell = |index: u32| {
            let mut random = Random(self.seed ^ u64::from(index));
            let mut data: Vec<u8> = Vec::with_capacity(CELL_BYTES + 8);
            while data.len() < layout.cell_bytes(index) {
                data.extend_from_slice(&random.next().to_le_bytes());
            }
            data.truncate(layout.cell_bytes(index));
            Cell { checksum: cell_checksum(&identity, index, &data), data: data.into() }
        };
        (0..layout.cells()).map(cell).collect()
    }

    pub(crate) async fn put(&self, store: &Store) -> Result<(), ShardError> {
        let mut writer = store.put(self.head()).await?;
        for cell in self.cells() {
            writer.push(&cell).await?;
        }
        writer.finish(self.extent_bytes).await.map(drop)
    }
}

/// All cells of a shard; none if the store does not have it.
pub(crate) async fn read(store: &Store, key: ShardKey) -> Result<Option<(u64, Vec<Cell>)>, ShardError> {
    let reader = match store.get(key).await {
        Err(error) if error.kind == ShardErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let (mut rest, mut cells) = (0..reader.shard().layout().cells(), Vec::new());
    while let Some(next) = reader.next(&mut rest).await? {
        cells.extend(next);
    }
    Ok(Some((reader.shard().layout().extent_bytes(), cells)))
}

/// Whether the store has the sample, bit for bit; `false` if it has no such shard.
pub(crate) async fn has(store: &Store, sample: &Sample) -> bool {
    let found = read(store, sample.key).await.unwrap();
    found.is_some_and(|(bytes, cells)| bytes == sample.extent_bytes && cells == sample.cells())
}

pub(crate) async fn delete(store: &Store, key: ShardKey, epoch: u64) -> Result<Deleted, ShardError> {
    Ok(store.delete(vec![key], epoch).await?[0])
}

//! Between the wire's messages, where everything may be wrong, and this crate's types, where nothing is.

use crate::shard::{Cell, Shard, ShardHead, ShardKey};
use asterism_erasure::Policy;
use asterism_proto::{ClusterId, ExtentId, ShardError, ShardErrorKind, storage};

/// More keys in one call are refused.
pub const KEYS_MAX: usize = 1024;

fn invalid(message: impl Into<String>) -> ShardError {
    ShardError::new(ShardErrorKind::Invalid, message)
}

/// A shard's key.
///
/// # Errors
/// It is missing, the extent is not 16 bytes, or no policy has such a slot.
pub fn key(key: Option<&storage::ShardKey>) -> Result<ShardKey, ShardError> {
    let key = key.ok_or_else(|| invalid("the shard's key is missing"))?;
    let extent = ExtentId::try_from(&key.extent[..]).map_err(|_| invalid("an extent's id has 16 bytes"))?;
    ShardKey::new(extent, key.slot).ok_or_else(|| invalid(format!("no policy has slot {}", key.slot)))
}

/// The keys of a batch, in order.
///
/// # Errors
/// They are too many, or one is not a key.
pub fn keys(keys: &[storage::ShardKey]) -> Result<Vec<ShardKey>, ShardError> {
    if keys.len() > KEYS_MAX {
        return Err(invalid(format!("a call takes at most {KEYS_MAX} keys, not {}", keys.len())));
    }
    keys.iter().map(|one| key(Some(one))).collect()
}

/// What a writer says of its shard first.
///
/// # Errors
/// The shard is of another cluster, or cannot exist.
pub fn head(header: &storage::ShardHeader, cluster: ClusterId) -> Result<ShardHead, ShardError> {
    if header.cluster != cluster.as_bytes() {
        return Err(invalid("the shard is of another cluster"));
    }
    let key = key(header.key.as_ref())?;
    let (data, parity) = (header.data_shards as usize, header.parity_shards as usize);
    let policy = Policy::new(data, parity).ok_or_else(|| invalid(format!("no policy is {data}+{parity}")))?;
    ShardHead::new(key, policy, header.cell_bytes as usize, header.epoch)
        .map_err(|error| invalid(error.to_string()))
}

/// What the node says of a shard.
pub fn header_of(shard: &Shard, cluster: ClusterId) -> storage::ShardHeader {
    let layout = shard.layout();
    storage::ShardHeader {
        cluster: cluster.as_bytes().to_vec(),
        key: Some(storage::ShardKey {
            extent: shard.key().extent().as_bytes().to_vec(),
            slot: u32::from(shard.key().slot()),
        }),
        data_shards: layout.policy().data() as u32,
        parity_shards: layout.policy().parity() as u32,
        cell_bytes: layout.full_cell_bytes() as u32,
        epoch: shard.epoch(),
    }
}

/// A shard as the node lists it.
pub fn info_of(shard: &Shard, cluster: ClusterId) -> storage::ShardInfo {
    storage::ShardInfo {
        header: Some(header_of(shard, cluster)),
        extent_bytes: shard.layout().extent_bytes(),
        shard_bytes: shard.layout().shard_bytes(),
    }
}

impl From<storage::Cell> for Cell {
    fn from(cell: storage::Cell) -> Self {
        Self { data: cell.data, checksum: cell.checksum }
    }
}

impl From<Cell> for storage::Cell {
    fn from(cell: Cell) -> Self {
        Self { data: cell.data, checksum: cell.checksum }
    }
}

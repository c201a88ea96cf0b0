//! One node's shards on one disk. Nobody outside knows how they lie there.
//!
//! All work on files runs on blocking threads, a bounded number at a time; what is returned has been verified, what is
//! acknowledged is durable.

mod check;
mod commit;
mod directory;
mod epoch;
mod error;
mod header;
mod incoming;
mod index;
mod put;
mod read;
mod records;
mod room;
mod scan;
mod temporary;

pub use check::{Bad, Summary, check};
pub use commit::Deleted;
pub use directory::{OpenError, Owner};
pub use put::ShardWriter;
pub use read::ShardReader;
pub use room::{Limits, Usage};

use crate::{
    metrics::StoreMetrics,
    shard::{Shard, ShardHead, ShardKey},
};
use asterism_proto::{ClusterId, ShardError, ShardErrorKind};
use commit::Bucket;
use directory::{BUCKETS, Directory};
use epoch::Epoch;
use error::error;
use index::{Entry, Index};
use room::Room;
use scan::Found;
use std::{
    os::fd::AsFd,
    path::Path,
    sync::{Arc, Mutex},
    time::Instant,
};
use temporary::Temporary;
use tokio::sync::Semaphore;

/// Work on files at one time. Many waiting for a sync share one commit of the file system's journal.
const CONCURRENCY: usize = 32;

/// The shards of one directory; clones share them.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
}

struct Shared {
    directory: Arc<Directory>,
    index: Index,
    epoch: Epoch,
    room: Room,
    buckets: [Mutex<Bucket>; BUCKETS],
    metrics: StoreMetrics,
}

impl Store {
    /// Opens the store of `owner` in the directory `path`, or makes it there. Reads every shard's header, so it takes a while.
    ///
    /// # Errors
    /// The directory is in use, somebody else's, damaged or unreadable.
    pub fn open(path: &Path, owner: Owner, limits: Limits, metrics: StoreMetrics) -> Result<Self, OpenError> {
        let begin = Instant::now();
        let directory = Directory::open(path, owner)?;
        let epoch = Epoch::open(directory.root())?;
        directory.set_leftovers_aside()?;
        let (index, stored_bytes) = load(&directory)?;
        let quarantined = directory.quarantined()?;
        metrics.quarantined.set(i64::try_from(quarantined).unwrap_or(i64::MAX));
        let shards = index.totals().shards;
        tracing::info!(shards, stored_bytes, quarantined, took = ?begin.elapsed(), "store opened");
        let shared = Shared {
            directory: Arc::new(directory),
            index,
            epoch,
            room: Room::new(limits, stored_bytes),
            buckets: std::array::from_fn(|_| Mutex::default()),
            metrics,
        };
        Ok(Self { shared: Arc::new(shared), places: Arc::new(Semaphore::new(CONCURRENCY)) })
    }

    /// Whose it is.
    pub fn owner(&self) -> Owner {
        self.shared.directory.owner()
    }

    /// The highest epoch that anyone has shown.
    pub fn epoch(&self) -> u64 {
        self.shared.epoch.highest()
    }

    /// Begins to write a shard.
    ///
    /// # Errors
    /// `Stale` if a later epoch was seen, `Full` if there is no room for anything, or a failure of the disk.
    pub async fn put(&self, head: ShardHead) -> Result<ShardWriter, ShardError> {
        self.blocking(move |shared| shared.admit_put(&head)).await??;
        ShardWriter::new(self.clone(), head)
    }

    /// Opens a shard for reading.
    ///
    /// # Errors
    /// `NotFound`, `Corrupt` if its header does not verify, or a failure of the disk.
    pub async fn get(&self, key: ShardKey) -> Result<ShardReader, ShardError> {
        ShardReader::open(self.clone(), key).await
    }

    /// Removes shards under a lease's epoch; one outcome per key, in order. Once begun, it runs to its end.
    ///
    /// # Errors
    /// `Stale` if a later epoch was seen, or the epoch cannot be remembered.
    pub async fn delete(&self, keys: Vec<ShardKey>, epoch: u64) -> Result<Vec<Deleted>, ShardError> {
        self.blocking(move |shared| shared.delete(&keys, epoch)).await?
    }

    /// The next shards beyond `after` whose headers verified at start or since, in key order.
    pub fn list(&self, after: Option<ShardKey>, count_max: usize) -> Vec<Shard> {
        self.shared.index.page(after, count_max)
    }

    /// Reads a whole shard and checks every cell.
    ///
    /// # Errors
    /// As [`Store::get`] and [`ShardReader::next`].
    pub async fn verify(&self, key: ShardKey) -> Result<Shard, ShardError> {
        let reader = self.get(key).await?;
        reader.verify().await?;
        Ok(reader.shard())
    }

    /// How full the node is. Asks the file system.
    ///
    /// # Errors
    /// The file system does not say.
    pub fn usage(&self) -> Result<Usage, ShardError> {
        let usage = self.shared.room.usage(self.shared.directory.root())?;
        Ok(Usage { shards: self.shared.index.totals().shards, ..usage })
    }

    /// Bytes of all cells, without headers and checksums.
    pub fn shard_bytes(&self) -> u64 {
        self.shared.index.totals().shard_bytes
    }

    /// Proves that a file can be made, and that nothing failed which only a restart sets right.
    ///
    /// # Errors
    /// A sentence for who looks after the node.
    pub async fn try_write(&self) -> Result<(), ShardError> {
        self.blocking(|shared| {
            shared.all_synced()?;
            let made = Temporary::create(shared.directory.clone()).map(drop);
            made.map_err(|errno| error::disk("make a file", errno))
        })
        .await?
    }

    /// Runs `work` where it may block, when there is a place.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> T + Send + 'static,
    ) -> Result<T, ShardError> {
        let broken = || error(ShardErrorKind::Unavailable, "the work on the disk broke off");
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| broken())?;
        let shared = Arc::clone(&self.shared);
        let running = tokio::task::spawn_blocking(move || {
            let result = work(&shared);
            drop(place);
            result
        });
        running.await.map_err(|_| broken())
    }
}

impl Shared {
    fn cluster(&self) -> ClusterId {
        self.directory.owner().cluster
    }

    fn admit_put(&self, head: &ShardHead) -> Result<(), ShardError> {
        // A shard of nothing is the least that can come; what comes is checked part by part.
        let room = self.room.reserve(self.directory.root(), header::HEADER_BYTES as u64)?;
        drop(room);
        self.admit(head.epoch())
    }
}

/// Reads what is on the disk; what is no shard is set aside.
fn load(directory: &Directory) -> Result<(Index, u64), OpenError> {
    let index = Index::default();
    let stored = scan::each_bucket(|bucket| {
        let mut stored_bytes = 0;
        for found in scan::bucket(directory, bucket)? {
            stored_bytes += note(directory, bucket, &index, found)?;
        }
        Ok(stored_bytes)
    })?;
    Ok((index, stored.into_iter().sum()))
}

fn note(directory: &Directory, bucket: u8, index: &Index, found: Found) -> Result<u64, OpenError> {
    match found {
        Found::Shard { key, stored_bytes, shard } => {
            if let Err(fault) = &shard {
                tracing::warn!(shard = %key, %fault, "shard does not verify");
            }
            index.insert(key, Entry { shard: shard.ok(), stored_bytes });
            Ok(stored_bytes)
        }
        Found::Stranger(name) => {
            let failed = || OpenError::io(format!("set {} aside", name.display()));
            let fd = directory.bucket(bucket).map_err(failed())?;
            let kept = directory.set_aside(fd.as_fd(), &name).map_err(failed())?;
            tracing::warn!(name = %name.display(), kept, "file that is no shard set aside");
            Ok(0)
        }
    }
}

//! One node's shards on one disk. Nobody outside knows how they lie there.
//!
//! Small shards are appended to a log that many share; a large one has a file of its own. What is returned has been verified,
//! what is acknowledged is durable. How it works is told in `docs/decisions/0012-segments-and-group-commit.md`.

mod aligned;
mod aside;
mod batch;
mod block_writer;
mod check;
mod commit;
mod compact;
mod directory;
mod epoch;
mod error;
mod header;
mod incoming;
mod index;
mod keys;
mod load;
mod log;
mod log_index;
mod put;
mod read;
mod records;
mod reserve;
mod room;
mod scan;
mod segment;
mod segments;
mod solo;
mod survey;
mod tend;
mod work;

pub use aside::Aside;
pub use check::{Bad, Place, Summary, check, places};
pub use commit::Deleted;
pub use directory::{OpenError, Owner};
pub use put::ShardWriter;
pub use read::{ShardReader, Unverified};
pub use room::{Limits, Usage};
pub use segment::Sizes;
pub use work::Work;

use crate::{
    disk::{Access, Disk, Folder, RealDisk},
    metrics::StoreMetrics,
    shard::{Shard, ShardHead, ShardKey},
};
use aligned::Pool;
use asterism_proto::{ClusterId, ShardError};
use directory::Directory;
use epoch::Epoch;
use index::Index;
use keys::Keys;
use log::Log;
use reserve::Reserve;
use room::Room;
use segments::Segments;
use std::{
    ffi::OsString,
    path::Path,
    sync::{Arc, Mutex, atomic::AtomicBool},
};
use tend::Garbage;
use work::Workers;

/// The shards of one directory; clones share them.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    directory: Directory,
    index: Index,
    segments: Segments,
    log: Log,
    keys: Arc<Keys>,
    epoch: Epoch,
    room: Room,
    reserve: Reserve,
    garbage: Mutex<Vec<Garbage>>,
    tending: AtomicBool,
    pool: Pool,
    workers: Workers,
    sizes: Sizes,
    metrics: StoreMetrics,
}

impl Store {
    /// Opens the store of `owner` in the directory `path`, or makes it there.
    ///
    /// # Errors
    /// The directory is in use, somebody else's, damaged or unreadable.
    pub fn open(path: &Path, owner: Owner, limits: Limits, metrics: StoreMetrics) -> Result<Self, OpenError> {
        let disk = RealDisk::open_or_make(path).map_err(OpenError::io(format!("open {}", path.display())))?;
        Self::open_on(Arc::new(disk), owner, limits, metrics, Work::default())
    }

    /// Opens the store of `owner` on `disk`, or makes it there.
    ///
    /// # Errors
    /// The directory is in use, somebody else's, damaged or unreadable.
    pub fn open_on(
        disk: Arc<dyn Disk>,
        owner: Owner,
        limits: Limits,
        metrics: StoreMetrics,
        work: Work,
    ) -> Result<Self, OpenError> {
        Self::open_sized(disk, owner, limits, metrics, work, Sizes::default())
    }

    /// As [`Store::open_on`], with logs of another size.
    ///
    /// # Errors
    /// As [`Store::open_on`].
    pub fn open_sized(
        disk: Arc<dyn Disk>,
        owner: Owner,
        limits: Limits,
        metrics: StoreMetrics,
        work: Work,
        sizes: Sizes,
    ) -> Result<Self, OpenError> {
        Ok(Self { shared: Arc::new(load::load(disk, owner, limits, metrics, work, sizes)?) })
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
        // A shard of nothing is the least that can come; what comes is checked part by part.
        drop(self.shared.room.reserve(&**self.shared.disk(), header::HEADER_BYTES as u64)?);
        self.shared.admit(head.epoch()).await?;
        ShardWriter::new(self, head)
    }

    /// Opens a shard for reading.
    ///
    /// # Errors
    /// `NotFound`, `Corrupt` if its header does not verify, or a failure of the disk.
    pub async fn get(&self, key: ShardKey) -> Result<ShardReader, ShardError> {
        ShardReader::open(self, key, false).await
    }

    /// Removes shards under a lease's epoch; one outcome per key, in order. Once begun, it runs to its end.
    ///
    /// # Errors
    /// `Stale` if a later epoch was seen, or the epoch cannot be remembered.
    pub async fn delete(&self, keys: Vec<ShardKey>, epoch: u64) -> Result<Vec<Deleted>, ShardError> {
        let deleting = tokio::spawn(Arc::clone(&self.shared).delete(keys, epoch));
        deleting.await.map_err(|_| work::broken())?
    }

    /// The next shards beyond `after` whose headers verified at start or since, in key order.
    pub fn list(&self, after: Option<ShardKey>, count_max: usize) -> Vec<Shard> {
        self.shared.index.page(after, count_max)
    }

    /// Reads a whole shard and checks every cell: from the disk itself, where the file system can do that.
    ///
    /// # Errors
    /// As [`Store::get`] and [`ShardReader::verify`].
    pub async fn verify(&self, key: ShardKey) -> Result<Shard, Unverified> {
        let reader = ShardReader::open(self, key, true).await?;
        reader.verify().await?;
        Ok(reader.shard())
    }

    /// How full the node is. Asks the file system.
    ///
    /// # Errors
    /// The file system does not say.
    pub fn usage(&self) -> Result<Usage, ShardError> {
        let usage = self.shared.room.usage(&**self.shared.disk())?;
        Ok(Usage { shards: self.shared.index.totals().shards, ..usage })
    }

    /// Bytes of all cells, without headers and checksums.
    pub fn shard_bytes(&self) -> u64 {
        self.shared.index.totals().shard_bytes
    }

    /// How many logs there are, and how many bytes of them live and are dead.
    pub fn logs(&self) -> (u64, u64, u64) {
        let totals = self.shared.segments.totals();
        (totals.logs, totals.live_bytes, totals.dead_bytes)
    }

    /// Closes the log, so that the next start need not read it. What comes afterwards begins another.
    ///
    /// # Errors
    /// The disk fails; nothing is lost.
    pub async fn close(&self) -> Result<(), ShardError> {
        self.shared.seal().await?;
        self.tend().await
    }

    /// Does everything now that is done in the background: indexes, room to give back, compaction.
    ///
    /// # Errors
    /// The work broke off.
    pub async fn tend(&self) -> Result<(), ShardError> {
        let shared = Arc::clone(&self.shared);
        self.shared.workers.run(move || while shared.tend_once() {}).await
    }

    /// Proves that a file can be made, and that the disk has not failed too often.
    ///
    /// # Errors
    /// A sentence for who looks after the node.
    pub async fn try_write(&self) -> Result<(), ShardError> {
        let shared = Arc::clone(&self.shared);
        self.shared.workers.run(move || shared.try_write()).await?
    }
}

impl Shared {
    fn disk(&self) -> &Arc<dyn Disk> {
        self.directory.disk()
    }

    fn cluster(&self) -> ClusterId {
        self.directory.owner().cluster
    }

    fn try_write(&self) -> Result<(), ShardError> {
        self.log.check()?;
        let name = OsString::from(format!("{:016x}.try", self.segments.next_id()));
        let made = self.disk().open(Folder::Temporary, &name, Access::Create);
        made.map_err(|error| error::disk("make a file", error))?;
        self.disk().remove(Folder::Temporary, &name).map_err(|error| error::disk("remove a file", error))
    }
}

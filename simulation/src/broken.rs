//! Systems that are wrong on purpose: the oracle must find each of them, or it would find nothing.

use asterism_cluster::{
    Aside, AsideAct, Cell, Deleted, Extent, FoundShard, OpenShard, PutStep, ShardKey, Shards, Verified,
};
use asterism_erasure::cell_checksum;
use asterism_proto::{ExtentId, NodeId, ShardError, ShardErrorKind};
use asterism_storage_node::disk::{Access, Disk, DiskFile, Folder, SimDisk, Space};
use futures::{StreamExt, future::BoxFuture};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::mpsc;

/// What is wrong with a simulated cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Broken {
    /// Nothing: it is the product.
    #[default]
    Nothing,
    /// Nodes acknowledge what their disks have not synced.
    AcknowledgesBeforeSync,
    /// Some bytes are damaged on their way from nodes, and nobody looks at their checksums.
    TrustsBytes,
    /// A shard that one node does not have is taken as proof that its file was deleted.
    DeletesOnNotFound,
    /// Writers are told that a shard is durable when its last byte was sent.
    AcknowledgesWhatWasSent,
}

impl Broken {
    /// The disk as a store sees it.
    pub(crate) fn disk(self, disk: &SimDisk) -> Arc<dyn Disk> {
        match self {
            Self::AcknowledgesBeforeSync => Arc::new(Lying(Arc::new(disk.clone()))),
            _ => Arc::new(disk.clone()),
        }
    }

    /// The nodes as the index-server sees them.
    pub(crate) fn shards<S: Shards>(self, shards: Arc<S>) -> Arc<dyn Shards> {
        match self {
            Self::Nothing | Self::AcknowledgesBeforeSync => shards,
            _ => Arc::new(Crooked { broken: self, shards, extents: Mutex::default(), read: Arc::default() }),
        }
    }
}

/// A disk that says of every shard that it is synced.
#[derive(Debug)]
struct Lying(Arc<dyn Disk>);

impl Disk for Lying {
    fn make_folder(&self, folder: Folder) -> io::Result<()> {
        self.0.make_folder(folder)
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        self.0.lock()
    }

    fn open(&self, folder: Folder, name: &OsStr, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.0.open(folder, name, access)?;
        let holds_shards = matches!(folder, Folder::Segments | Folder::Temporary);
        Ok(if holds_shards { Arc::new(LyingFile(file)) } else { file })
    }

    fn rename(&self, from: (Folder, &OsStr), to: (Folder, &OsStr)) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, folder: Folder, name: &OsStr) -> io::Result<()> {
        self.0.remove(folder, name)
    }

    fn names(&self, folder: Folder) -> io::Result<Vec<OsString>> {
        self.0.names(folder)
    }

    fn sync_folder(&self, folder: Folder) -> io::Result<()> {
        self.0.sync_folder(folder)
    }

    fn space(&self) -> io::Result<Space> {
        self.0.space()
    }
}

#[derive(Debug)]
struct LyingFile(Arc<dyn DiskFile>);

impl DiskFile for LyingFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_at(bytes, offset)
    }

    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.0.set_length(length)
    }

    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        self.0.allocate(offset, length)
    }

    fn punch(&self, offset: u64, length: u64) -> io::Result<()> {
        self.0.punch(offset, length)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn is_direct(&self) -> bool {
        self.0.is_direct()
    }
}

/// Nodes of which the index-server gets a wrong picture.
struct Crooked<S> {
    broken: Broken,
    shards: Arc<S>,
    /// Extents that were written, to know their codes and nodes, with the epoch of the last writer.
    extents: Mutex<BTreeMap<ExtentId, (Extent, u64)>>,
    /// Cells that were read.
    read: Arc<AtomicU64>,
}

impl<S: Shards> Crooked<S> {
    fn extent(&self, key: ShardKey) -> Option<(Extent, u64)> {
        self.extents.lock().unwrap_or_else(PoisonError::into_inner).get(&key.extent).cloned()
    }
}

impl<S: Shards> Shards for Crooked<S> {
    fn put(
        &self,
        node: NodeId,
        extent: &Extent,
        slot: usize,
        epoch: u64,
        mut steps: mpsc::Receiver<PutStep>,
    ) -> BoxFuture<'static, Result<u64, ShardError>> {
        let written = (extent.clone(), epoch);
        self.extents.lock().unwrap_or_else(PoisonError::into_inner).insert(extent.id, written);
        if self.broken != Broken::AcknowledgesWhatWasSent {
            return self.shards.put(node, extent, slot, epoch, steps);
        }
        let (sender, passed_on) = mpsc::channel(1024);
        let writing = self.shards.put(node, extent, slot, epoch, passed_on);
        tokio::spawn(writing);
        Box::pin(async move {
            let mut bytes = 0;
            while let Some(step) = steps.recv().await {
                if let PutStep::Cell(cell) = &step {
                    bytes += cell.data.len() as u64;
                }
                let ended = matches!(step, PutStep::Finish { .. });
                let gone = || ShardError::new(ShardErrorKind::Unavailable, "the node went away");
                sender.send(step).await.map_err(|_| gone())?;
                if ended {
                    return Ok(bytes);
                }
            }
            Err(ShardError::new(ShardErrorKind::Invalid, "the writer went away"))
        })
    }

    fn get(
        &self,
        node: NodeId,
        key: ShardKey,
        first_cell: u32,
        cells: u32,
    ) -> BoxFuture<'static, Result<OpenShard, ShardError>> {
        let (broken, extent, read) = (self.broken, self.extent(key), Arc::clone(&self.read));
        let opening = self.shards.get(node, key, first_cell, cells);
        let shards = Arc::clone(&self.shards);
        Box::pin(async move {
            match (broken, opening.await, extent) {
                (Broken::TrustsBytes, Ok(opened), Some((extent, _))) => {
                    Ok(damaged(opened, &extent, key, first_cell, read))
                }
                (Broken::DeletesOnNotFound, Err(error), Some((extent, epoch)))
                    if error.kind == ShardErrorKind::NotFound =>
                {
                    for (slot, node) in extent.nodes.iter().enumerate() {
                        shards.delete(*node, vec![extent.key(slot)], epoch).await.ok();
                    }
                    Err(error)
                }
                (_, opened, _) => opened,
            }
        })
    }

    fn delete(
        &self,
        node: NodeId,
        keys: Vec<ShardKey>,
        epoch: u64,
    ) -> BoxFuture<'static, Result<Vec<Deleted>, ShardError>> {
        self.shards.delete(node, keys, epoch)
    }

    fn verify(
        &self,
        node: NodeId,
        keys: Vec<ShardKey>,
    ) -> BoxFuture<'static, Result<Vec<Verified>, ShardError>> {
        self.shards.verify(node, keys)
    }

    fn aside(
        &self,
        node: NodeId,
        act: AsideAct,
        keys: Vec<ShardKey>,
        epoch: u64,
    ) -> BoxFuture<'static, Result<Vec<Aside>, ShardError>> {
        self.shards.aside(node, act, keys, epoch)
    }

    fn list(
        &self,
        node: NodeId,
        after: Option<ShardKey>,
    ) -> BoxFuture<'static, Result<Vec<FoundShard>, ShardError>> {
        self.shards.list(node, after)
    }
}

/// The same cells but for some bits in every fourth, with checksums that fit whatever they hold.
fn damaged(
    opened: OpenShard,
    extent: &Extent,
    key: ShardKey,
    first_cell: u32,
    read: Arc<AtomicU64>,
) -> OpenShard {
    let identity = extent.identity(usize::from(key.slot));
    let numbered = opened.cells.zip(futures::stream::iter(first_cell..));
    let cells = numbered.map(move |(cell, index)| {
        cell.map(|Cell { data, .. }| {
            let mut data = data.to_vec();
            if read.fetch_add(1, Ordering::Relaxed) % 4 == 3 {
                data.iter_mut().for_each(|byte| *byte ^= 1);
            }
            Cell { checksum: cell_checksum(&identity, index, &data), data: data.into() }
        })
    });
    OpenShard { extent_bytes: opened.extent_bytes, cells: cells.boxed() }
}

//! The port to storage nodes.

use crate::extent::{Extent, ShardKey};
use asterism_erasure::Policy;
use asterism_proto::{ClusterId, NodeId, ShardError};
use bytes::Bytes;
use futures::{future::BoxFuture, stream::BoxStream};
use tokio::sync::mpsc;

/// Some bytes of a shard with the checksum that binds them to their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The bytes.
    pub data: Bytes,
    /// `cell_checksum` of the bytes in this place.
    pub checksum: u64,
}

/// What a writer sends, in order: cells, then the end. A channel that closes without an end discards the shard.
#[derive(Clone, Debug)]
pub enum PutStep {
    /// The next cell.
    Cell(Cell),
    /// All cells were sent; the extent's content has this many bytes.
    Finish {
        /// Without padding.
        extent_bytes: u64,
    },
}

/// A shard's cells in order, beginning with the first one asked for.
pub type CellStream = BoxStream<'static, Result<Cell, ShardError>>;

/// A shard that a node has opened for reading.
pub struct OpenShard {
    /// Of the extent, as the shard itself says.
    pub extent_bytes: u64,
    /// The cells asked for.
    pub cells: CellStream,
}

/// What became of a shard that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone now.
    Removed,
    /// It was not there.
    Absent,
    /// The node could not do it.
    Failed,
}

/// What a node found when it read a whole shard from its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// Every cell verifies.
    Valid,
    /// The node does not have it.
    Absent,
    /// Something in it does not verify.
    Corrupt {
        /// Cells that do not; 1 where the shard as a whole cannot be told.
        bad_cells: u32,
    },
    /// It could not be read; proves nothing.
    Failed,
}

/// What is done with shards that nothing names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsideAct {
    /// Out of the way: not listed or found any more; the bytes stay on the node.
    SetAside,
    /// Stored again, each cell checked.
    BringBack,
    /// Removed for good.
    LetGo,
}

/// What became of a shard that was to be set aside, brought back or let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// It was done.
    Done,
    /// There is no such shard, or none that was set aside.
    Absent,
    /// The node could not do it.
    Failed,
}

/// A shard as a node lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundShard {
    /// Which one.
    pub key: ShardKey,
    /// Whose, as its header says.
    pub cluster: ClusterId,
    /// The code of its extent.
    pub policy: Policy,
    /// Size of a full cell.
    pub cell_bytes: usize,
    /// Of the extent.
    pub extent_bytes: u64,
    /// Of the writer, when it wrote.
    pub epoch: u64,
}

/// The shards of all nodes. Every call has a deadline of its own; a call that is dropped is cancelled.
pub trait Shards: Send + Sync + 'static {
    /// Writes one shard and answers when it is durable, with the bytes of its cells.
    fn put(
        &self,
        node: NodeId,
        extent: &Extent,
        slot: usize,
        epoch: u64,
        steps: mpsc::Receiver<PutStep>,
    ) -> BoxFuture<'static, Result<u64, ShardError>>;

    /// Opens a shard at `first_cell`; the caller verifies what comes.
    fn get(
        &self,
        node: NodeId,
        key: ShardKey,
        first_cell: u32,
        cells: u32,
    ) -> BoxFuture<'static, Result<OpenShard, ShardError>>;

    /// Deletes shards under a lease's epoch; one outcome per key, in order.
    fn delete(
        &self,
        node: NodeId,
        keys: Vec<ShardKey>,
        epoch: u64,
    ) -> BoxFuture<'static, Result<Vec<Deleted>, ShardError>>;

    /// Has the node read whole shards from its disk; one outcome per key, in order.
    fn verify(
        &self,
        node: NodeId,
        keys: Vec<ShardKey>,
    ) -> BoxFuture<'static, Result<Vec<Verified>, ShardError>>;

    /// Sets shards aside, brings them back or lets them go, under a lease's epoch; one outcome per key, in order.
    fn aside(
        &self,
        node: NodeId,
        act: AsideAct,
        keys: Vec<ShardKey>,
        epoch: u64,
    ) -> BoxFuture<'static, Result<Vec<Aside>, ShardError>>;

    /// A page of the node's shards beyond `after`, in key order; empty at the end.
    fn list(
        &self,
        node: NodeId,
        after: Option<ShardKey>,
    ) -> BoxFuture<'static, Result<Vec<FoundShard>, ShardError>>;
}

//! Copying a shard from the node that has it to another one, or rebuilding it there from the others.

use crate::{
    extent::Extent,
    rebuild::{RebuildError, rebuild},
    shards::{Cell, CellStream, PutStep, Shards},
};
use asterism_erasure::cell_checksum;
use asterism_proto::{NodeId, ShardError, ShardErrorKind};
use futures::StreamExt;
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::timeout};

/// Cells on their way from node to node; bounds memory when the taker is slower.
const CELLS_IN_FLIGHT: usize = 3;
/// A node that sends nothing for this long has failed the copy.
const CELL_DEADLINE: Duration = Duration::from_secs(10);

/// How a shard came to its new node.
#[derive(Debug)]
pub enum Relocation {
    /// Cell by cell from the node that had it.
    Copied,
    /// Made anew from the others, because the node that had it did not give it.
    Rebuilt(Option<ShardError>),
}

/// What is to be brought where.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// With the nodes as they are.
    pub extent: Extent,
    /// Of its content.
    pub extent_bytes: u64,
    /// Which shard.
    pub slot: usize,
    /// Where to.
    pub to: NodeId,
    /// The shard is worth asking for where it is.
    pub copy: bool,
    /// The slots worth asking when it must be rebuilt, best first.
    pub order: Vec<usize>,
}

/// Brings a shard to another node: copied if its own node gives it, every cell checked on the way; else rebuilt from `k` others. It is
/// durable there when this answers, and is yet to be counted.
///
/// # Errors
/// See [`RebuildError`]; nothing that was there before is touched.
pub async fn relocate(
    shards: &Arc<dyn Shards>,
    transfer: &Transfer,
    epoch: u64,
) -> Result<Relocation, RebuildError> {
    let Transfer { extent, extent_bytes, slot, to, copy, order } = transfer;
    let mut there = extent.clone();
    there.nodes[*slot] = *to;
    let mut fault = None;
    if *copy {
        match copied(shards, extent, &there, *extent_bytes, *slot, epoch).await? {
            Ok(()) => return Ok(Relocation::Copied),
            Err(source) => fault = Some(source),
        }
    }
    rebuild(shards, &there, *extent_bytes, *slot, order.iter().copied(), epoch).await?;
    Ok(Relocation::Rebuilt(fault))
}

/// The inner error is the source's: the shard may yet be rebuilt.
async fn copied(
    shards: &Arc<dyn Shards>,
    extent: &Extent,
    there: &Extent,
    extent_bytes: u64,
    slot: usize,
    epoch: u64,
) -> Result<Result<(), ShardError>, RebuildError> {
    let cells = extent.layout(extent_bytes)?.stripes();
    let opened = match shards.get(extent.nodes[slot], extent.key(slot), 0, cells).await {
        Ok(opened) if opened.extent_bytes == extent_bytes => opened,
        Ok(_) => return Ok(Err(ShardError::new(ShardErrorKind::Corrupt, "the shard has another length"))),
        Err(error) => return Ok(Err(error)),
    };
    let (sender, steps) = mpsc::channel(CELLS_IN_FLIGHT);
    let put = shards.put(there.nodes[slot], there, slot, epoch, steps);
    let (fed, put) = tokio::join!(feed(opened.cells, extent, slot, cells, extent_bytes, sender), put);
    match fed {
        Ok(()) => put.map(|_| Ok(())).map_err(RebuildError::Put),
        Err(error) => Ok(Err(error)),
    }
}

/// Sends the cells on. A sender that is dropped before the end makes the node discard the shard.
async fn feed(
    mut source: CellStream,
    extent: &Extent,
    slot: usize,
    cells: u32,
    extent_bytes: u64,
    sender: mpsc::Sender<PutStep>,
) -> Result<(), ShardError> {
    let identity = extent.identity(slot);
    for index in 0..cells {
        let Cell { data, checksum } = next(&mut source).await?;
        if checksum != cell_checksum(&identity, index, &data) {
            return Err(ShardError::new(ShardErrorKind::Corrupt, "a cell is not the one that was stored"));
        }
        if sender.send(PutStep::Cell(Cell { data, checksum })).await.is_err() {
            return Ok(()); // The put has ended and knows why.
        }
    }
    if sender.send(PutStep::Finish { extent_bytes }).await.is_err() {
        tracing::debug!(extent = %extent.id, slot, "node ended the write before its end");
    }
    Ok(())
}

async fn next(source: &mut CellStream) -> Result<Cell, ShardError> {
    match timeout(CELL_DEADLINE, source.next()).await {
        Ok(Some(cell)) => cell,
        Ok(None) => Err(ShardError::new(ShardErrorKind::Corrupt, "the shard ends too early")),
        Err(_) => Err(ShardError::new(ShardErrorKind::Unavailable, "the node sends nothing")),
    }
}

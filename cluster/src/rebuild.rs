//! Rebuilding lost shards from `k` good ones, and counting them on their nodes' disks.

use crate::{
    extent::Extent,
    gather::Gather,
    hedge::HedgeDelay,
    read::reconstruct,
    shards::{Cell, PutStep, Shards, Verified},
};
use asterism_erasure::{CodeError, LayoutError, cell_checksum};
use asterism_proto::ShardError;
use asterism_service::failpoint;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Cells on their way to the node; bounds memory when the node is slower than the sources.
const CELLS_IN_FLIGHT: usize = 3;

/// Why a shard was not rebuilt. What is there stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// Fewer shards than `k` can be read.
    #[error("only {readable} of {needed} shards can be read")]
    TooFew {
        /// Shards that gave good cells.
        readable: usize,
        /// `k`.
        needed: usize,
    },
    /// The node did not take the new shard.
    #[error("the new shard was not written: {0}")]
    Put(ShardError),
    /// The node took it, but a count of its disk does not show it as valid.
    #[error("the new shard was written but is {0:?} on the node's disk")]
    NotCounted(Verified),
    /// The metadata speaks of an extent that cannot be.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The cells that came cannot be decoded.
    #[error(transparent)]
    Code(#[from] CodeError),
}

/// Rebuilds the shard of `slot` on its node from the slots in `order`, and answers once the node has read it back
/// from its disk as valid.
///
/// # Errors
/// See [`RebuildError`]; nothing that was good before is touched.
pub async fn rebuild(
    shards: &Arc<dyn Shards>,
    extent: &Extent,
    extent_bytes: u64,
    slot: usize,
    order: impl IntoIterator<Item = usize>,
    epoch: u64,
) -> Result<(), RebuildError> {
    let layout = extent.layout(extent_bytes)?;
    let order: Vec<usize> = order.into_iter().filter(|&source| source != slot).collect();
    let sources = Gather::new(
        Arc::clone(shards),
        extent.clone(),
        layout,
        0..layout.stripes(),
        order,
        Arc::<HedgeDelay>::default(),
    );
    let (sender, steps) = mpsc::channel(CELLS_IN_FLIGHT);
    let node = extent.nodes[slot];
    failpoint::hit("repair.before_put");
    let put = shards.put(node, extent, slot, epoch, steps);
    let (fed, put) = tokio::join!(feed(sources, extent, extent_bytes, slot, sender), put);
    fed?;
    put.map_err(RebuildError::Put)?;
    failpoint::hit("repair.written");
    let counted = shards.verify(node, vec![extent.key(slot)]).await.map_err(RebuildError::Put)?;
    match counted.first() {
        Some(Verified::Valid) => {
            failpoint::hit("repair.counted");
            Ok(())
        }
        other => Err(RebuildError::NotCounted(other.copied().unwrap_or(Verified::Failed))),
    }
}

/// Sends the rebuilt cells. A sender that is dropped before the end makes the node discard the shard.
async fn feed(
    mut sources: Gather,
    extent: &Extent,
    extent_bytes: u64,
    slot: usize,
    sender: mpsc::Sender<PutStep>,
) -> Result<(), RebuildError> {
    let code = extent.code()?;
    let identity = extent.identity(slot);
    while let Some(stripe) = sources.next().await {
        let stripe =
            stripe.map_err(|readable| RebuildError::TooFew { readable, needed: extent.policy.data() })?;
        for data in reconstruct(&code, &stripe.cells, &[slot])? {
            let checksum = cell_checksum(&identity, stripe.index, &data);
            if sender.send(PutStep::Cell(Cell { data, checksum })).await.is_err() {
                return Ok(()); // The put has ended and knows why.
            }
        }
    }
    if sender.send(PutStep::Finish { extent_bytes }).await.is_err() {
        tracing::debug!(extent = %extent.id, slot, "node ended the write before its end");
    }
    Ok(())
}

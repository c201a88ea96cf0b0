//! Deletion: shards that committed metadata says must go, removed on each node and kept on the list until it confirmed.

use crate::{
    catalog::{CatalogError, Removal},
    files::Extents,
    workers::WorkerState,
};
use asterism_cluster::{Deleted, ShardKey};
use asterism_proto::NodeId;

/// Shards removed by one call.
const BATCH: u32 = 512;

pub(super) struct Deletion {
    pub(super) extents: Extents,
    pub(super) state: WorkerState,
}

impl Deletion {
    /// One pass over all nodes that are there; true if more may be waiting for one of them.
    pub(super) async fn pass(&self) -> Result<bool, CatalogError> {
        let mut more = false;
        for node in self.extents.catalog.nodes_with_removals().await? {
            if self.extents.members.is_heard(node) {
                more |= self.node(node).await?;
            }
        }
        self.state.set_queue(self.extents.catalog.removal_count().await?);
        Ok(more)
    }

    async fn node(&self, node: NodeId) -> Result<bool, CatalogError> {
        let removals = self.extents.catalog.removals_of(node, BATCH).await?;
        let keys = removals.iter().map(|removal| ShardKey { extent: removal.extent, slot: removal.slot }).collect();
        match self.extents.shards.delete(node, keys, self.extents.epoch()).await {
            Ok(outcomes) => {
                let gone = |(removal, outcome): (&Removal, Deleted)| (outcome != Deleted::Failed).then_some(removal.id);
                let confirmed: Vec<i64> = removals.iter().zip(outcomes).filter_map(gone).collect();
                self.extents.catalog.confirm_removals(&confirmed).await?;
                if !confirmed.is_empty() {
                    self.state.succeeded(confirmed.len() as u64);
                }
                if confirmed.len() < removals.len() {
                    self.state.failed("a node could not remove some shards");
                }
                Ok(!confirmed.is_empty() && removals.len() as u32 == BATCH)
            }
            Err(error) => {
                tracing::warn!(%node, %error, "shards not removed, will be tried again");
                self.state.failed(error);
                Ok(false)
            }
        }
    }
}

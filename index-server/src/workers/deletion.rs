//! Deletion: shards that committed metadata says must go, removed on each node and kept on the list until it confirmed.

use crate::{
    catalog::{CatalogError, Removal},
    files::Extents,
    workers::WorkerState,
};
use asterism_cluster::{Deleted, ShardKey};
use asterism_proto::NodeId;
use asterism_service::failpoint;

/// Shards removed by one call.
const BATCH: u32 = 512;

pub(super) struct Deletion {
    pub(super) extents: Extents,
    pub(super) state: WorkerState,
}

impl Deletion {
    /// One pass over all nodes that are there; true if more may be waiting for one of them.
    pub(super) async fn pass(&self) -> Result<bool, CatalogError> {
        let (mut more, mut trouble) = (false, None);
        let behind = self.extents.members.behind();
        let with_removals = self.extents.catalog.nodes_with_removals().await?;
        for node in behind.iter().filter(|node| !with_removals.contains(node)) {
            self.extents.members.caught_up(*node);
        }
        for node in with_removals {
            if self.extents.members.is_heard(node) {
                let outcome = self.node(node).await?;
                if !outcome.more && outcome.trouble.is_none() {
                    self.extents.members.caught_up(node);
                }
                more |= outcome.more;
                trouble = trouble.or(outcome.trouble);
            }
        }
        // Last, so that what worked elsewhere does not hide it.
        if let Some(trouble) = trouble {
            self.state.failed(trouble);
        }
        self.state.set_queue(self.extents.catalog.removal_count().await?);
        Ok(more)
    }

    async fn node(&self, node: NodeId) -> Result<Outcome, CatalogError> {
        let removals = self.extents.catalog.removals_of(node, BATCH).await?;
        let keys =
            removals.iter().map(|removal| ShardKey { extent: removal.extent, slot: removal.slot }).collect();
        failpoint::hit("deletion.before_call");
        let outcomes = match self.extents.shards.delete(node, keys, self.extents.epoch()).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                tracing::warn!(%node, %error, "shards not removed, will be tried again");
                return Ok(Outcome { more: false, trouble: Some(error.to_string()) });
            }
        };
        failpoint::hit("deletion.node_done");
        let gone =
            |(removal, outcome): (&Removal, Deleted)| (outcome != Deleted::Failed).then_some(removal.id);
        let confirmed: Vec<i64> = removals.iter().zip(outcomes).filter_map(gone).collect();
        self.extents.catalog.confirm_removals(&confirmed).await?;
        failpoint::hit("deletion.confirmed");
        if !confirmed.is_empty() {
            self.state.succeeded(confirmed.len() as u64);
        }
        Ok(Outcome {
            more: !confirmed.is_empty() && removals.len() as u32 == BATCH,
            trouble: (confirmed.len() < removals.len()).then(|| "a node could not remove some shards".into()),
        })
    }
}

/// How it went at one node.
struct Outcome {
    more: bool,
    trouble: Option<String>,
}

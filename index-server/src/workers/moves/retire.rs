//! The end of a node's time in the cluster: it has given everything away, was counted, and is done with.

use super::Moves;
use crate::{
    catalog::{CatalogError, Intent},
    members::Member,
};
use asterism_cluster::FoundShard;
use asterism_proto::{NodeId, ShardError};

impl Moves {
    /// Retires the nodes that are to be and hold nothing any more; true if one was, or has leftovers that are being removed.
    pub(super) async fn retire_the_empty(&self) -> Result<bool, CatalogError> {
        let draining = |member: &Member| member.row.intent == Intent::Draining;
        let draining: Vec<Member> = self.extents.members.all().into_iter().filter(draining).collect();
        if draining.is_empty() {
            return Ok(false);
        }
        let (shares, mut done) = (self.extents.catalog.shares().await?, false);
        for member in
            draining.iter().filter(|member| shares.get(&member.row.id).is_some_and(|share| share.retire))
        {
            done |= self.retire_if_empty(member).await?;
        }
        Ok(done)
    }

    async fn retire_if_empty(&self, member: &Member) -> Result<bool, CatalogError> {
        let (catalog, node) = (&self.extents.catalog, member.row.id);
        let held = catalog.holdings(node).await?;
        if held.positions + held.elsewhere + held.arriving > 0 {
            return Ok(false);
        }
        if member.is_heard() {
            if held.removals > 0 {
                return Ok(false); // They are on their way out.
            }
            match self.leftovers(node).await {
                Ok(left) if left.is_empty() => {}
                Ok(left) => return self.clear_away(node, &left).await,
                Err(error) => {
                    tracing::warn!(%node, %error, "node not counted, will be tried again");
                    self.state.failed(error);
                    return Ok(false);
                }
            }
        } else if member.age().is_some_and(|age| age < self.patience) {
            return Ok(false); // It may be back in a moment, and then it is counted.
        }
        match catalog.retire(node).await {
            Ok(()) => {}
            Err(CatalogError::Conflict(_)) => return Ok(false),
            Err(error) => return Err(error),
        }
        self.extents.members.set_intent(node, Intent::Retired);
        tracing::info!(%node, name = %member.row.name, "node retired: it holds nothing any more");
        Ok(true)
    }

    /// The first shards on the node's own list.
    async fn leftovers(&self, node: NodeId) -> Result<Vec<FoundShard>, ShardError> {
        self.extents.shards.list(node, None).await
    }

    /// Shards that no catalog row and no removal speaks of: remains of uploads that broke off, or of copies that a crash forgot. Those
    /// of extents that are elsewhere, or nowhere, are removed; what may still become a file is waited for.
    async fn clear_away(&self, node: NodeId, left: &[FoundShard]) -> Result<bool, CatalogError> {
        let mut queued = false;
        for shard in left.iter().filter(|shard| shard.cluster == self.extents.cluster) {
            match self.extents.catalog.extent(shard.key.extent).await {
                Ok(_) => {
                    self.extents.catalog.remove_shard(shard.key.extent, shard.key.slot, node).await?;
                    queued = true;
                }
                Err(CatalogError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if !queued {
            self.state
                .failed(format!("a node that is to be retired holds {} shards of no file yet", left.len()));
        }
        Ok(queued)
    }
}

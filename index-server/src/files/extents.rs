//! What reading and writing extents needs, and how rows of the catalog become extents on nodes.

use crate::{
    catalog::{Catalog, CatalogError, ExtentRow, NewExtent},
    damage::{Damage, FoundBy},
    files::{Fresh, Running},
    members::Members,
};
use asterism_cluster::{Extent, HedgeDelay, ShardKey, Shards, StripePool, Verified, placement};
use asterism_erasure::{CELL_BYTES_MAX, Policy};
use asterism_proto::{ClusterId, NodeId, ShardError, ShardErrorKind};
use asterism_service::failpoint;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::Notify;

/// The way from rows to bytes; clones share it.
#[derive(Clone)]
pub struct Extents {
    /// This cluster.
    pub cluster: ClusterId,
    /// The code of new files.
    pub policy: Policy,
    /// Knows what is where.
    pub catalog: Catalog,
    /// Knows who is there.
    pub members: Members,
    /// The nodes.
    pub shards: Arc<dyn Shards>,
    /// Of the background lease, as last seen.
    pub epoch: Arc<AtomicU64>,
    /// When reads ask a spare node as well.
    pub hedge: Arc<HedgeDelay>,
    /// Told when something became short.
    pub repair: Arc<Notify>,
    /// The memory of all uploads together.
    pub stripes: Arc<StripePool>,
    /// What the tagger wants next.
    pub fresh: Arc<Fresh>,
    /// Uploads that are under way.
    pub running: Running,
    /// Damage that was found and made good.
    pub damage: Damage,
}

/// What all uploads together hold of stripes that are filled, coded or on their way: two dozen of them at full speed, and many
/// more that take turns.
const STRIPES_BYTES_MAX: usize = 96 << 20;

/// The memory of all uploads of one process under this policy.
pub fn stripes(policy: Policy) -> Arc<StripePool> {
    StripePool::new(policy, CELL_BYTES_MAX, STRIPES_BYTES_MAX)
}

impl Extents {
    /// The extent that a row describes; none if its group is not known.
    pub fn extent(&self, row: &ExtentRow) -> Option<Extent> {
        let policy = Policy::new(usize::from(row.data), usize::from(row.parity))?;
        let members = self.members.group(row.group)?;
        let mut nodes = placement::slots(row.id, &members, policy.total());
        for (slot, node) in &row.elsewhere {
            *nodes.get_mut(usize::from(*slot))? = *node;
        }
        (nodes.len() == policy.total()).then_some(Extent {
            cluster: self.cluster,
            id: row.id,
            policy,
            cell_bytes: row.cell_bytes as usize,
            nodes,
        })
    }

    /// The slots of an extent, best first: shards that are there on nodes that were heard, content before parity; then those on
    /// nodes that are silent or have stalled, which may yet answer. Shards that were found missing come last: when all else fails, one of them may be
    /// there again, as when a disk was put back.
    pub fn order(&self, extent: &Extent, missing: &[u8]) -> Vec<usize> {
        let mut slots: Vec<usize> = (0..extent.policy.total()).collect();
        slots.sort_by_key(|&slot| {
            (missing.contains(&(slot as u8)), !self.members.is_prompt(extent.nodes[slot]))
        });
        slots
    }

    /// Losses that the extent survives now.
    pub fn margin(&self, row: &ExtentRow, live: impl Fn(NodeId) -> bool) -> Option<i32> {
        let extent = self.extent(row)?;
        Some(margin(extent.policy, &extent.nodes, &row.short_slots, live))
    }

    /// Losses that an extent survives which was written a moment ago.
    pub fn margin_of_new(&self, extent: &NewExtent, live: impl Fn(NodeId) -> bool) -> Option<i32> {
        let policy = Policy::new(usize::from(extent.data), usize::from(extent.parity))?;
        Some(margin(policy, &extent.nodes, &extent.short_slots, live))
    }

    /// Notes shards that a read has proven to be missing or damaged; a silent or failing node proves nothing.
    pub async fn note_faults(&self, extent: &Extent, faults: Vec<(usize, ShardError)>) {
        for (slot, error) in faults {
            tracing::warn!(extent = %extent.id, slot, node = %extent.nodes[slot], %error, "shard could not be read");
            if !matches!(error.kind, ShardErrorKind::NotFound | ShardErrorKind::Corrupt) {
                continue;
            }
            let (node, key) = (extent.nodes[slot], extent.key(slot));
            // How much of it is bad: whoever rebuilds it takes the evidence away.
            let verdict = self.shards.verify(node, vec![key]).await;
            let verdict = verdict.ok().and_then(|verdicts| verdicts.first().copied());
            match self.note_damage(node, key, verdict.unwrap_or(Verified::Failed), FoundBy::Read).await {
                Ok(true) => failpoint::hit("read.fault_noted"),
                Ok(false) => {} // Known, or deleted or moved while it was being read.
                Err(error) => {
                    tracing::warn!(%error, "a bad shard could not be noted; the next read or scrub will")
                }
            }
        }
    }

    /// Notes that a shard is not good on its node, counts it if that was not known, and has it repaired; whether it was not known.
    ///
    /// # Errors
    /// The catalog cannot be asked.
    pub async fn note_damage(
        &self,
        node: NodeId,
        key: ShardKey,
        verdict: Verified,
        by: FoundBy,
    ) -> Result<bool, CatalogError> {
        let noted = self.catalog.mark_short(key.extent, key.slot, node).await?;
        if noted {
            self.damage.found(verdict, by);
            self.repair.notify_one();
        }
        Ok(noted)
    }

    /// Wakes the repair worker if a new file has extents that lack shards.
    pub fn repair_if_short(&self, extents: &[NewExtent]) {
        if extents.iter().any(|extent| !extent.short_slots.is_empty()) {
            self.repair.notify_one();
        }
    }

    /// The epoch under which to write.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }
}

/// Shards that can be read, without those that are needed.
fn margin(policy: Policy, nodes: &[NodeId], short_slots: &[u8], live: impl Fn(NodeId) -> bool) -> i32 {
    let is_good = |(slot, node): (u8, &NodeId)| !short_slots.contains(&slot) && live(*node);
    let good = (0..).zip(nodes).filter(|&(slot, node)| is_good((slot, node))).count();
    good as i32 - policy.data() as i32
}

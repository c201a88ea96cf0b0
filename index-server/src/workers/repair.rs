//! Repair: extents that lack shards, worst margin first. An extent counts as whole again only after the node has read the new
//! shard back from its disk.

use crate::{
    catalog::{CatalogError, ExtentRow},
    files::Extents,
    workers::WorkerState,
};
use asterism_cluster::{Extent, rebuild};
use asterism_proto::NodeId;
use asterism_service::failpoint;
use futures::{StreamExt, stream};
use std::collections::{BTreeSet, HashMap};

/// Extents fetched at once.
const PAGE: u32 = 256;
/// Extents rebuilt at once; each holds a few stripes in memory.
const AT_ONCE: usize = 4;

pub(super) struct Repair {
    pub(super) extents: Extents,
    pub(super) state: WorkerState,
}

impl Repair {
    /// One pass through all that is short, so that what cannot be repaired now never stands in the way of what can; true if
    /// something was repaired, so that another pass is worth it.
    pub(super) async fn pass(&self) -> Result<bool, CatalogError> {
        let (mut repaired, mut after) = (0, None);
        loop {
            self.state.set_queue(self.extents.catalog.short_count().await?);
            let page = self.extents.catalog.short_worst(after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(repaired > 0) };
            after = Some(*last);
            repaired += self.page(page.into_iter().map(|(_, row)| row)).await;
        }
    }

    async fn page(&self, rows: impl Iterator<Item = ExtentRow>) -> u64 {
        let live = self.extents.members.live();
        // Worst margin now, not worst when it was noted: who is away counts too. Without enough shards its turn comes later.
        let mut rows: Vec<(i32, ExtentRow)> = rows
            .filter_map(|row| Some((self.extents.margin(&row, &live)?, row)))
            .filter(|(margin, _)| *margin >= 0)
            .collect();
        rows.sort_by_key(|(margin, _)| *margin);
        stream::iter(rows)
            .map(|(_, row)| self.extent(row))
            .buffer_unordered(AT_ONCE)
            .fold(0, async |sum, repaired| sum + repaired)
            .await
    }

    /// Rebuilds what can be rebuilt of one extent; how many shards were.
    async fn extent(&self, row: ExtentRow) -> u64 {
        let Some(extent) = self.extents.extent(&row) else {
            self.state.failed("the metadata of an extent is damaged");
            return 0;
        };
        let missing: BTreeSet<u8> = row.short_slots.iter().copied().collect();
        let order = self.extents.order(&extent, &row.short_slots);
        let writable: HashMap<NodeId, bool> = {
            let writable = self.extents.members.writable(row.bytes.div_ceil(u64::from(row.data.max(1))));
            extent.nodes.iter().map(|&node| (node, writable(node))).collect()
        };
        let mut repaired = 0;
        for slot in missing {
            let node = extent.nodes[usize::from(slot)];
            if !writable[&node] {
                continue; // Its turn comes when the node does.
            }
            let (shards, epoch) = (&self.extents.shards, self.extents.epoch());
            let rebuilt = rebuild(shards, &extent, row.bytes, usize::from(slot), order.clone(), epoch).await;
            let counted = match rebuilt {
                Ok(()) => self.count(&extent, slot).await.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match counted {
                Ok(()) => {
                    tracing::info!(extent = %extent.id, slot, %node, "shard rebuilt and counted");
                    self.state.succeeded(1);
                    repaired += 1;
                }
                Err(error) => {
                    tracing::warn!(extent = %extent.id, slot, %node, error, "shard not rebuilt");
                    self.state.failed(error);
                }
            }
        }
        repaired
    }

    /// The shard is there. If its file went meanwhile, or its place did, it goes too: its removal may have been confirmed before
    /// it came.
    pub(super) async fn count(&self, extent: &Extent, slot: u8) -> Result<(), CatalogError> {
        let (catalog, node) = (&self.extents.catalog, extent.nodes[usize::from(slot)]);
        if !catalog.clear_short(extent.id, slot, node).await? {
            catalog.remove_shard(extent.id, slot, node).await?;
        }
        failpoint::hit("repair.cleared");
        Ok(())
    }
}

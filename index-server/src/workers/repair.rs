//! Repair: extents that lack shards, worst margin first. An extent counts as whole again only after the node has read the new
//! shard back from its disk. Where a shard's own node is full, or stays away for long, a spare node takes its place.

use crate::{
    catalog::{CatalogError, ExtentRow, Relocated, Settled},
    files::Extents,
    workers::WorkerState,
};
use asterism_cluster::{Extent, Transfer, Verified, rebuild, relocate};
use asterism_proto::NodeId;
use asterism_service::failpoint;
use futures::{StreamExt, stream};
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Extents fetched at once.
const PAGE: u32 = 256;
/// Extents rebuilt at once; each holds a few stripes in memory.
const AT_ONCE: usize = 4;
/// Of what cannot be rebuilt, nodes are asked this often whether it is there after all: a disk may have been put back.
const RECOUNT_EVERY: Duration = Duration::from_secs(60);

pub(crate) struct Repair {
    pub(crate) extents: Extents,
    pub(crate) state: WorkerState,
    /// How long a silent node is waited for.
    pub(crate) patience: Duration,
    recounted: Mutex<Option<Instant>>,
}

impl Repair {
    pub(crate) fn new(extents: Extents, state: WorkerState, patience: Duration) -> Self {
        Self { extents, state, patience, recounted: Mutex::default() }
    }

    /// One pass through all that is short, so that what cannot be repaired now never stands in the way of what can; true if
    /// something was repaired, so that another pass is worth it.
    pub(crate) async fn pass(&self) -> Result<bool, CatalogError> {
        let (mut repaired, mut after, recount) = (0, None, self.is_time_to_recount());
        loop {
            self.state.set_queue(self.extents.catalog.short_count().await?);
            let page = self.extents.catalog.short_worst(after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(repaired > 0) };
            after = Some(*last);
            repaired += self.page(page.into_iter().map(|(_, row)| row), recount).await;
        }
    }

    fn is_time_to_recount(&self) -> bool {
        let mut recounted = self.recounted.lock().unwrap_or_else(PoisonError::into_inner);
        let due = recounted.is_none_or(|at| at.elapsed() >= RECOUNT_EVERY);
        if due {
            *recounted = Some(Instant::now());
        }
        due
    }

    async fn page(&self, rows: impl Iterator<Item = ExtentRow>, recount: bool) -> u64 {
        let live = self.extents.members.live();
        // Worst margin now, not worst when it was noted: who is away counts too. Without enough shards nothing can be rebuilt, but
        // those that are said to be missing may be there again.
        let mut rows: Vec<(i32, ExtentRow)> = rows
            .filter_map(|row| Some((self.extents.margin(&row, &live)?, row)))
            .filter(|(margin, _)| *margin >= 0 || recount)
            .collect();
        rows.sort_by_key(|(margin, _)| *margin);
        stream::iter(rows)
            .map(|(margin, row)| self.extent(row, margin >= 0))
            .buffer_unordered(AT_ONCE)
            .fold(0, async |sum, repaired| sum + repaired)
            .await
    }

    /// Makes good what can be of one extent; how many shards were.
    async fn extent(&self, row: ExtentRow, can_rebuild: bool) -> u64 {
        let Some(extent) = self.extents.extent(&row) else {
            self.state.failed("the metadata of an extent is damaged");
            return 0;
        };
        let missing: BTreeSet<u8> = row.short_slots.iter().copied().collect();
        let mut repaired = 0;
        for slot in missing {
            let node = extent.nodes[usize::from(slot)];
            match self.shard(&row, &extent, slot, can_rebuild).await {
                Ok(true) => {
                    self.state.succeeded(1);
                    repaired += 1;
                }
                Ok(false) => {} // Its turn comes when the node does.
                Err(error) => {
                    tracing::warn!(extent = %extent.id, slot, %node, error, "shard not rebuilt");
                    self.state.failed(error);
                }
            }
        }
        repaired
    }

    /// Makes one shard good, if that can be done now.
    async fn shard(
        &self,
        row: &ExtentRow,
        extent: &Extent,
        slot: u8,
        can_rebuild: bool,
    ) -> Result<bool, String> {
        let (members, node) = (&self.extents.members, extent.nodes[usize::from(slot)]);
        let shard_bytes = row.bytes.div_ceil(u64::from(row.data.max(1)));
        if members.is_behind(node) {
            return Ok(false); // What it should have removed goes first.
        }
        if members.is_heard(node) && self.is_there(extent, slot).await {
            self.count(extent, slot).await.map_err(|error| error.to_string())?;
            tracing::info!(extent = %extent.id, slot, %node, "shard is there after all");
            return Ok(true);
        }
        if !can_rebuild {
            return Ok(false);
        }
        if members.writable(shard_bytes)(node) {
            let (shards, epoch) = (&self.extents.shards, self.extents.epoch());
            let order = self.extents.order(extent, &row.short_slots);
            let rebuilt = rebuild(shards, extent, row.bytes, usize::from(slot), order, epoch).await;
            rebuilt.map_err(|error| error.to_string())?;
            self.count(extent, slot).await.map_err(|error| error.to_string())?;
            tracing::info!(extent = %extent.id, slot, %node, "shard rebuilt and counted");
        } else {
            let wanted = members.needs_a_spare(node, shard_bytes, self.patience);
            let spare = wanted.then(|| members.spare_for(&extent.nodes, shard_bytes)).flatten();
            let Some(spare) = spare else { return Ok(false) };
            if !self.to_spare(row, extent, slot, spare).await? {
                return Ok(false);
            }
        }
        self.extents.damage.repaired();
        Ok(true)
    }

    /// Whether the node holds a valid shard, whatever is noted of it.
    async fn is_there(&self, extent: &Extent, slot: u8) -> bool {
        let (node, key) = (extent.nodes[usize::from(slot)], extent.key(usize::from(slot)));
        let verdicts = self.extents.shards.verify(node, vec![key]).await;
        verdicts.is_ok_and(|verdicts| verdicts.first() == Some(&Verified::Valid))
    }

    /// Rebuilds a shard on another node and has the catalog name it there; false if it was overtaken.
    async fn to_spare(&self, row: &ExtentRow, extent: &Extent, slot: u8, to: NodeId) -> Result<bool, String> {
        let (catalog, from) = (&self.extents.catalog, extent.nodes[usize::from(slot)]);
        let awaiting = catalog.awaiting_removal(&[extent.id]).await.map_err(|error| error.to_string())?;
        if awaiting.contains(&(extent.id, slot, to)) {
            return Ok(false);
        }
        let transfer = Transfer {
            extent: extent.clone(),
            extent_bytes: row.bytes,
            slot: usize::from(slot),
            to,
            copy: false,
            order: self.extents.order(extent, &row.short_slots),
        };
        // The spare has read it back when this answers.
        let rebuilt = relocate(&self.extents.shards, &transfer, self.extents.epoch()).await;
        rebuilt.map_err(|error| error.to_string())?;
        failpoint::hit("repair.on_spare");
        let settled = catalog.relocate(&[Relocated { extent: extent.id, slot, from, to }]).await;
        let settled = settled.map_err(|error| error.to_string())?;
        if settled == [Settled::Done] {
            tracing::info!(extent = %extent.id, slot, %from, %to, "shard rebuilt on a spare node");
        }
        Ok(settled == [Settled::Done])
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

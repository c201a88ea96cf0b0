//! Census: what a node that came back really holds, counted on its own list. A directory that was lost or replaced shows here,
//! and its shards become short; nothing is ever deleted on this ground.

use crate::{
    catalog::{CatalogError, ExtentRow, PAGE_MAX},
    damage::FoundBy,
    files::Extents,
    workers::WorkerState,
};
use asterism_cluster::{Extent, ShardKey, Verified};
use asterism_proto::{NodeId, ShardError};
use asterism_service::failpoint;
use std::collections::VecDeque;

/// Shards that a node is asked about at once before they are called missing.
const ASK: usize = 512;

pub(super) struct Census {
    pub(super) extents: Extents,
    pub(super) state: WorkerState,
}

/// Why a count did not come to its end; it is begun again.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Node(#[from] ShardError),
}

impl Census {
    /// Counts one node that came back; true if another one waits.
    pub(super) async fn pass(&self) -> Result<bool, CatalogError> {
        let waiting = self.extents.members.to_be_counted();
        self.state.set_queue(waiting.len() as u64);
        let Some(node) = waiting.iter().copied().find(|node| self.extents.members.is_heard(*node)) else {
            return Ok(false);
        };
        match self.count(node).await {
            Ok(missing) => {
                failpoint::hit("census.counted");
                self.extents.members.counted(node);
                self.state.set_queue(waiting.len() as u64 - 1);
                self.state.succeeded(1);
                if missing > 0 {
                    tracing::warn!(%node, missing, "node came back without some of its shards; they are rebuilt");
                }
                Ok(waiting.len() > 1)
            }
            Err(Trouble::Catalog(error)) => Err(error),
            Err(trouble) => {
                tracing::warn!(%node, error = %trouble, "node not counted, will be tried again");
                self.state.failed(trouble);
                Ok(false)
            }
        }
    }

    /// Goes through all extents and the node's list side by side; both are in the order of their ids.
    async fn count(&self, node: NodeId) -> Result<u64, Trouble> {
        let mut listing =
            Listing { extents: &self.extents, node, page: VecDeque::new(), after: None, ended: false };
        let (mut after, mut missing) = (None, 0);
        loop {
            let rows = self.extents.catalog.extents_after(after, PAGE_MAX).await?;
            let Some(last) = rows.last() else { return Ok(missing) };
            after = Some(last.id);
            let mut absent = Vec::new();
            for (extent, slot) in rows.iter().filter_map(|row| self.own_slot(row, node)) {
                if !listing.holds(extent.key(slot)).await? {
                    absent.push(extent.key(slot));
                }
            }
            for keys in absent.chunks(ASK) {
                missing += self.mark(node, keys).await?;
            }
        }
    }

    /// The slot of the extent that the node should hold, unless it is known not to.
    fn own_slot(&self, row: &ExtentRow, node: NodeId) -> Option<(Extent, usize)> {
        let extent = self.extents.extent(row)?;
        let slot = extent.nodes.iter().position(|&holder| holder == node)?;
        (!row.short_slots.contains(&(slot as u8))).then_some((extent, slot))
    }

    /// Asks the node once more, by name: a shard that came after the list was made is no loss.
    async fn mark(&self, node: NodeId, keys: &[ShardKey]) -> Result<u64, Trouble> {
        let found = self.extents.shards.verify(node, keys.to_vec()).await?;
        let mut marked = 0;
        for (key, verdict) in keys.iter().zip(found) {
            if matches!(verdict, Verified::Absent | Verified::Corrupt { .. }) {
                let noted = self.extents.note_damage(node, *key, verdict, FoundBy::Census).await?;
                marked += u64::from(noted);
                failpoint::hit("census.marked");
            }
        }
        Ok(marked)
    }
}

/// A node's list of shards, read as far as needed.
struct Listing<'a> {
    extents: &'a Extents,
    node: NodeId,
    page: VecDeque<ShardKey>,
    after: Option<ShardKey>,
    ended: bool,
}

impl Listing<'_> {
    /// Whether `key` is on the list; asked for in ascending order.
    async fn holds(&mut self, key: ShardKey) -> Result<bool, ShardError> {
        loop {
            while self.page.front().is_some_and(|front| *front < key) {
                self.page.pop_front();
            }
            if let Some(front) = self.page.front() {
                return Ok(*front == key);
            }
            if self.ended {
                return Ok(false);
            }
            let page = self.extents.shards.list(self.node, self.after).await?;
            self.ended = page.is_empty();
            self.page = page.into_iter().map(|shard| shard.key).collect();
            self.after = self.page.back().copied().or(self.after);
        }
    }
}

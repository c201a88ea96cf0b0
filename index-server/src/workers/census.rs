//! Census: what a node that came back really holds, counted on its own list. A directory that was lost or replaced shows here,
//! and its shards become short; nothing is ever deleted on this ground.

use crate::{
    catalog::{CatalogError, ExtentRow, PAGE_MAX},
    damage::FoundBy,
    files::Extents,
    graph::GraphError,
    workers::WorkerState,
};
use asterism_cluster::{Extent, ShardKey, Verified};
use asterism_proto::{ExtentId, NodeId, ShardError};
use asterism_service::failpoint;
use std::collections::VecDeque;

/// Shards that a node is asked about at once before they are called missing.
const ASK: usize = 512;

pub(super) struct Census {
    pub(super) extents: Extents,
    pub(super) state: WorkerState,
}

/// Why a count or a comparison did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Node(#[from] ShardError),
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl Census {
    /// Counts one node that came back; true if another one waits.
    pub(super) async fn pass(&self) -> Result<bool, CatalogError> {
        let waiting = self.extents.members.to_be_counted();
        self.state.set_queue(waiting.len() as u64);
        let members = &self.extents.members;
        let ready = |node: &NodeId| members.is_heard(*node) && !members.is_behind(*node);
        let Some(node) = waiting.iter().copied().find(ready) else {
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

    async fn count(&self, node: NodeId) -> Result<u64, Trouble> {
        let (mut absent, mut missing) = (Absent::of(&self.extents, node), 0);
        while let Some(keys) = absent.next().await? {
            missing += self.mark(node, &keys).await?;
        }
        Ok(missing)
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

/// The shards that a node should hold and does not list, unless that is known: all extents and the node's list side by side, both in
/// the order of their ids.
pub(super) struct Absent<'a> {
    listing: Listing<'a>,
    after: Option<ExtentId>,
    found: VecDeque<Vec<ShardKey>>,
}

impl<'a> Absent<'a> {
    pub(super) fn of(extents: &'a Extents, node: NodeId) -> Self {
        let listing = Listing { extents, node, page: VecDeque::new(), after: None, ended: false };
        Self { listing, after: None, found: VecDeque::new() }
    }

    /// Some more of them, so many that a node can be asked about them at once; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<ShardKey>>, Trouble> {
        while self.found.is_empty() {
            let (extents, node) = (self.listing.extents, self.listing.node);
            let rows = extents.catalog.extents_after(self.after, PAGE_MAX).await?;
            let Some(last) = rows.last() else { return Ok(None) };
            self.after = Some(last.id);
            let mut absent = Vec::new();
            for (extent, slot) in rows.iter().filter_map(|row| own_slot(extents, row, node)) {
                if !self.listing.holds(extent.key(slot)).await? {
                    absent.push(extent.key(slot));
                }
            }
            self.found.extend(absent.chunks(ASK).map(<[ShardKey]>::to_vec));
        }
        Ok(self.found.pop_front())
    }
}

/// The slot of the extent that the node should hold, unless it is known not to.
fn own_slot(extents: &Extents, row: &ExtentRow, node: NodeId) -> Option<(Extent, usize)> {
    let extent = extents.extent(row)?;
    let slot = extent.nodes.iter().position(|&holder| holder == node)?;
    (!row.short_slots.contains(&(slot as u8))).then_some((extent, slot))
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

//! Moves: brings shards to where they should lie. A node that is drained gives everything away, one that is new or weighs more takes its
//! share, and shards that were written to spare nodes come home.
//!
//! Each shard is copied (or rebuilt, if its node is dead or its copy bad), counted on the disk of its new node, and only then named
//! there by the catalog, which queues the old one for removal in the same transaction. Whatever ends this in between, the next one
//! begins again with what the catalog says.

mod carry;
mod moving;
mod retire;

use crate::{
    catalog::{CatalogError, ExtentRow, Intent, MoveRow},
    files::Extents,
    plan::{Present, Wanted},
    workers::WorkerState,
};
use asterism_cluster::{Extent, placement};
use asterism_proto::NodeId;
use asterism_service::failpoint;
use carry::{Carried, Task};
pub use moving::Moving;
use std::{collections::BTreeMap, time::Duration};

/// Extents looked at together.
const PAGE: u32 = 256;
/// Pages of strays looked at in one pass: what comes home must not stand behind a long drain.
const STRAY_PAGES: usize = 4;

pub(crate) struct Moves {
    pub(crate) extents: Extents,
    pub(crate) state: WorkerState,
    pub(crate) moving: Moving,
    /// How long a silent node is waited for.
    pub(crate) patience: Duration,
}

impl Moves {
    /// One position at most, some strays, and nodes that are empty; true if something was done, so that another pass is worth it.
    pub(crate) async fn pass(&self) -> Result<bool, CatalogError> {
        let moves = self.plan().await?;
        self.state.set_queue(self.extents.catalog.moves_left().await?);
        let mut done = false;
        for row in &moves {
            if self.position(row).await? {
                done = true;
                break; // What is wanted may have changed meanwhile.
            }
        }
        done |= self.strays(&moves).await?;
        done |= self.retire_the_empty().await?;
        self.state.set_queue(self.extents.catalog.moves_left().await?);
        Ok(done)
    }

    /// What is to move, after a look at what is wanted now.
    async fn plan(&self) -> Result<Vec<MoveRow>, CatalogError> {
        let (catalog, members) = (&self.extents.catalog, &self.extents.members);
        let mut present = Present::look(catalog, members, self.patience).await?;
        if present.groups.is_empty() {
            return Ok(Vec::new());
        }
        let drifted = present.drifted();
        if !drifted.is_empty() {
            for (node, capacity) in drifted {
                catalog.set_counted_capacity(node, capacity).await?;
            }
            present = Present::look(catalog, members, self.patience).await?;
        }
        let Wanted { moves, stuck } = present.wanted();
        if stuck > 0 {
            self.state.failed(format!("{stuck} places of nodes that are to leave have nowhere to go"));
        }
        if moves != present.under_way {
            tracing::info!(before = present.under_way.len(), now = moves.len(), "moves planned");
            catalog.set_moves(&moves).await?;
            failpoint::hit("moves.planned");
        }
        members.set_moves(&moves);
        Ok(moves)
    }

    /// Brings the shards of one position to their new node, and then the position itself; true if anything was moved.
    async fn position(&self, row: &MoveRow) -> Result<bool, CatalogError> {
        let (catalog, members) = (&self.extents.catalog, &self.extents.members);
        let Some(group) = members.group(row.group) else { return Ok(false) };
        let Some(from) = group.get(usize::from(row.position)).copied() else { return Ok(false) };
        if group.contains(&row.to) || !members.writable(0)(row.to) || members.is_behind(row.to) {
            return Ok(false); // Its turn comes when the node does.
        }
        let (mut after, mut carried) = (None, Carried::default());
        loop {
            let page = catalog.extents_of_group(row.group, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            let tasks = page.iter().filter_map(|extent| self.task_of(extent, row, group.len()));
            carried += self.carry(tasks.collect()).await?;
        }
        failpoint::hit("moves.before_switch");
        match catalog.switch_member(row.group, row.position, from, row.to).await {
            Ok(0) => {
                failpoint::hit("moves.switched");
                members.switch(row.group, row.position, row.to);
                tracing::info!(group = row.group, position = row.position, %from, to = %row.to, "position moved");
                Ok(true)
            }
            Ok(_) => Ok(carried.done > 0), // Some could not be moved yet, or came meanwhile.
            Err(CatalogError::Conflict(_)) => Ok(carried.done > 0),
            Err(error) => Err(error),
        }
    }

    fn task_of(&self, row: &ExtentRow, to: &MoveRow, width: usize) -> Option<Task> {
        let shards = usize::from(row.data) + usize::from(row.parity);
        let slot = placement::slot_at(row.id, usize::from(to.position), width, shards)?;
        self.task(row, slot, to.to)
    }

    /// What is to be done for a shard; nothing if it is there already. Where another shard of the extent is a guest on the new node,
    /// one that must leave goes to a spare meanwhile.
    fn task(&self, row: &ExtentRow, slot: usize, to: NodeId) -> Option<Task> {
        let extent = self.extents.extent(row)?;
        let from = *extent.nodes.get(slot)?;
        let to = if from != to && extent.nodes.contains(&to) { self.spare(row, &extent, from)? } else { to };
        (from != to).then(|| Task { row: row.clone(), extent, slot, to })
    }

    /// Where a shard can go that must leave its node.
    fn spare(&self, row: &ExtentRow, extent: &Extent, from: NodeId) -> Option<NodeId> {
        let members = &self.extents.members;
        let leaves = members.get(from).is_some_and(|member| member.row.intent == Intent::Draining);
        let shard_bytes = row.bytes.div_ceil(u64::from(row.data.max(1)));
        leaves.then(|| members.spare_for(&extent.nodes, shard_bytes)).flatten()
    }

    /// Brings shards home that lie on other nodes than their group's, or from a node that is to leave to another spare.
    async fn strays(&self, moves: &[MoveRow]) -> Result<bool, CatalogError> {
        let targets: BTreeMap<(u32, u8), NodeId> =
            moves.iter().map(|row| ((row.group, row.position), row.to)).collect();
        let (mut after, mut done) = (None, false);
        let mut pages = 0;
        loop {
            let page = self.extents.catalog.scattered_extents(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(done) };
            after = Some(last.id);
            let tasks: Vec<Task> = page.iter().flat_map(|row| self.homecomings(row, &targets)).collect();
            if tasks.is_empty() {
                continue;
            }
            done |= self.carry(tasks).await?.done > 0;
            pages += 1;
            if pages == STRAY_PAGES {
                return Ok(done);
            }
        }
    }

    fn homecomings(&self, row: &ExtentRow, targets: &BTreeMap<(u32, u8), NodeId>) -> Vec<Task> {
        let members = &self.extents.members;
        let (Some(group), Some(extent)) = (members.group(row.group), self.extents.extent(row)) else {
            return Vec::new();
        };
        let shard_bytes = row.bytes.div_ceil(u64::from(row.data.max(1)));
        let writable = members.writable(shard_bytes);
        let task = |(slot, node): &(u8, NodeId)| {
            let position = (placement::rotation(row.id, group.len()) + usize::from(*slot)) % group.len();
            if targets.contains_key(&(row.group, position as u8)) {
                return None; // It goes with its position.
            }
            let home = group[position];
            let to = if writable(home) { home } else { self.spare(row, &extent, *node)? };
            self.task(row, usize::from(*slot), to)
        };
        row.elsewhere.iter().filter_map(task).collect()
    }
}

#[cfg(test)]
mod tests;

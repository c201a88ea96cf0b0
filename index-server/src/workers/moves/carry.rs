//! Shards carried from node to node, batch by batch: copied, counted, and then named at their new place.

use super::Moves;
use crate::catalog::{CatalogError, ExtentRow, Relocated, Settled};
use asterism_cluster::{Extent, Relocation, ShardKey, Transfer, Verified, relocate};
use asterism_proto::NodeId;
use asterism_service::failpoint;
use futures::{StreamExt, stream};
use std::{collections::BTreeMap, ops::AddAssign};
use tokio::time::Instant;

/// Shards under way at once; each holds a few cells in memory.
const AT_ONCE: usize = 8;
/// Shards that are counted and named together. So much is done again after a crash.
const BATCH: usize = 64;
/// The same in bytes: a node reads a whole batch from its disk to count it, and has 30 seconds for that.
const BATCH_BYTES: u64 = 64 << 20;

/// A shard that is to go to another node.
pub(super) struct Task {
    pub(super) row: ExtentRow,
    /// With its nodes as they are.
    pub(super) extent: Extent,
    pub(super) slot: usize,
    pub(super) to: NodeId,
}

impl Task {
    fn bytes(&self) -> u64 {
        self.row.bytes.div_ceil(u64::from(self.row.data.max(1)))
    }

    fn from(&self) -> NodeId {
        self.extent.nodes[self.slot]
    }

    fn key(&self) -> ShardKey {
        self.extent.key(self.slot)
    }
}

/// How it went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Carried {
    /// Shards that lie where they should.
    pub(super) done: u64,
    /// Shards that do not yet.
    pub(super) left: u64,
}

impl AddAssign for Carried {
    fn add_assign(&mut self, other: Self) {
        self.done += other.done;
        self.left += other.left;
    }
}

impl Moves {
    /// Carries shards. If a whole batch fails the rest is left for another pass: a node has probably gone.
    pub(super) async fn carry(&self, tasks: Vec<Task>) -> Result<Carried, CatalogError> {
        let (mut carried, mut tasks) = (Carried::default(), tasks.into_iter().peekable());
        while tasks.peek().is_some() {
            let mut bytes = 0;
            let mut batch: Vec<Task> = Vec::new();
            while let Some(task) = tasks.next_if(|_| batch.len() < BATCH && bytes < BATCH_BYTES) {
                bytes += task.bytes();
                batch.push(task);
            }
            let done = self.batch(batch).await?;
            carried += done;
            if done.done == 0 && done.left > 0 {
                break;
            }
        }
        carried.left += tasks.count() as u64;
        Ok(carried)
    }

    async fn batch(&self, batch: Vec<Task>) -> Result<Carried, CatalogError> {
        let (catalog, all) = (&self.extents.catalog, batch.len() as u64);
        let extents: Vec<_> = batch.iter().map(|task| task.extent.id).collect();
        let awaiting = catalog.awaiting_removal(&extents).await?;
        // A shard that is to be removed from there must be gone before it may come again.
        let free =
            batch.into_iter().filter(|task| !awaiting.contains(&(task.extent.id, task.slot as u8, task.to)));
        let began = Instant::now();
        let copied: Vec<Task> = stream::iter(free)
            .map(|task| self.copy(task))
            .buffer_unordered(AT_ONCE)
            .filter_map(async |task| task)
            .collect()
            .await;
        failpoint::hit("moves.copied");
        let counted = self.count(copied).await;
        failpoint::hit("moves.counted");
        self.moving.note(counted.iter().map(Task::bytes).sum(), began.elapsed());
        let relocated: Vec<Relocated> = counted
            .iter()
            .map(|task| Relocated {
                extent: task.extent.id,
                slot: task.slot as u8,
                from: task.from(),
                to: task.to,
            })
            .collect();
        if relocated.is_empty() {
            return Ok(Carried { done: 0, left: all });
        }
        let settled = catalog.relocate(&relocated).await?;
        failpoint::hit("moves.relocated");
        // What is gone needs no place; what was overtaken is looked at again.
        let done = settled.iter().filter(|settled| **settled != Settled::Overtaken).count() as u64;
        if done > 0 {
            self.state.succeeded(done);
        }
        Ok(Carried { done, left: all - done })
    }

    /// Brings one shard to its new node; none if that failed.
    async fn copy(&self, task: Task) -> Option<Task> {
        let (members, from) = (&self.extents.members, task.from());
        let copy = members.is_heard(from) && !task.row.short_slots.contains(&(task.slot as u8));
        let sources = if copy { 1 } else { u64::from(task.row.data) };
        self.moving.spend(task.bytes() * sources).await;
        let transfer = Transfer {
            extent: task.extent.clone(),
            extent_bytes: task.row.bytes,
            slot: task.slot,
            to: task.to,
            copy,
            order: self.extents.order(&task.extent, &task.row.short_slots),
        };
        let (extent, slot, to) = (task.extent.id, task.slot, task.to);
        match relocate(&self.extents.shards, &transfer, self.extents.epoch()).await {
            Ok(Relocation::Copied | Relocation::Rebuilt(None)) => Some(task),
            Ok(Relocation::Rebuilt(Some(fault))) => {
                tracing::warn!(%extent, slot, %from, %to, %fault, "shard could not be copied and was rebuilt");
                Some(task)
            }
            Err(error) => {
                tracing::warn!(%extent, slot, %from, %to, %error, "shard not moved, will be tried again");
                self.state.failed(error);
                None
            }
        }
    }

    /// Those that their new nodes have read back from their disks as valid.
    async fn count(&self, copied: Vec<Task>) -> Vec<Task> {
        let mut by_node: BTreeMap<NodeId, Vec<Task>> = BTreeMap::new();
        copied.into_iter().for_each(|task| by_node.entry(task.to).or_default().push(task));
        let mut counted = Vec::new();
        for (node, tasks) in by_node {
            let keys = tasks.iter().map(Task::key).collect();
            match self.extents.shards.verify(node, keys).await {
                Ok(found) => {
                    let valid = |(task, found): (Task, Verified)| (found == Verified::Valid).then_some(task);
                    let before = tasks.len();
                    let some: Vec<Task> = tasks.into_iter().zip(found).filter_map(valid).collect();
                    if some.len() < before {
                        self.state.failed(format!(
                            "{} copies are not valid on their node's disk",
                            before - some.len()
                        ));
                    }
                    counted.extend(some);
                }
                Err(error) => {
                    tracing::warn!(%node, %error, "copies not counted, will be tried again");
                    self.state.failed(error);
                }
            }
        }
        counted
    }
}

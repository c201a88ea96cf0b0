//! Storage nodes in memory, with faults on demand: the port's second adapter, for tests and simulation.

use crate::{
    extent::{Extent, ShardKey},
    shards::{Aside, AsideAct, Cell, Deleted, FoundShard, OpenShard, PutStep, Shards, Verified},
};
use asterism_erasure::cell_checksum;
use asterism_proto::{NodeId, ShardError, ShardErrorKind};
use bytes::Bytes;
use futures::{StreamExt, future::BoxFuture, stream};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::mpsc, time::sleep};

/// What is wrong with a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Refuses every call.
    Down,
    /// Takes calls and never answers.
    Silent,
    /// Answers after a while.
    Slow(Duration),
    /// Has no room for new shards.
    Full,
    /// Dies after it has sent or taken this many cells of a shard.
    DiesAfter(u32),
}

#[derive(Clone)]
struct Stored {
    extent: Extent,
    extent_bytes: u64,
    epoch: u64,
    cells: Vec<Cell>,
}

impl Stored {
    fn verify(&self, key: ShardKey) -> Verified {
        if self.extent.id != key.extent {
            return Verified::Corrupt { bad_cells: 1 };
        }
        let identity = self.extent.identity(usize::from(key.slot));
        let bad = |(index, cell): &(usize, &Cell)| {
            cell.checksum != cell_checksum(&identity, *index as u32, &cell.data)
        };
        match self.cells.iter().enumerate().filter(bad).count() as u32 {
            0 => Verified::Valid,
            bad_cells => Verified::Corrupt { bad_cells },
        }
    }
}

#[derive(Default)]
struct Node {
    fault: Fault,
    epoch: u64,
    shards: BTreeMap<ShardKey, Stored>,
    aside: BTreeMap<ShardKey, Stored>,
}

/// Nodes in memory; clones share them.
#[derive(Clone, Default)]
pub struct MemoryShards(Arc<Mutex<HashMap<NodeId, Node>>>);

impl MemoryShards {
    /// Puts a fault on a node, or takes it away.
    pub fn set_fault(&self, node: NodeId, fault: Fault) {
        self.nodes().entry(node).or_default().fault = fault;
    }

    /// Loses everything that a node had.
    pub fn wipe(&self, node: NodeId) {
        self.nodes().entry(node).or_default().shards.clear();
    }

    /// Flips one bit of a stored cell; false if there is no such byte.
    pub fn flip(&self, node: NodeId, key: ShardKey, cell: usize, byte: usize) -> bool {
        let mut nodes = self.nodes();
        let stored = nodes.get_mut(&node).and_then(|node| node.shards.get_mut(&key));
        let Some(cell) = stored.and_then(|stored| stored.cells.get_mut(cell)) else { return false };
        let mut bytes = cell.data.to_vec();
        let Some(byte) = bytes.get_mut(byte) else { return false };
        *byte ^= 1;
        cell.data = bytes.into();
        true
    }

    /// Puts a shard's cells under another key, as a confused disk would.
    pub fn misplace(&self, node: NodeId, from: ShardKey, to: ShardKey) {
        let mut nodes = self.nodes();
        let node = nodes.entry(node).or_default();
        if let Some(stored) = node.shards.get(&from).cloned() {
            node.shards.insert(to, stored);
        }
    }

    /// The shards of an extent that verify, counted on all nodes: the oracle's raw census.
    pub fn census(&self, extent: &Extent) -> usize {
        let nodes = self.nodes();
        let valid = |slot: usize| {
            let key = extent.key(slot);
            let stored = nodes.get(&extent.nodes[slot]).and_then(|node| node.shards.get(&key));
            stored.is_some_and(|stored| stored.verify(key) == Verified::Valid)
        };
        (0..extent.policy.total()).filter(|&slot| valid(slot)).count()
    }

    /// Shards that a node has set aside.
    pub fn aside_count(&self, node: NodeId) -> usize {
        self.nodes().get(&node).map_or(0, |node| node.aside.len())
    }

    /// Shards on a node.
    pub fn count(&self, node: NodeId) -> usize {
        self.nodes().get(&node).map_or(0, |node| node.shards.len())
    }

    fn nodes(&self) -> MutexGuard<'_, HashMap<NodeId, Node>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the fault of a node act on a call before it begins.
    async fn enter(&self, node: NodeId) -> Result<Fault, ShardError> {
        let fault = self.nodes().entry(node).or_default().fault;
        match fault {
            Fault::Down => Err(ShardError::new(ShardErrorKind::Unavailable, "node is down")),
            Fault::Silent => std::future::pending().await,
            Fault::Slow(time) => {
                sleep(time).await;
                Ok(fault)
            }
            Fault::None | Fault::Full | Fault::DiesAfter(_) => Ok(fault),
        }
    }

    fn store(&self, node: NodeId, key: ShardKey, stored: Stored) -> Result<u64, ShardError> {
        let mut nodes = self.nodes();
        let node = nodes.entry(node).or_default();
        if stored.epoch < node.epoch {
            return Err(ShardError::new(ShardErrorKind::Stale, "epoch is over"));
        }
        node.epoch = stored.epoch;
        let bytes = stored.cells.iter().map(|cell| cell.data.len() as u64).sum();
        node.shards.insert(key, stored);
        Ok(bytes)
    }
}

fn died() -> ShardError {
    ShardError::new(ShardErrorKind::Unavailable, "node died")
}

impl Shards for MemoryShards {
    fn put(
        &self,
        node: NodeId,
        extent: &Extent,
        slot: usize,
        epoch: u64,
        mut steps: mpsc::Receiver<PutStep>,
    ) -> BoxFuture<'static, Result<u64, ShardError>> {
        let (nodes, extent) = (self.clone(), extent.clone());
        Box::pin(async move {
            let fault = nodes.enter(node).await?;
            let mut cells = Vec::new();
            while let Some(step) = steps.recv().await {
                match step {
                    _ if fault == Fault::Full => {
                        return Err(ShardError::new(ShardErrorKind::Full, "no room"));
                    }
                    _ if matches!(fault, Fault::DiesAfter(limit) if cells.len() as u32 >= limit) => {
                        return Err(died());
                    }
                    // What is stored is a copy, as on a disk: the sender's memory is its own.
                    PutStep::Cell(Cell { data, checksum }) => {
                        cells.push(Cell { data: Bytes::copy_from_slice(&data), checksum });
                    }
                    PutStep::Finish { extent_bytes } => {
                        let key = extent.key(slot);
                        return nodes.store(node, key, Stored { extent, extent_bytes, epoch, cells });
                    }
                }
            }
            Err(ShardError::new(ShardErrorKind::Invalid, "the shard has no end"))
        })
    }

    fn get(
        &self,
        node: NodeId,
        key: ShardKey,
        first_cell: u32,
        cells: u32,
    ) -> BoxFuture<'static, Result<OpenShard, ShardError>> {
        let nodes = self.clone();
        Box::pin(async move {
            let fault = nodes.enter(node).await?;
            let stored = nodes.nodes().get(&node).and_then(|node| node.shards.get(&key).cloned());
            let stored = stored.ok_or_else(|| ShardError::new(ShardErrorKind::NotFound, "no such shard"))?;
            let wanted = stored.cells.into_iter().enumerate().skip(first_cell as usize).take(cells as usize);
            let sent: Vec<Result<Cell, ShardError>> = wanted
                .map(|(index, cell)| match fault {
                    Fault::DiesAfter(limit) if index as u32 >= limit => Err(died()),
                    _ => Ok(cell),
                })
                .collect();
            Ok(OpenShard { extent_bytes: stored.extent_bytes, cells: stream::iter(sent).boxed() })
        })
    }

    fn delete(
        &self,
        node: NodeId,
        keys: Vec<ShardKey>,
        epoch: u64,
    ) -> BoxFuture<'static, Result<Vec<Deleted>, ShardError>> {
        let nodes = self.clone();
        Box::pin(async move {
            nodes.enter(node).await?;
            let mut nodes = nodes.nodes();
            let node = nodes.entry(node).or_default();
            if epoch < node.epoch {
                return Err(ShardError::new(ShardErrorKind::Stale, "epoch is over"));
            }
            node.epoch = epoch;
            let remove =
                |key| if node.shards.remove(&key).is_some() { Deleted::Removed } else { Deleted::Absent };
            Ok(keys.into_iter().map(remove).collect())
        })
    }

    fn verify(
        &self,
        node: NodeId,
        keys: Vec<ShardKey>,
    ) -> BoxFuture<'static, Result<Vec<Verified>, ShardError>> {
        let nodes = self.clone();
        Box::pin(async move {
            nodes.enter(node).await?;
            let mut nodes = nodes.nodes();
            let node = nodes.entry(node).or_default();
            let verify = |key| node.shards.get(&key).map_or(Verified::Absent, |stored| stored.verify(key));
            Ok(keys.into_iter().map(verify).collect())
        })
    }

    fn aside(
        &self,
        node: NodeId,
        act: AsideAct,
        keys: Vec<ShardKey>,
        epoch: u64,
    ) -> BoxFuture<'static, Result<Vec<Aside>, ShardError>> {
        let nodes = self.clone();
        Box::pin(async move {
            nodes.enter(node).await?;
            let mut nodes = nodes.nodes();
            let Node { epoch: highest, shards, aside, .. } = nodes.entry(node).or_default();
            if epoch < *highest {
                return Err(ShardError::new(ShardErrorKind::Stale, "epoch is over"));
            }
            *highest = epoch;
            let done = |key: ShardKey| {
                let found = match act {
                    AsideAct::SetAside => shards.remove(&key).map(|stored| aside.insert(key, stored)),
                    AsideAct::BringBack => aside.remove(&key).map(|stored| shards.insert(key, stored)),
                    AsideAct::LetGo => aside.remove(&key).map(Some),
                };
                if found.is_some() { Aside::Done } else { Aside::Absent }
            };
            Ok(keys.into_iter().map(done).collect())
        })
    }

    fn list(
        &self,
        node: NodeId,
        after: Option<ShardKey>,
    ) -> BoxFuture<'static, Result<Vec<FoundShard>, ShardError>> {
        let nodes = self.clone();
        Box::pin(async move {
            nodes.enter(node).await?;
            let mut nodes = nodes.nodes();
            let shards = &nodes.entry(node).or_default().shards;
            let found = shards.iter().filter(|(key, _)| after.is_none_or(|after| **key > after)).take(1000);
            Ok(found
                .map(|(key, stored)| FoundShard {
                    key: *key,
                    cluster: stored.extent.cluster,
                    policy: stored.extent.policy,
                    cell_bytes: stored.extent.cell_bytes,
                    extent_bytes: stored.extent_bytes,
                    epoch: stored.epoch,
                })
                .collect())
        })
    }
}

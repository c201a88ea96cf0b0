//! Orphans: shards that lie on a node and that nothing names, left by an upload or a copy that a crash cut off. They go by proof alone.
//!
//! Each run is an epoch. A shard that nothing names is marked with the epoch in which that was seen first. It is claimed two epochs
//! later at the earliest, when every upload that may have written it has ended, in a transaction that looks again; from then on
//! nothing can name it. Its node sets it aside, keeps it as long as deleted files are kept, and lets it go.

use crate::{
    catalog::{CatalogError, Listed, Standing, Walk},
    files::Extents,
    workers::{WorkerState, now_ms},
};
use asterism_cluster::{Aside, AsideAct, FoundShard, ShardKey};
use asterism_proto::{ExtentId, NodeId};
use asterism_service::failpoint;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

const WALK: &str = "orphans";
/// Shards dealt with by one call or transaction.
const BATCH: u32 = 256;
/// From a mark to a claim, in epochs.
const EPOCHS: u64 = 2;
/// A mark that has not become a claim in so many epochs is forgotten; the shard is marked again if it is still there.
const MARKS_KEPT: u64 = 16;
/// A run that would claim more than one in so many shards claims none, and asks.
const PART_MAX: u64 = 100;
/// So few are claimed in any case: a hundredth of little says nothing.
const FEW: u64 = 64;

/// What a person may allow; clones share it.
#[derive(Clone, Default)]
pub struct Allowance(Arc<AtomicBool>);

impl Allowance {
    /// The next run may claim as many as it proves.
    pub fn grant(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(crate) struct Orphans {
    pub(crate) extents: Extents,
    pub(crate) state: WorkerState,
    /// From the beginning of a run to the beginning of the next one, at least.
    pub(crate) every: Duration,
    /// How long what was set aside is kept.
    pub(crate) kept: Duration,
    pub(crate) allowance: Allowance,
}

impl Orphans {
    /// What was decided before, and a run if it is time; true if more is to be done at once.
    pub(crate) async fn pass(&self) -> Result<bool, CatalogError> {
        let more = self.settle().await?;
        let walk = self.extents.catalog.walk(WALK).await?;
        let age = now_ms().saturating_sub(walk.began_ms);
        let is_early = walk.pass > 0 && (0..self.every.as_millis() as i64).contains(&age);
        let claimed = if is_early { 0 } else { self.run(walk).await? };
        let waiting = self.extents.catalog.orphan_counts().await?.claimed;
        self.state.set_queue(waiting);
        Ok(more || claimed > 0)
    }

    /// Looks at every shard of every node that is heard; how many were claimed.
    async fn run(&self, before: Walk) -> Result<u64, CatalogError> {
        let (catalog, epoch) = (&self.extents.catalog, before.pass + 1);
        let mut walk = Walk { pass: epoch, began_ms: now_ms(), last_ms: before.last_ms, ..Walk::default() };
        catalog.set_walk(WALK, &walk).await?;
        // Uploads that begin from here on may write what is marked later.
        self.extents.running.advance(epoch);
        let ended = self.extents.running.oldest().map_or(epoch, |oldest| oldest.saturating_sub(1));
        let ripe = epoch.saturating_sub(EPOCHS).min(ended);
        let (mut proven, mut trouble) = (Vec::new(), None);
        for member in self.extents.members.all() {
            let node = member.row.id;
            if !member.is_heard() {
                walk.skipped += 1;
                continue;
            }
            match self.node(node, epoch, ripe).await? {
                Ok((listed, found)) => {
                    walk.seen += listed;
                    proven.extend(found.into_iter().map(|shard| (node, shard)));
                }
                Err(error) => trouble = Some(error),
            }
        }
        let most = (walk.seen / PART_MAX).max(FEW);
        let allowed = self.allowance.0.swap(false, Ordering::Relaxed);
        if proven.len() as u64 > most && !allowed {
            trouble = Some(format!(
                "{} of {} shards are named by nothing, more than are set aside unasked: look at `asterism fsck`, and allow it with `fsck --repair --force`",
                proven.len(),
                walk.seen
            ));
        } else {
            walk.found = self.claim(proven, ripe).await?;
        }
        catalog.forget_marks(epoch.saturating_sub(MARKS_KEPT)).await?;
        let ended = now_ms();
        walk.ended_ms = Some(ended);
        walk.last_ms = Some(u64::try_from(ended - walk.began_ms).unwrap_or(0).max(1));
        catalog.set_walk(WALK, &walk).await?;
        if let Some(trouble) = trouble {
            tracing::warn!(epoch, trouble, "orphans were not dealt with everywhere");
            self.state.failed(trouble);
        }
        Ok(walk.found)
    }

    /// Marks what nothing names on one node; how many shards it has, and those whose marks are ripe.
    async fn node(
        &self,
        node: NodeId,
        epoch: u64,
        ripe: u64,
    ) -> Result<Result<(u64, Vec<Listed>), String>, CatalogError> {
        let (mut after, mut seen, mut found) = (None, 0, Vec::new());
        loop {
            let page = match self.extents.shards.list(node, after).await {
                Ok(page) => page,
                Err(error) => return Ok(Err(error.to_string())),
            };
            let Some(last) = page.last() else { return Ok(Ok((seen, found))) };
            after = Some(last.key);
            seen += page.len() as u64;
            let own = page.iter().filter(|shard| shard.cluster == self.extents.cluster);
            let listed: Vec<Listed> = own.map(listed).collect();
            let standing = self.extents.catalog.standing(node, &listed).await?;
            let unnamed: Vec<Listed> = listed
                .into_iter()
                .zip(standing)
                .filter(|(_, standing)| *standing == Standing::Unnamed)
                .map(|(shard, _)| shard)
                .collect();
            if unnamed.is_empty() {
                continue;
            }
            let keys: Vec<(ExtentId, u8)> = unnamed.iter().map(|shard| (shard.extent, shard.slot)).collect();
            let marked = self.extents.catalog.mark_orphans(node, &keys, epoch, ripe).await?;
            failpoint::hit("orphans.marked");
            found.extend(unnamed.into_iter().filter(|shard| marked.contains(&(shard.extent, shard.slot))));
        }
    }

    async fn claim(&self, proven: Vec<(NodeId, Listed)>, ripe: u64) -> Result<u64, CatalogError> {
        let mut claimed = 0;
        for same in proven.chunk_by(|(one, _), (other, _)| one == other) {
            for some in same.chunks(BATCH as usize) {
                let listed: Vec<Listed> = some.iter().map(|(_, shard)| *shard).collect();
                claimed += self.extents.catalog.claim_orphans(some[0].0, &listed, ripe).await?;
                failpoint::hit("orphans.claimed");
            }
        }
        Ok(claimed)
    }

    /// Has nodes set aside what was claimed, and let go what has lain aside long enough; true if there may be more.
    async fn settle(&self) -> Result<bool, CatalogError> {
        let (catalog, before) = (&self.extents.catalog, now_ms() - self.kept.as_millis() as i64);
        let mut more = false;
        for member in self.extents.members.all().into_iter().filter(|member| member.is_heard()) {
            let node = member.row.id;
            let claimed = catalog.claimed_orphans(node, BATCH).await?;
            let expired = catalog.expired_orphans(node, before, BATCH).await?;
            more |= self.act(node, AsideAct::SetAside, claimed).await?;
            more |= self.act(node, AsideAct::LetGo, expired).await?;
        }
        Ok(more)
    }

    async fn act(
        &self,
        node: NodeId,
        act: AsideAct,
        keys: Vec<(ExtentId, u8)>,
    ) -> Result<bool, CatalogError> {
        if keys.is_empty() {
            return Ok(false);
        }
        let asked = keys.iter().map(|(extent, slot)| ShardKey { extent: *extent, slot: *slot }).collect();
        let outcomes = match self.extents.shards.aside(node, act, asked, self.extents.epoch()).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                tracing::warn!(%node, %error, "orphans not dealt with, will be tried again");
                self.state.failed(error);
                return Ok(false);
            }
        };
        failpoint::hit("orphans.node_done");
        let of = |wanted: Aside| {
            let same = keys.iter().zip(&outcomes).filter(move |(_, outcome)| **outcome == wanted);
            same.map(|(key, _)| *key).collect::<Vec<_>>()
        };
        let (done, absent) = (of(Aside::Done), of(Aside::Absent));
        match act {
            AsideAct::SetAside => self.extents.catalog.orphans_aside(node, &done).await?,
            AsideAct::BringBack | AsideAct::LetGo => self.extents.catalog.forget_orphans(node, &done).await?,
        }
        self.extents.catalog.forget_orphans(node, &absent).await?;
        let settled = done.len() + absent.len();
        if settled > 0 {
            tracing::info!(%node, ?act, shards = done.len(), absent = absent.len(), "orphans dealt with");
            self.state.succeeded(settled as u64);
        }
        if settled < keys.len() {
            self.state.failed("a node could not set some shards aside, or let them go");
        }
        Ok(settled > 0 && keys.len() as u32 == BATCH)
    }
}

/// A shard as the catalog compares it.
pub(super) fn listed(shard: &FoundShard) -> Listed {
    Listed {
        extent: shard.key.extent,
        slot: shard.key.slot,
        data: shard.policy.data() as u8,
        parity: shard.policy.parity() as u8,
        cell_bytes: shard.cell_bytes as u32,
        extent_bytes: shard.extent_bytes,
    }
}

#[cfg(test)]
mod tests;

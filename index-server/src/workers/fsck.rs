//! Fsck: metadata, shards on the nodes and the tag graph compared with each other, each kind of difference told with numbers and
//! examples, and made good when that is asked for. It removes nothing: what nothing names goes by the proof of `orphans` alone.

use super::{
    census::{Absent, Trouble},
    graph::Projection,
    orphans::{Allowance, listed},
};
use crate::{
    catalog::{CatalogError, EntryId, Listed, Standing},
    damage::FoundBy,
    files::Extents,
    graph::TagGraph,
    workers::WorkerState,
};
use asterism_cluster::{Aside, AsideAct, ShardKey, Verified};
use asterism_proto::NodeId;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;
use utoipa::ToSchema;

/// Examples of each kind.
const EXAMPLES: usize = 10;
/// Files compared with the graph at once.
const BATCH: u32 = 256;

/// What can differ. The order is that in which it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Missing,
    Different,
    Unnamed,
    Incomplete,
    NotInGraph,
    OnlyInGraph,
    OtherInGraph,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing_shards",
            Self::Different => "different_shards",
            Self::Unnamed => "unnamed_shards",
            Self::Incomplete => "incomplete_files",
            Self::NotInGraph => "files_not_in_graph",
            Self::OnlyInGraph => "files_only_in_graph",
            Self::OtherInGraph => "files_other_in_graph",
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::Missing => {
                "the catalog names a shard that its node does not have; repaired: brought back or rebuilt"
            }
            Self::Different => {
                "a shard has another code or length than the catalog says; repaired: the metadata, where all its shards agree"
            }
            Self::Unnamed => {
                "nothing names a shard; it is set aside when that was proven over two epochs, and kept as long as the trash"
            }
            Self::Incomplete => "the extents of a file are not as long as the file",
            Self::NotInGraph => "the graph lacks a file; repaired: put there",
            Self::OnlyInGraph => "the graph has a file that is none any more; repaired: taken out",
            Self::OtherInGraph => "the graph shows a file otherwise than it is; repaired: shown as it is",
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Differences are made good.
    pub repair: bool,
    /// More than a hundredth of all shards may be set aside.
    pub force: bool,
}

/// One kind of difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Difference {
    /// For programs.
    pub kind: &'static str,
    /// For people.
    pub meaning: &'static str,
    /// That were found.
    pub count: u64,
    /// That were made good, or given to those who do it.
    pub repaired: u64,
    /// The first of them.
    pub examples: Vec<String>,
}

/// A comparison, as far as it has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct FsckReport {
    /// `none`, `waiting`, `running`, `done` or `failed`.
    pub state: &'static str,
    /// Differences are made good.
    pub repair: bool,
    /// Shards on nodes that were looked at.
    pub shards: u64,
    /// Files that were compared with the graph.
    pub files: u64,
    /// Nodes that were away: nothing is said of what they hold.
    pub unchecked_nodes: Vec<String>,
    /// Each kind, also those of which there are none.
    pub differences: Vec<Difference>,
    /// Why it ended early.
    pub error: Option<String>,
}

/// The job; clones share it.
#[derive(Clone, Default)]
pub struct Fsck(Arc<Inner>);

#[derive(Default)]
struct Inner {
    asked: Mutex<Option<Asked>>,
    report: Mutex<Option<FsckReport>>,
    woken: Arc<Notify>,
}

impl Fsck {
    /// Asks for a comparison; false if one is under way.
    pub fn ask(&self, asked: Asked) -> bool {
        let mut waiting = lock(&self.0.asked);
        if waiting.is_some() || self.report().state == "running" {
            return false;
        }
        *waiting = Some(asked);
        let report = FsckReport { state: "waiting", repair: asked.repair, ..FsckReport::default() };
        *lock(&self.0.report) = Some(report);
        self.0.woken.notify_one();
        true
    }

    /// The last comparison.
    pub fn report(&self) -> FsckReport {
        let none = || FsckReport { state: "none", ..FsckReport::default() };
        lock(&self.0.report).clone().unwrap_or_else(none)
    }

    /// Told when somebody asks.
    pub(super) fn woken(&self) -> Arc<Notify> {
        Arc::clone(&self.0.woken)
    }

    fn show(&self, report: FsckReport) {
        *lock(&self.0.report) = Some(report);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct FsckWorker {
    pub(crate) extents: Extents,
    pub(crate) graph: Arc<dyn TagGraph>,
    pub(crate) fsck: Fsck,
    pub(crate) allowance: Allowance,
    pub(crate) state: WorkerState,
}

/// What was found so far.
#[derive(Default)]
struct Found {
    kinds: BTreeMap<Kind, (u64, u64, Vec<String>)>,
    shards: u64,
    files: u64,
    unchecked: Vec<String>,
}

impl Found {
    fn note(&mut self, kind: Kind, repaired: bool, example: impl FnOnce() -> String) {
        let (count, made_good, examples) = self.kinds.entry(kind).or_default();
        *count += 1;
        *made_good += u64::from(repaired);
        if examples.len() < EXAMPLES {
            examples.push(example());
        }
    }

    fn report(&self, state: &'static str, asked: Asked, error: Option<String>) -> FsckReport {
        let difference = |kind: Kind| {
            let (count, repaired, examples) = self.kinds.get(&kind).cloned().unwrap_or_default();
            Difference { kind: kind.name(), meaning: kind.meaning(), count, repaired, examples }
        };
        let all = [
            Kind::Missing,
            Kind::Different,
            Kind::Unnamed,
            Kind::Incomplete,
            Kind::NotInGraph,
            Kind::OnlyInGraph,
            Kind::OtherInGraph,
        ];
        FsckReport {
            state,
            repair: asked.repair,
            shards: self.shards,
            files: self.files,
            unchecked_nodes: self.unchecked.clone(),
            differences: all.into_iter().map(difference).collect(),
            error,
        }
    }
}

impl FsckWorker {
    /// The comparison that was asked for, if one was.
    pub(crate) async fn pass(&self) -> Result<bool, CatalogError> {
        let Some(asked) = *lock(&self.fsck.0.asked) else { return Ok(false) };
        self.state.set_queue(1);
        let mut found = Found::default();
        self.fsck.show(found.report("running", asked, None));
        let compared = self.compare(asked, &mut found).await;
        let error = compared.err().map(|trouble| trouble.to_string());
        let state = if error.is_none() { "done" } else { "failed" };
        {
            // Whoever sees the end may ask again.
            let mut waiting = lock(&self.fsck.0.asked);
            self.fsck.show(found.report(state, asked, error.clone()));
            *waiting = None;
        }
        self.state.set_queue(0);
        match error {
            None => self.state.succeeded(1),
            Some(error) => self.state.failed(error),
        }
        Ok(false)
    }

    async fn compare(&self, asked: Asked, found: &mut Found) -> Result<(), Trouble> {
        if asked.force {
            self.allowance.grant();
        }
        let mut shapes: BTreeMap<asterism_proto::ExtentId, Vec<(NodeId, Listed)>> = BTreeMap::new();
        for member in self.extents.members.all() {
            let (node, name) = (member.row.id, member.row.name.to_string());
            if !member.is_heard() {
                found.unchecked.push(name);
                continue;
            }
            self.listed(node, &name, found, &mut shapes).await?;
            self.fsck.show(found.report("running", asked, None));
            self.absent(node, &name, asked.repair, found).await?;
            self.fsck.show(found.report("running", asked, None));
        }
        self.different(shapes, asked.repair, found).await?;
        for (entry, owner) in self.extents.catalog.incomplete_files().await? {
            found.note(Kind::Incomplete, false, || format!("file {entry} of {owner}"));
        }
        self.graph(asked.repair, found).await
    }

    /// What the node holds, against what the catalog says of it.
    async fn listed(
        &self,
        node: NodeId,
        name: &str,
        found: &mut Found,
        shapes: &mut BTreeMap<asterism_proto::ExtentId, Vec<(NodeId, Listed)>>,
    ) -> Result<(), Trouble> {
        let mut after = None;
        loop {
            let page = self.extents.shards.list(node, after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.key);
            found.shards += page.len() as u64;
            let own = page.iter().filter(|shard| shard.cluster == self.extents.cluster);
            let shards: Vec<Listed> = own.map(listed).collect();
            let standing = self.extents.catalog.standing(node, &shards).await?;
            for (shard, standing) in shards.into_iter().zip(standing) {
                match standing {
                    Standing::Named | Standing::OnItsWay => {}
                    Standing::Different => shapes.entry(shard.extent).or_default().push((node, shard)),
                    Standing::Unnamed => {
                        let (extent, slot) = (shard.extent, shard.slot);
                        found.note(Kind::Unnamed, false, || format!("{extent}.{slot} on {name}"));
                    }
                }
            }
        }
    }

    /// What the node should hold and does not.
    async fn absent(&self, node: NodeId, name: &str, repair: bool, found: &mut Found) -> Result<(), Trouble> {
        let mut absent = Absent::of(&self.extents, node);
        while let Some(keys) = absent.next().await? {
            let verdicts = self.extents.shards.verify(node, keys.clone()).await?;
            for (key, verdict) in keys.iter().zip(verdicts) {
                if !matches!(verdict, Verified::Absent | Verified::Corrupt { .. }) {
                    continue;
                }
                let repaired = repair && self.bring_back(node, *key, verdict).await?;
                found.note(Kind::Missing, repaired, || format!("{}.{} on {name}", key.extent, key.slot));
            }
        }
        Ok(())
    }

    /// What was set aside once is taken back; else the shard is rebuilt.
    async fn bring_back(&self, node: NodeId, key: ShardKey, verdict: Verified) -> Result<bool, Trouble> {
        let epoch = self.extents.epoch();
        let back = self.extents.shards.aside(node, AsideAct::BringBack, vec![key], epoch).await?;
        if back == [Aside::Done] {
            self.extents.catalog.forget_orphans(node, &[(key.extent, key.slot)]).await?;
            return Ok(true);
        }
        Ok(self.extents.note_damage(node, key, verdict, FoundBy::Fsck).await?)
    }

    /// Where the shards of an extent agree with each other, and are enough to read it, the metadata is wrong.
    async fn different(
        &self,
        shapes: BTreeMap<asterism_proto::ExtentId, Vec<(NodeId, Listed)>>,
        repair: bool,
        found: &mut Found,
    ) -> Result<(), Trouble> {
        for (extent, shards) in shapes {
            let (_, first) = shards[0];
            let agree = shards.iter().all(|(_, shard)| Listed { slot: first.slot, ..*shard } == first);
            let enough = shards.len() >= usize::from(first.data);
            let repaired = repair && agree && enough && self.extents.catalog.reshape(&first).await?;
            for (node, shard) in shards {
                found.note(Kind::Different, repaired, || format!("{extent}.{} on {node}", shard.slot));
            }
        }
        Ok(())
    }

    /// Every file, as the catalog has it and as the graph shows it.
    async fn graph(&self, repair: bool, found: &mut Found) -> Result<(), Trouble> {
        let projection =
            Projection::new(self.extents.catalog.clone(), Arc::clone(&self.graph), self.state.clone());
        let mut after = None;
        loop {
            let entries = self.extents.catalog.files_after(after, BATCH).await?;
            let Some(last) = entries.last() else { break };
            after = Some(*last);
            found.files += entries.len() as u64;
            let differing = self.differing(&entries).await?;
            // Changed in between, or on its way through the outbox: only what stays different is one.
            let ids: Vec<EntryId> = differing.iter().map(|(entry, _)| *entry).collect();
            let pending = self.extents.catalog.on_their_way(&ids).await?;
            let still = if ids.is_empty() { Vec::new() } else { self.differing(&ids).await? };
            let still: Vec<_> = still.into_iter().filter(|(entry, _)| !pending.contains(entry)).collect();
            if repair && !still.is_empty() {
                let ids: Vec<EntryId> = still.iter().map(|(entry, _)| *entry).collect();
                projection.show(&ids).await?;
            }
            for (entry, kind) in still {
                found.note(kind, repair, || format!("file {entry}"));
            }
        }
        self.only_in_graph(&projection, repair, found).await
    }

    async fn only_in_graph(
        &self,
        projection: &Projection,
        repair: bool,
        found: &mut Found,
    ) -> Result<(), Trouble> {
        let mut after = None;
        loop {
            let known = self.graph.file_ids(after, BATCH).await?;
            let Some(last) = known.last() else { return Ok(()) };
            after = Some(*last);
            let files = self.extents.catalog.projections(&known).await?;
            let there: BTreeSet<EntryId> = files.iter().map(|file| file.entry).collect();
            let strangers: Vec<EntryId> = known.into_iter().filter(|entry| !there.contains(entry)).collect();
            let pending = self.extents.catalog.on_their_way(&strangers).await?;
            let strangers: Vec<EntryId> =
                strangers.into_iter().filter(|entry| !pending.contains(entry)).collect();
            if repair && !strangers.is_empty() {
                projection.show(&strangers).await?;
            }
            for entry in strangers {
                found.note(Kind::OnlyInGraph, repair, || format!("file {entry}"));
            }
        }
    }

    /// Files that the graph lacks or shows otherwise.
    async fn differing(&self, entries: &[EntryId]) -> Result<Vec<(EntryId, Kind)>, Trouble> {
        let files = self.extents.catalog.projections(entries).await?;
        let shown = self.graph.shown(entries).await?;
        let mut differing = Vec::new();
        for file in files {
            let mut tags: Vec<(String, String)> = file
                .tags
                .iter()
                .map(|tagging| (tagging.tag.kind().to_owned(), tagging.tag.name().to_owned()))
                .collect();
            tags.sort();
            match shown.get(&file.entry) {
                None => differing.push((file.entry, Kind::NotInGraph)),
                Some(vertex)
                    if vertex.path != file.path.as_str()
                        || vertex.size != file.size
                        || vertex.tags != tags =>
                {
                    differing.push((file.entry, Kind::OtherInGraph));
                }
                Some(_) => {}
            }
        }
        Ok(differing)
    }
}

#[cfg(test)]
mod tests;

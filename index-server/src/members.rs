//! The nodes and groups as this process sees them now: the catalog's rows, and who was heard when.

mod choice;

use crate::{
    catalog::{Group, Intent, MoveRow, NodeRow},
    liveness::{self, SUSPECT_AFTER},
};
use asterism_proto::{NodeId, NodeName, NodeState, index::HeartbeatRequest};
pub use choice::TooFewNodes;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::time::Instant;

/// A node's row, and the last thing it said.
#[derive(Clone, Debug)]
pub struct Member {
    /// As the catalog has it.
    pub row: NodeRow,
    /// The last heartbeat and when it came.
    pub heard: Option<(Instant, HeartbeatRequest)>,
    /// It came back with fewer shards than it left with; until it is counted, nobody knows which.
    doubtful: bool,
    /// Who wants of it what is wanted, if that was said since this process started.
    pub reason: Option<String>,
    /// It is heard and takes no shards.
    stall: Option<Stall>,
    /// It came, or answered, at this time: what was sent to it before says nothing of it now.
    well_since: Option<Instant>,
}

/// A circuit breaker: a node that let a write wait in vain gets none until it has answered again.
#[derive(Clone, Copy, Debug)]
struct Stall {
    /// Not asked before.
    until: Instant,
    /// How long that was; the next time it is twice as long.
    pause: Duration,
    /// It has answered since.
    over: bool,
}

/// A node that stalled is left alone for so long the first time.
const STALL_PAUSE: Duration = Duration::from_secs(5);
/// And never longer than this, however often it stalls.
const STALL_PAUSE_MAX: Duration = Duration::from_secs(300);
/// At most one in so many of the nodes is left alone.
const STALLED_PART_MAX: usize = 3;
/// A node that has taken writes for so long since is trusted as before.
const STALL_FORGOTTEN: Duration = Duration::from_secs(600);

impl Member {
    /// Since the last heartbeat.
    pub fn age(&self) -> Option<Duration> {
        self.heard.as_ref().map(|(at, _)| at.elapsed())
    }

    /// Heard lately, whatever is wanted of it.
    pub fn is_heard(&self) -> bool {
        self.age().is_some_and(|age| age < SUSPECT_AFTER)
    }

    /// Room for shards, as last heard.
    pub fn free_bytes(&self) -> u64 {
        self.heard.as_ref().map_or(0, |(_, said)| said.free_bytes)
    }

    /// Whether new shards go there.
    fn is_writable(&self) -> bool {
        self.is_heard()
            && !self.is_stalled()
            && matches!(self.row.intent, Intent::Up | Intent::Waking | Intent::Asleep)
    }

    /// Whether it let a write wait in vain and has not answered since.
    pub fn is_stalled(&self) -> bool {
        self.stall.is_some_and(|stall| !stall.over)
    }

    /// Whether it counts when losses are counted: a node that is to stop does not.
    pub fn is_live(&self) -> bool {
        self.is_heard() && !self.doubtful && !matches!(self.row.intent, Intent::Stopping | Intent::Retired)
    }
}

#[derive(Default)]
struct Seen {
    members: BTreeMap<NodeId, Member>,
    /// Started anew, and not yet counted.
    uncounted: BTreeSet<NodeId>,
    /// Came back, and may hold what was to be removed meanwhile.
    behind: BTreeSet<NodeId>,
    /// There are files, so a node that says it holds nothing may have lost everything while nobody watched.
    files_exist: bool,
    groups: Arc<Vec<Group>>,
    /// Where positions go that are on their way, by group and position.
    targets: Arc<BTreeMap<(u32, u8), NodeId>>,
}

/// Shared by everything in this process that must know who is there.
#[derive(Clone)]
pub struct Members {
    seen: Arc<RwLock<Seen>>,
    started: Instant,
}

impl Default for Members {
    fn default() -> Self {
        Self { seen: Arc::default(), started: Instant::now() }
    }
}

impl Members {
    /// Takes over rows of the catalog; what was heard stays.
    pub fn set_rows(&self, rows: Vec<NodeRow>) {
        let mut seen = self.write();
        let mut known = std::mem::take(&mut seen.members);
        let renewed = rows.into_iter().map(|row| {
            let unknown = |row| Member {
                row,
                heard: None,
                doubtful: false,
                reason: None,
                stall: None,
                well_since: None,
            };
            let id = row.id;
            match known.remove(&id) {
                Some(old) => (id, Member { row, ..old }),
                None => (id, unknown(row)),
            }
        });
        seen.members = renewed.collect();
    }

    /// Takes over the groups of the catalog.
    pub fn set_groups(&self, groups: Vec<Group>) {
        self.write().groups = Arc::new(groups);
    }

    /// Takes over the moves of the catalog.
    pub fn set_moves(&self, moves: &[MoveRow]) {
        let targets = moves.iter().map(|row| ((row.group, row.position), row.to)).collect();
        self.write().targets = Arc::new(targets);
    }

    /// A position is another node's now.
    pub fn switch(&self, group: u32, position: u8, node: NodeId) {
        let mut seen = self.write();
        let groups = Arc::make_mut(&mut seen.groups);
        let member = groups
            .binary_search_by_key(&group, |group| group.id)
            .ok()
            .and_then(|at| groups[at].members.get_mut(usize::from(position)));
        if let Some(member) = member {
            *member = node;
        }
        Arc::make_mut(&mut seen.targets).remove(&(group, position));
    }

    /// Since this process began to listen: who was not heard since has been silent for so long at least.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Where positions go that are on their way, by group and position.
    pub fn targets(&self) -> Arc<BTreeMap<(u32, u8), NodeId>> {
        Arc::clone(&self.read().targets)
    }

    /// This process has just started, and there are files: what nodes held before is not known here.
    pub fn expect_shards(&self) {
        self.write().files_exist = true;
    }

    /// A node was heard; false if it is not known and must join first.
    pub fn hear(&self, node: NodeId, said: HeartbeatRequest) -> bool {
        let mut seen = self.write();
        let files_exist = seen.files_exist;
        let Some(member) = seen.members.get_mut(&node) else { return false };
        let before = member.heard.as_ref().map(|(_, before)| (before.boot.clone(), before.shards));
        let started = before.as_ref().is_none_or(|(boot, _)| *boot != said.boot);
        if started {
            member.doubtful =
                before.map_or(files_exist && said.shards == 0, |(_, shards)| said.shards < shards);
            member.stall = None;
        }
        let was_away = !member.is_heard();
        member.heard = Some((Instant::now(), said));
        if started || was_away {
            member.well_since = Some(Instant::now());
            seen.behind.insert(node);
        }
        if started {
            seen.uncounted.insert(node);
        }
        true
    }

    /// A write that was begun at `begun` waited for the node in vain: the next ones shall not. If the node came or answered since,
    /// that is over.
    pub fn stalled(&self, node: NodeId, begun: Instant) {
        let (mut seen, now) = (self.write(), Instant::now());
        let others = seen.members.values().filter(|other| other.row.id != node && other.is_heard());
        let (heard, stalled) = (others.clone().count(), others.filter(|other| other.is_stalled()).count());
        // Where many stall at once it is not the nodes that are ill, and who is left out is missed.
        if (stalled + 1) * STALLED_PART_MAX > heard + 1 {
            return;
        }
        let Some(member) = seen.members.get_mut(&node) else { return };
        if member.well_since.is_some_and(|since| begun < since) {
            return;
        }
        let pause = match member.stall {
            // Writes that were under way already say nothing new.
            Some(stall) if !stall.over => return,
            Some(stall) if now < stall.until + STALL_FORGOTTEN => (stall.pause * 2).min(STALL_PAUSE_MAX),
            _ => STALL_PAUSE,
        };
        tracing::warn!(%node, seconds = pause.as_secs(), "node takes no shards; it gets none until it answers");
        member.stall = Some(Stall { until: now + pause, pause, over: false });
    }

    /// Nodes that stalled and may be asked by now whether they are well again.
    pub fn to_be_asked(&self) -> Vec<NodeId> {
        let (seen, now) = (self.read(), Instant::now());
        let due = |member: &&Member| {
            member.is_heard() && member.stall.is_some_and(|stall| !stall.over && stall.until <= now)
        };
        seen.members.values().filter(due).map(|member| member.row.id).collect()
    }

    /// A node that stalled has answered: it gets shards again.
    pub fn answered(&self, node: NodeId) {
        let mut seen = self.write();
        let Some(member) = seen.members.get_mut(&node) else { return };
        if let Some(stall) = &mut member.stall {
            tracing::info!(%node, "node answers again");
            stall.over = true;
            member.well_since = Some(Instant::now());
        }
    }

    /// Nodes that started anew and have not been counted since.
    pub fn to_be_counted(&self) -> BTreeSet<NodeId> {
        self.read().uncounted.clone()
    }

    /// Nodes that came back and have not removed yet what they should have removed meanwhile.
    pub fn behind(&self) -> BTreeSet<NodeId> {
        self.read().behind.clone()
    }

    /// Whether a node came back and has not caught up: it gets nothing from the background work before.
    pub fn is_behind(&self, node: NodeId) -> bool {
        self.read().behind.contains(&node)
    }

    /// A node has removed everything that it should have removed while it was away.
    pub fn caught_up(&self, node: NodeId) {
        self.write().behind.remove(&node);
    }

    /// What the node holds is known again.
    pub fn counted(&self, node: NodeId) {
        let mut seen = self.write();
        seen.uncounted.remove(&node);
        if let Some(member) = seen.members.get_mut(&node) {
            member.doubtful = false;
        }
    }

    /// What is wanted of a node, once the catalog has it.
    pub fn set_intent(&self, node: NodeId, intent: Intent) {
        if let Some(member) = self.write().members.get_mut(&node) {
            if member.row.intent != intent {
                member.reason = None;
            }
            member.row.intent = intent;
        }
    }

    /// Why that is wanted of a node, for the log.
    pub fn set_reason(&self, node: NodeId, reason: String) {
        if let Some(member) = self.write().members.get_mut(&node) {
            member.reason = Some(reason);
        }
    }

    /// All nodes, by id.
    pub fn all(&self) -> Vec<Member> {
        self.read().members.values().cloned().collect()
    }

    /// The node of that name.
    pub fn by_name(&self, name: &NodeName) -> Option<Member> {
        self.read().members.values().find(|member| member.row.name == *name).cloned()
    }

    /// The node of that id.
    pub fn get(&self, node: NodeId) -> Option<Member> {
        self.read().members.get(&node).cloned()
    }

    /// What the node is now.
    pub fn state(&self, member: &Member) -> NodeState {
        liveness::derive(member.row.intent, member.age(), self.started.elapsed())
    }

    /// All groups, by number.
    pub fn groups(&self) -> Arc<Vec<Group>> {
        Arc::clone(&self.read().groups)
    }

    /// The members of a group, in order.
    pub fn group(&self, id: u32) -> Option<Vec<NodeId>> {
        let groups = self.groups();
        let at = groups.binary_search_by_key(&id, |group| group.id).ok()?;
        Some(groups[at].members.clone())
    }

    /// Whether a node was heard lately.
    pub fn is_heard(&self, node: NodeId) -> bool {
        self.read().members.get(&node).is_some_and(Member::is_heard)
    }

    /// Whether a node was heard lately and takes what it is sent.
    pub fn is_prompt(&self, node: NodeId) -> bool {
        let seen = self.read();
        seen.members.get(&node).is_some_and(|member| member.is_heard() && !member.is_stalled())
    }

    /// Whether a shard of `bytes` that is missing on a node should go to another one: the node is wanted and full, or has been silent
    /// for as long as it is waited for.
    pub fn needs_a_spare(&self, node: NodeId, bytes: u64, patience: Duration) -> bool {
        let Some(member) = self.get(node) else { return false };
        let is_wanted = matches!(member.row.intent, Intent::Up | Intent::Waking);
        let silent = member.age().unwrap_or_else(|| self.uptime());
        is_wanted && if member.is_heard() { member.free_bytes() < bytes } else { silent >= patience }
    }

    /// Who counts when losses are counted, now.
    pub fn live(&self) -> impl Fn(NodeId) -> bool + use<> {
        let live: HashMap<NodeId, bool> =
            self.read().members.iter().map(|(id, member)| (*id, member.is_live())).collect();
        move |node| live.get(&node).copied().unwrap_or(false)
    }

    /// Who takes new shards and has room for `bytes` of them, now.
    pub fn writable(&self, bytes: u64) -> impl Fn(NodeId) -> bool + use<> {
        let writable = |member: &Member| member.is_writable() && member.free_bytes() >= bytes;
        let writable: HashMap<NodeId, bool> =
            self.read().members.iter().map(|(id, member)| (*id, writable(member))).collect();
        move |node| writable.get(&node).copied().unwrap_or(false)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Seen> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Seen> {
        self.seen.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;

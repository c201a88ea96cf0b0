//! What is known of every node right now: the collectors write, the state machine judges, everything else reads.

mod figures;
mod node;
#[cfg(test)]
mod tests;
mod view;

use crate::state::{Limits, Memory, NodeState};
use asterism_proto::{
    NodeId, NodeName,
    index::{GroupSummary, Intent, NodesResponse, Part},
};
use node::Node;
pub use node::{Measured, ProbeResult, Told};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::watch;
pub use view::{Groups, NodeView, Signs};

/// More nodes than this are not watched: the answer of an index-server that knows so many is not believed.
pub const NODES_MAX: usize = 4096;

/// An index-server has fewer parts than this.
const PARTS_MAX: usize = 64;

/// An answer older than this share of the time after which a node is suspect is no longer current.
const ANSWER_STALE_SHARE: f64 = 0.6;

/// A node went from one state to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its name.
    pub name: NodeName,
    /// Where it was; `None` for a node that was not known.
    pub from: Option<NodeState>,
    /// Where it is.
    pub to: NodeState,
    /// Why.
    pub cause: String,
}

/// Somebody is acting on the node already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HoldError {
    /// The node is not known.
    #[error("there is no such node")]
    Unknown,
    /// Another act has it.
    #[error("{what} is under way")]
    Busy {
        /// Which.
        what: String,
    },
}

/// The state of a node as the log has it from before a restart.
pub type Remembered = BTreeMap<String, (NodeState, i64, String)>;

/// The board; shared by everyone in the process.
pub struct Board {
    limits: Limits,
    inner: Mutex<Inner>,
    ticks: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    nodes: BTreeMap<NodeId, Node>,
    remembered: Remembered,
    groups: GroupSummary,
    /// Of the index-server's parts, the last time it answered.
    parts: Vec<Part>,
    heard: Option<Instant>,
    index_error: Option<String>,
}

impl Board {
    /// A board that knows no node, only what states they were in.
    pub fn new(limits: Limits, remembered: Remembered) -> Arc<Self> {
        let inner = Mutex::new(Inner { remembered, ..Inner::default() });
        Arc::new(Self { limits, inner, ticks: watch::Sender::new(0) })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what an index-server answered to a question asked at `asked`; gives the nodes that came or went.
    pub fn learn(&self, answer: NodesResponse, asked: Instant) -> Vec<Change> {
        let mut inner = self.inner();
        inner.heard = Some(asked);
        inner.index_error = None;
        inner.groups = answer.groups.unwrap_or_default();
        inner.parts = answer.parts.into_iter().take(PARTS_MAX).collect();
        let mut changes = Vec::new();
        let mut present = Vec::new();
        for view in answer.nodes.into_iter().take(NODES_MAX) {
            match (view.node.parse::<NodeId>(), view.name.parse::<NodeName>()) {
                (Ok(id), Ok(name)) => {
                    present.push(id);
                    changes.extend(inner.update(id, name, &view, asked));
                }
                _ => {
                    tracing::warn!(node = ?view.node, name = ?view.name, "a node without a proper name was left out")
                }
            }
        }
        changes.extend(inner.forget_others(&present));
        changes
    }

    /// Takes up nodes that were known before a restart; what an index-server says later goes before.
    pub fn recall(&self, nodes: Vec<asterism_proto::index::NodeView>) {
        let (mut inner, now) = (self.inner(), Instant::now());
        for view in nodes.into_iter().take(NODES_MAX) {
            if let (Ok(id), Ok(name)) = (view.node.parse::<NodeId>(), view.name.parse::<NodeName>()) {
                // No news: it is in the log already.
                let _known = inner.update(id, name, &view, now);
            }
        }
    }

    /// No index-server answers.
    pub fn lose_index(&self, error: &str) {
        let mut inner = self.inner();
        if inner.index_error.is_none() {
            tracing::warn!(error, "no index-server answers, the own probes alone decide");
        }
        inner.index_error = Some(error.to_owned());
    }

    /// A probe of `id` that began at `began` has ended.
    pub fn probed(&self, id: NodeId, began: Instant, result: ProbeResult) {
        if let Some(node) = self.inner().nodes.get_mut(&id) {
            node.probe.ended(began, result);
        }
    }

    /// Lets the state machine look at every node on which nobody acts.
    pub fn judge(&self, now: Instant) -> Vec<Change> {
        let mut inner = self.inner();
        let blind = inner.blind(self.limits, now);
        let mut changes = Vec::new();
        for node in inner.nodes.values_mut().filter(|node| node.held.is_none()) {
            let before = node.memory.state;
            node.judge(blind, self.limits, now);
            if node.memory.state != before {
                node.since_unix_ms = unix_ms();
                changes.push(node.changed(Some(before)));
            }
        }
        drop(inner);
        self.ticks.send_modify(|tick| *tick += 1);
        changes
    }

    /// Tells of every judgement.
    pub fn ticks(&self) -> watch::Receiver<u64> {
        self.ticks.subscribe()
    }

    /// Takes the node for one act; `what` is said to whoever comes second.
    ///
    /// # Errors
    /// The node is not known or is being acted on.
    pub fn hold(self: &Arc<Self>, id: NodeId, what: &str) -> Result<Hold, HoldError> {
        let mut inner = self.inner();
        let node = inner.nodes.get_mut(&id).ok_or(HoldError::Unknown)?;
        if let Some(what) = &node.held {
            return Err(HoldError::Busy { what: what.clone() });
        }
        node.held = Some(what.to_owned());
        Ok(Hold { board: Arc::clone(self), id })
    }

    /// The addresses of all nodes, for the probes.
    pub fn addresses(&self) -> Vec<(NodeId, String)> {
        self.inner().nodes.iter().map(|(id, node)| (*id, node.address.clone())).collect()
    }

    /// Whether an index-server answers, or why not.
    ///
    /// # Errors
    /// The sentence says what it says.
    pub fn index(&self) -> Result<(), String> {
        let inner = self.inner();
        match (&inner.index_error, inner.heard) {
            (Some(error), _) => Err(error.clone()),
            (None, None) => Err("not asked yet".into()),
            (None, Some(_)) => Ok(()),
        }
    }
}

impl Inner {
    /// Whether nothing current is known of heartbeats. While an answer is overdue, silence would seem to grow although
    /// nobody was asked, so that well before it means anything the own probes take over.
    fn blind(&self, limits: Limits, now: Instant) -> bool {
        let stale_after = limits.suspect_after.mul_f64(ANSWER_STALE_SHARE);
        let stale = self.heard.is_none_or(|heard| now.saturating_duration_since(heard) > stale_after);
        stale || self.index_error.is_some()
    }

    fn update(
        &mut self,
        id: NodeId,
        name: NodeName,
        view: &asterism_proto::index::NodeView,
        asked: Instant,
    ) -> Option<Change> {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.learn(view, asked);
            return None;
        }
        let (memory, since, new) = match self.remembered.get(name.as_str()) {
            Some((state, since, cause)) if *state != NodeState::Retired => {
                (Memory::new(*state, cause.clone()), *since, false)
            }
            _ => (Memory::new(NodeState::Joining, "the index-server knows it now"), unix_ms(), true),
        };
        let mut node = Node::new(name, memory, since);
        node.learn(view, asked);
        let change = new.then(|| node.changed(None));
        self.nodes.insert(id, node);
        change
    }

    /// Nodes that the index-server no longer names are gone for good.
    fn forget_others(&mut self, present: &[NodeId]) -> Vec<Change> {
        let gone: Vec<NodeId> = self
            .nodes
            .iter()
            .filter(|(id, node)| node.held.is_none() && !present.contains(id))
            .map(|(id, _)| *id)
            .collect();
        let mut changes = Vec::new();
        for id in gone {
            let Some(mut node) = self.nodes.remove(&id) else { continue };
            let before = node.memory.state;
            node.memory.put(NodeState::Retired, "the index-server no longer knows it");
            self.remembered.remove(node.name.as_str());
            changes.push(node.changed(Some(before)));
        }
        changes
    }
}

/// One act has the node; the state machine leaves it alone until this is dropped.
pub struct Hold {
    board: Arc<Board>,
    id: NodeId,
}

impl Hold {
    /// The node.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Puts the node into `state`.
    pub fn put(&self, state: NodeState, cause: &str) {
        self.with(|node| {
            node.memory.put(state, cause);
            node.since_unix_ms = unix_ms();
        });
    }

    /// The index-server was told this; answers to older questions no longer say otherwise.
    pub fn set_intent(&self, intent: Intent) {
        self.with(|node| node.set_intent(intent, Instant::now()));
    }

    fn with(&self, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.board.inner().nodes.get_mut(&self.id) {
            change(node);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.with(|node| node.held = None);
    }
}

/// Now, for people.
pub(crate) fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

//! What the rest of the process reads off the board.

use super::{Board, Measured, node::Node};
use crate::state::NodeState;
use asterism_proto::{NodeId, NodeName, index::Intent};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// A node at one moment.
#[derive(Clone, Debug)]
pub struct NodeView {
    /// Its UUID.
    pub id: NodeId,
    /// Its name.
    pub name: NodeName,
    /// Where its gRPC is (`host:port`), empty if it gave none that makes sense.
    pub address: String,
    /// Where its HTTP is.
    pub metrics_address: Option<String>,
    /// Its failure domain.
    pub zone: String,
    /// What the operators want.
    pub intent: Intent,
    /// Its state.
    pub state: NodeState,
    /// Since when.
    pub since_unix_ms: i64,
    /// Why.
    pub cause: String,
    /// How long ago the index-server heard it.
    pub heartbeat_age: Option<Duration>,
    /// What it measured.
    pub measured: Option<Measured>,
    /// How long the last good probe took.
    pub probe_took: Option<Duration>,
    /// Why the last probe failed, if it did.
    pub probe_error: Option<String>,
    /// The act that is under way, if one is.
    pub act: Option<String>,
    /// What an act waits for.
    pub signs: Signs,
}

/// The signs of life of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signs {
    /// How long there was no heartbeat; `None` while no index-server answers.
    pub silence: Option<Duration>,
    /// When the last probe began, and whether it was answered.
    pub probe: Option<(Instant, bool)>,
}

/// The placement groups at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// How many there are.
    pub total: u32,
    /// How many have each margin.
    pub by_margin: BTreeMap<i32, u32>,
    /// How many extents are known to lack a shard.
    pub short_extents: u64,
}

impl Board {
    /// All nodes, in the order of their names.
    pub fn nodes(&self) -> Vec<NodeView> {
        let (inner, now) = (self.inner(), Instant::now());
        let blind = inner.blind(self.limits, now);
        let mut nodes: Vec<_> = inner.nodes.iter().map(|(id, node)| view(*id, node, blind, now)).collect();
        nodes.sort_by(|one, other| one.name.cmp(&other.name));
        nodes
    }

    /// The state of every node.
    pub fn states(&self) -> Vec<NodeState> {
        self.inner().nodes.values().map(|node| node.memory.state).collect()
    }

    /// One node.
    pub fn node(&self, id: NodeId) -> Option<NodeView> {
        let (inner, now) = (self.inner(), Instant::now());
        inner.nodes.get(&id).map(|node| view(id, node, inner.blind(self.limits, now), now))
    }

    /// The placement groups, as the index-server counted them last.
    pub fn groups(&self) -> Groups {
        let inner = self.inner();
        Groups {
            total: inner.groups.total,
            by_margin: inner.groups.by_margin.iter().map(|(margin, groups)| (*margin, *groups)).collect(),
            short_extents: inner.groups.short_extents,
        }
    }
}

fn view(id: NodeId, node: &Node, blind: bool, now: Instant) -> NodeView {
    NodeView {
        id,
        name: node.name.clone(),
        address: node.address.clone(),
        metrics_address: node.metrics_address.clone(),
        zone: node.zone.clone(),
        intent: node.intent,
        state: node.memory.state,
        since_unix_ms: node.since_unix_ms,
        cause: node.memory.cause.clone(),
        heartbeat_age: node.heartbeat_age(now),
        measured: node.measured.clone(),
        probe_took: node.probe.took,
        probe_error: node.probe.error().map(str::to_owned),
        act: node.held.clone(),
        signs: Signs { silence: (!blind).then(|| node.silence(now)), probe: node.probe.last() },
    }
}

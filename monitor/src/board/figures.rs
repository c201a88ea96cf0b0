//! The figures that can be read off the board.

use super::{Board, Inner, node::Node};
use crate::{
    figures::{Figure, NodeRow, Reading, Row, is_meant_to_be_up},
    state::Limits,
};
use asterism_proto::NodeId;
use std::time::Instant;

/// The names of parts of an index-server that have a figure.
const DATABASE: &str = "database";
const GRAPH: &str = "graph";

impl Board {
    /// Sets what is known here in `reading`.
    pub fn fill(&self, reading: &mut Reading) {
        let (inner, now) = (self.inner(), Instant::now());
        let blind = inner.blind(self.limits, now);
        inner.fill(&mut reading.cluster, blind);
        reading.nodes =
            inner.nodes.iter().map(|(id, node)| row(*id, node, blind, self.limits, now)).collect();
    }
}

impl Inner {
    /// What an index-server said last is left out while none answers: it may be wrong by now.
    fn fill(&self, row: &mut Row, blind: bool) {
        if self.heard.is_none() && self.index_error.is_none() {
            return;
        }
        row.set(Figure::IndexServerUp, f64::from(u8::from(self.index_error.is_none())));
        if blind {
            return;
        }
        for (name, figure) in [(DATABASE, Figure::DatabaseUp), (GRAPH, Figure::GraphUp)] {
            if let Some(part) = self.parts.iter().find(|part| part.name == name) {
                row.set(figure, f64::from(u8::from(part.error.is_empty())));
            }
        }
        if self.groups.total > 0 {
            row.set(Figure::BelowFloor, f64::from(self.groups.below_floor));
            row.set(Figure::ShortExtents, self.groups.short_extents as f64);
            if let Some(worst) = self.groups.worst_margin {
                row.set(Figure::WorstMargin, f64::from(worst));
            }
        }
    }
}

fn row(id: NodeId, node: &Node, blind: bool, limits: Limits, now: Instant) -> NodeRow {
    let mut row = Row::default();
    let flag = |set: bool| f64::from(u8::from(set));
    let state = node.memory.state;
    if is_meant_to_be_up(state) {
        row.set(Figure::NodeOffline, flag(state == crate::state::NodeState::Offline));
        row.set(Figure::NodeProcessDead, flag(node.process_is_dead()));
        row.set(Figure::NodeUnreachable, flag(node.is_unreachable(blind, limits, now)));
        row.set(Figure::NodeFalls, node.memory.recent_falls(now) as f64);
    }
    if let Some(measured) = &node.measured {
        row.set(Figure::NodeFree, measured.free_bytes as f64);
        row.set(Figure::NodeCapacity, measured.capacity_bytes as f64);
        // These are of the moment: of a node that is away they say nothing.
        if state.is_serving() {
            row.set(Figure::NodeLoad, measured.load1);
            row.set(Figure::NodeCores, f64::from(measured.cores));
            row.set(Figure::NodeMemory, measured.memory_total_bytes as f64);
            row.set(Figure::NodeMemoryAvailable, measured.memory_available_bytes as f64);
        }
    }
    if state.is_serving() {
        if let Some(took) = node.probe.took {
            row.set(Figure::NodeProbe, took.as_secs_f64());
        }
        if let Some(skew) = node.probe.told.clock_skew {
            row.set(Figure::NodeClockSkew, skew);
        }
        if let Some(end) = node.probe.told.certificate_end {
            row.set(Figure::NodeCertificateEnd, end as f64);
        }
    }
    NodeRow { id, name: node.name.clone(), zone: node.zone.clone(), row }
}

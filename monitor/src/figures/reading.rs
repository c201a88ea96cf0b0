//! All figures of one moment.

use super::{
    Figure,
    trend::{self, Trends},
};
use crate::{
    board::{Board, unix_ms},
    state::NodeState,
};
use asterism_proto::{NodeId, NodeName};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// The figures of one subject; NaN where there is none.
#[derive(Clone, Debug)]
pub struct Row([f64; Figure::COUNT]);

impl Default for Row {
    fn default() -> Self {
        Self([f64::NAN; Figure::COUNT])
    }
}

impl Row {
    /// The value of `figure`, NaN if there is none.
    pub fn get(&self, figure: Figure) -> f64 {
        self.0[figure as usize]
    }

    /// Sets `figure`.
    pub fn set(&mut self, figure: Figure, value: f64) {
        self.0[figure as usize] = value;
    }

    /// The same row with `figure` set.
    #[must_use]
    pub fn with(mut self, figure: Figure, value: f64) -> Self {
        self.set(figure, value);
        self
    }
}

/// The figures of a node.
#[derive(Clone, Debug)]
pub struct NodeRow {
    /// Which one.
    pub id: NodeId,
    /// Its name.
    pub name: NodeName,
    /// Its failure domain.
    pub zone: String,
    /// The figures.
    pub row: Row,
}

/// The figures of a zone.
#[derive(Clone, Debug)]
pub struct ZoneRow {
    /// Which one.
    pub zone: String,
    /// The figures.
    pub row: Row,
}

/// Everything at one moment.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// When, in seconds since 1970.
    pub unix_seconds: f64,
    /// Of the cluster as a whole.
    pub cluster: Row,
    /// Of each zone with more than one node that is meant to be up.
    pub zones: Vec<ZoneRow>,
    /// Of each node.
    pub nodes: Vec<NodeRow>,
}

/// What the monitor knows of itself; written by its parts, read with everything else.
#[derive(Debug)]
pub struct Own {
    push_time: AtomicU64,
    /// Seconds between pushes; NaN if nothing is pushed.
    pub push_interval: f64,
    /// When the own certificate ends, in seconds since 1970.
    pub certificate_end: f64,
    log_waiting: AtomicU64,
}

impl Own {
    /// Facts that do not change; the others begin at nothing.
    pub fn new(push_interval: Option<f64>, certificate_end: i64) -> Self {
        Self {
            push_time: AtomicU64::new(0),
            push_interval: push_interval.unwrap_or(f64::NAN),
            certificate_end: certificate_end as f64,
            log_waiting: AtomicU64::new(0),
        }
    }

    /// Figures were pushed just now.
    pub fn pushed(&self, unix_seconds: f64) {
        self.push_time.store(unix_seconds.to_bits(), Ordering::Relaxed);
    }

    /// So many transitions wait for the log.
    pub fn log_waits(&self, entries: usize) {
        self.log_waiting.store(entries as u64, Ordering::Relaxed);
    }

    fn fill(&self, row: &mut Row) {
        if !self.push_interval.is_nan() {
            row.set(Figure::PushTime, f64::from_bits(self.push_time.load(Ordering::Relaxed)));
            row.set(Figure::PushInterval, self.push_interval);
        }
        row.set(Figure::MonitorCertificateEnd, self.certificate_end);
        row.set(Figure::LogWaiting, self.log_waiting.load(Ordering::Relaxed) as f64);
    }
}

/// Reads all figures.
pub struct Reader {
    board: Arc<Board>,
    own: Arc<Own>,
    trends: Mutex<Trends>,
}

impl Reader {
    /// Reads off `board` and `own`.
    pub fn new(board: Arc<Board>, own: Arc<Own>) -> Self {
        Self { board, own, trends: Mutex::default() }
    }

    /// All figures, now.
    pub fn read(&self) -> Reading {
        let mut reading = self.measured();
        self.trends().fill(&mut reading);
        reading
    }

    /// The same, remembered for the figures that follow from more than one moment; called again and again by one worker.
    pub fn look(&self, now: Instant) -> Reading {
        let mut reading = self.measured();
        let mut trends = self.trends();
        trends.note(&reading, now);
        trends.fill(&mut reading);
        reading
    }

    fn trends(&self) -> MutexGuard<'_, trend::Trends> {
        self.trends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn measured(&self) -> Reading {
        let mut reading = Reading { unix_seconds: unix_ms() as f64 / 1000.0, ..Reading::default() };
        self.own.fill(&mut reading.cluster);
        self.board.fill(&mut reading);
        reading.zones = zones(&reading.nodes);
        reading
    }
}

/// A zone of one node is that node, so only larger ones have figures of their own. Nodes that are meant to be away have no
/// `NodeOffline`.
fn zones(nodes: &[NodeRow]) -> Vec<ZoneRow> {
    let mut counts: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for node in nodes {
        let offline = node.row.get(Figure::NodeOffline);
        if !offline.is_nan() {
            let (wanted, gone) = counts.entry(&node.zone).or_default();
            *wanted += 1.0;
            *gone += offline;
        }
    }
    let large = counts.into_iter().filter(|(_, (wanted, _))| *wanted > 1.0);
    large
        .map(|(zone, (wanted, gone))| ZoneRow {
            zone: zone.to_owned(),
            row: Row::default().with(Figure::ZoneNodes, wanted).with(Figure::ZoneOffline, gone),
        })
        .collect()
}

/// Whether a node in `state` is meant to be up, so that its absence is a fault.
pub(crate) fn is_meant_to_be_up(state: NodeState) -> bool {
    matches!(state, NodeState::Online | NodeState::Suspect | NodeState::Offline | NodeState::Draining)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u8, zone: &str, offline: f64) -> NodeRow {
        NodeRow {
            id: NodeId::from_bytes([number; 16]),
            name: format!("n{number}").parse().unwrap(),
            zone: zone.into(),
            row: Row::default().with(Figure::NodeOffline, offline),
        }
    }

    #[test]
    fn zones_are_counted_where_they_are_more_than_a_node() {
        let nodes = [
            node(1, "a", 1.0),
            node(2, "a", 0.0),
            node(3, "b", 1.0),
            node(4, "a", 1.0),
            node(5, "b", f64::NAN),
        ];
        let zones = zones(&nodes);
        assert_eq!(zones.len(), 1);
        let row = &zones[0].row;
        assert_eq!(
            (zones[0].zone.as_str(), row.get(Figure::ZoneNodes), row.get(Figure::ZoneOffline)),
            ("a", 3.0, 2.0)
        );
    }
}

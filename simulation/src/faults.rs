//! What happens to a cluster under one seed: drawn kinds of faults, drawn times, and an end to each.

use crate::{
    chance::Chance,
    index::{End, Index},
    network::Network,
    node::Node,
    process::Host,
    requests::Ask,
    trace::Trace,
    world::Wall,
};
use asterism_service::failpoint::ALL;
use asterism_storage_node::disk::{Fault, Folder, Operation, SimDisk};
use axum::http::Method;
use std::{collections::BTreeMap, rc::Rc, time::Duration};
use tokio::time::{Instant, sleep_until};

/// As large as only a disk is that never runs full.
const ROOM: u64 = 1 << 40;
/// By so much does the clock jump at most, in both directions.
const JUMP_MS: u64 = 3_600_000;
/// The injector looks at least this often whether the index-server has ended.
const LOOK: Duration = Duration::from_millis(250);

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // Their words say it.
pub enum Kind {
    NodeKilled,
    NodeStopped,
    PowerCut,
    PowerCutEverywhere,
    IndexKilled,
    IndexEndsAtPoint,
    Partition,
    OneWayPartition,
    SlowWire,
    LostPackets,
    DiskError,
    DiskFull,
    DiskReplaced,
    BitRot,
    ClockJump,
    NodeWeighed,
    NodeDrained,
}

const KINDS: [Kind; 17] = [
    Kind::NodeKilled,
    Kind::NodeStopped,
    Kind::PowerCut,
    Kind::PowerCutEverywhere,
    Kind::IndexKilled,
    Kind::IndexEndsAtPoint,
    Kind::Partition,
    Kind::OneWayPartition,
    Kind::SlowWire,
    Kind::LostPackets,
    Kind::DiskError,
    Kind::DiskFull,
    Kind::DiskReplaced,
    Kind::BitRot,
    Kind::ClockJump,
    Kind::NodeWeighed,
    Kind::NodeDrained,
];

/// What ends a fault.
#[derive(Clone, Copy, Debug)]
enum Repair {
    Node(Host),
    Index,
    Wires(Host),
    AllWires,
    Room(Host),
}

/// Injects faults into a cluster, and takes them away again.
pub struct Injector {
    /// By host, from 1 on.
    pub nodes: Vec<Node>,
    /// The index-server.
    pub index: Index,
    network: Network,
    wall: Rc<Wall>,
    trace: Trace,
    chance: Chance,
    kinds: Vec<Kind>,
    /// The one node whose disk may lose or change what was durable: a margin that every acknowledged file has.
    victim: Host,
    repairs: Vec<(Instant, Repair)>,
    /// How often each kind of fault happened.
    pub done: BTreeMap<Kind, u64>,
}

impl Injector {
    /// An injector of the kinds that the seed draws.
    pub fn new(
        nodes: Vec<Node>,
        index: Index,
        network: Network,
        wall: Rc<Wall>,
        trace: Trace,
        mut chance: Chance,
    ) -> Self {
        let kinds = KINDS.into_iter().filter(|_| chance.per_mille(400)).collect();
        let victim = 1 + chance.index(nodes.len());
        let (repairs, done) = (Vec::new(), BTreeMap::new());
        Self { nodes, index, network, wall, trace, chance, kinds, victim, repairs, done }
    }

    /// Injects faults until `end`.
    ///
    /// # Errors
    /// The index-server does not start again.
    pub async fn run(&mut self, end: Instant) -> Result<(), String> {
        let mut next = self.soon();
        while Instant::now() < end {
            let due = self.repairs.iter().map(|(due, _)| *due).min().unwrap_or(end);
            sleep_until(next.min(due).min(end).min(Instant::now() + LOOK)).await;
            self.repair_what_is_due().await?;
            let restarts = |(_, repair): &(Instant, Repair)| matches!(repair, Repair::Index);
            if self.index.running().is_none() && !self.repairs.iter().any(restarts) {
                self.later(Repair::Index, 100..4000);
            }
            if Instant::now() >= next {
                if let Some(kind) = self.chance.pick(&self.kinds).copied() {
                    self.inject(kind).await;
                }
                next = self.soon();
            }
        }
        Ok(())
    }

    /// Ends all faults: wires and disks are good, clocks go on from where they are, and every process is started anew.
    ///
    /// # Errors
    /// Something does not start on good ground.
    pub async fn heal(&mut self) -> Result<(), String> {
        self.trace.note(format_args!("all faults end"));
        self.repairs.clear();
        self.network.heal_all();
        self.index.go_on();
        for node in &mut self.nodes {
            node.disk.heal();
            node.disk.set_capacity(ROOM);
            node.kill();
            if node.disk.is_off() {
                node.disk.power_cut();
            }
            node.start().map_err(|error| format!("node {} does not start again: {error}", node.host))?;
        }
        self.index.kill();
        self.start_index().await
    }

    /// A disk may hold damage that nobody has read yet.
    pub fn has_rot(&self) -> bool {
        self.done.contains_key(&Kind::BitRot)
    }

    /// The clock is set well forwards, past every time at which it was set back: what is done now and then is due.
    pub fn let_time_pass(&self) {
        self.wall.jump(2 * JUMP_MS as i64 * 24);
    }

    async fn start_index(&mut self) -> Result<(), String> {
        self.trace.note(format_args!("index-server starts"));
        self.index.start().await.map_err(|error| format!("the index-server does not start again: {error:#}"))
    }

    fn soon(&mut self) -> Instant {
        Instant::now() + Duration::from_millis(self.chance.within(100..4000))
    }

    fn later(&mut self, repair: Repair, ms: std::ops::Range<u64>) {
        let due = Instant::now() + Duration::from_millis(self.chance.within(ms));
        self.repairs.push((due, repair));
    }

    async fn repair_what_is_due(&mut self) -> Result<(), String> {
        let now = Instant::now();
        let (due, left) = std::mem::take(&mut self.repairs).into_iter().partition(|(due, _)| *due <= now);
        self.repairs = left;
        let due: Vec<(Instant, Repair)> = due;
        for (_, repair) in due {
            self.trace.note(format_args!("repairs {repair:?}"));
            match repair {
                Repair::Node(host) => {
                    let node = &mut self.nodes[host - 1];
                    if node.disk.is_off() {
                        node.disk.power_cut();
                    }
                    if let Err(error) = node.start() {
                        self.trace.note(format_args!("node {host} does not start: {error}"));
                        self.later(Repair::Node(host), 500..2000);
                    }
                }
                Repair::Index => self.start_index().await?,
                Repair::Wires(host) => self.network.heal(host),
                Repair::AllWires => self.network.heal_all(),
                Repair::Room(host) => self.nodes[host - 1].disk.set_capacity(ROOM),
            }
        }
        Ok(())
    }

    async fn inject(&mut self, kind: Kind) {
        let host = 1 + self.chance.index(self.nodes.len());
        self.trace.note(format_args!("{kind:?} (node {host})"));
        *self.done.entry(kind).or_default() += 1;
        match kind {
            Kind::NodeKilled => {
                self.nodes[host - 1].kill();
                self.later(Repair::Node(host), 100..12_000);
            }
            Kind::NodeStopped => {
                self.nodes[host - 1].stop().await;
                self.later(Repair::Node(host), 100..8000);
            }
            Kind::PowerCut => self.cut_power(host),
            Kind::PowerCutEverywhere => (1..=self.nodes.len()).for_each(|host| self.cut_power(host)),
            Kind::IndexKilled => self.index.kill(),
            Kind::IndexEndsAtPoint => {
                if let Some(point) = self.chance.pick(ALL).copied() {
                    let after = self.chance.below(4);
                    self.trace.note(format_args!("at {} after {after}", point.name));
                    self.index.end_at(End { point: point.name, after });
                }
            }
            Kind::Partition => {
                self.network.cut(host, 0);
                self.network.cut(0, host);
                self.later(Repair::Wires(host), 500..20_000);
            }
            Kind::OneWayPartition => {
                let (from, to) = if self.chance.per_mille(500) { (host, 0) } else { (0, host) };
                self.network.cut(from, to);
                self.later(Repair::Wires(host), 500..20_000);
            }
            Kind::SlowWire => {
                let by = Duration::from_millis(self.chance.within(20..2500));
                self.network.slow_down(host, by);
                self.later(Repair::Wires(host), 1000..15_000);
            }
            Kind::LostPackets => {
                self.network.lose(self.chance.within(10..200));
                self.later(Repair::AllWires, 1000..15_000);
            }
            Kind::DiskError => self.fail_disk(host),
            Kind::DiskFull => {
                let disk = &self.nodes[host - 1].disk;
                disk.set_capacity(disk.used_bytes() + self.chance.within(0..4 << 20));
                self.later(Repair::Room(host), 2000..20_000);
            }
            Kind::DiskReplaced => {
                let seed = self.chance.number();
                let node = &mut self.nodes[self.victim - 1];
                node.kill();
                node.disk = SimDisk::new(seed);
                self.later(Repair::Node(self.victim), 100..8000);
            }
            Kind::BitRot => self.rot(),
            Kind::ClockJump => {
                let by = self.chance.within(0..2 * JUMP_MS) as i64 - JUMP_MS as i64;
                self.wall.jump(by);
            }
            Kind::NodeWeighed => {
                let factor = [0.1, 0.5, 1.0, 2.0, 10.0][self.chance.index(5)];
                let ask = Ask::new(Method::PUT, format!("/api/v1/nodes/n{host}/weight"));
                self.act(ask.json(&serde_json::json!({ "factor": factor }))).await;
            }
            Kind::NodeDrained => {
                self.act(Ask::new(Method::POST, format!("/api/v1/nodes/n{host}/drain"))).await;
            }
        }
    }

    /// What an operator does; it may be refused.
    async fn act(&self, ask: Ask) {
        let answer = ask.send(&self.index).await;
        self.trace.note(format_args!("the operator is told: {}", answer.word()));
    }

    fn cut_power(&mut self, host: Host) {
        self.nodes[host - 1].cut_power();
        self.later(Repair::Node(host), 200..10_000);
    }

    fn fail_disk(&mut self, host: Host) {
        const FAILING: [Operation; 6] = [
            Operation::Sync,
            Operation::Write,
            Operation::SyncFolder,
            Operation::Create,
            Operation::Rename,
            Operation::Read,
        ];
        let operation = self.chance.pick(&FAILING).copied().unwrap_or(Operation::Sync);
        let (after, times) = (self.chance.below(8), self.chance.within(1..4));
        self.nodes[host - 1].disk.inject(Fault::once(operation).after(after).times(times));
    }

    /// Flips some bits of what the victim has stored.
    fn rot(&mut self) {
        let disk = self.nodes[self.victim - 1].disk.clone();
        let files: Vec<_> =
            disk.files().into_iter().filter(|(folder, _)| *folder == Folder::Segments).collect();
        for _ in 0..self.chance.within(1..6) {
            let Some((folder, name)) = self.chance.pick(&files) else { return };
            let length = disk.bytes(*folder, name).map_or(0, |bytes| bytes.len() as u64);
            let (offset, bit) = (self.chance.below(length), self.chance.below(8) as u8);
            disk.flip(*folder, name, offset, bit);
        }
    }
}

//! The table of rules, the worst first. Each has a page in `docs/runbooks/`.

use super::{
    Check::{self, Compare},
    Help, Rule,
    Severity::{Critical, Info, Warning},
    Side::{Figure, Number, Share, Since, Times, Until},
    Than::{Above, AtLeast, Below},
};
use crate::figures::Figure as F;
use std::time::Duration;

const SECOND: u64 = 1;
const MINUTE: u64 = 60;
const HOUR: f64 = 3600.0;
const DAY: f64 = 24.0 * HOUR;

/// What adds nothing while the whole node is known to be gone.
const NODE_GONE: &[&str] = &["ZoneDown", "NodeDown", "NodeProcessDead"];

const fn rule(
    name: &'static str,
    check: Check,
    hold_seconds: u64,
    severity: super::Severity,
    summary: &'static str,
    advice: &'static str,
) -> Rule {
    let (hold, keep) = (Duration::from_secs(hold_seconds), Duration::ZERO);
    Rule {
        name,
        check,
        hold,
        keep,
        severity,
        summary,
        advice,
        inhibited_by: &[],
        helps: None,
        touches_files: false,
    }
}

impl Rule {
    const fn keep(self, seconds: u64) -> Self {
        Self { keep: Duration::from_secs(seconds), ..self }
    }

    const fn unless(self, inhibited_by: &'static [&'static str]) -> Self {
        Self { inhibited_by, ..self }
    }

    const fn touches_files(self) -> Self {
        Self { touches_files: true, ..self }
    }

    const fn helps(self, help: Help) -> Self {
        Self { helps: Some(help), ..self }
    }
}

/// Every rule.
pub static RULES: &[Rule] = &[
    rule(
        "FilesUnreadable",
        Compare(Figure(F::WorstMargin), Below, Number(0.0)),
        0,
        Critical,
        "Some files cannot be read now",
        "Wake or repair the nodes that are away; the messages beside this one name them. Nothing is lost as long as their disks are whole.",
    )
    .keep(30 * SECOND)
    .touches_files(),
    rule(
        "MarginBelowFloor",
        Compare(Figure(F::BelowFloor), Above, Number(0.0)),
        5 * SECOND,
        Critical,
        "Some files are below the floor of their policy: the next loss may lose them",
        "Bring back the nodes that are away, and stop none until repair has caught up.",
    )
    .keep(30 * SECOND)
    .unless(&["FilesUnreadable"])
    .touches_files(),
    rule(
        "ZoneDown",
        Compare(Figure(F::ZoneOffline), AtLeast, Figure(F::ZoneNodes)),
        0,
        Critical,
        "Every node of zone {} is offline",
        "Look for what the zone's machines share: power, switch, rack. Its nodes are not reported one by one.",
    )
    .keep(10 * SECOND)
    .touches_files(),
    rule(
        "IndexServerDown",
        Compare(Figure(F::IndexServerUp), Below, Number(1.0)),
        5 * SECOND,
        Critical,
        "No index-server answers: nobody can read or write files",
        "Start the index-server; its log says why it stopped. Nodes and their data are not touched by this.",
    )
    .keep(5 * SECOND),
    rule(
        "DatabaseDown",
        Compare(Figure(F::DatabaseUp), Below, Number(1.0)),
        10 * SECOND,
        Critical,
        "The index-server does not reach its database: nobody can read or write files",
        "Look at the database server. The index-server goes on by itself as soon as it answers.",
    )
    .keep(10 * SECOND),
    rule(
        "NodeProcessDead",
        Compare(Figure(F::NodeProcessDead), Above, Number(0.0)),
        2 * SECOND,
        Warning,
        "The storage node {} has died on a live host",
        "Wake it. If it dies again, read its log first: the disk may be failing.",
    )
    .keep(5 * SECOND)
    .unless(&["ZoneDown"])
    .helps(Help::Wake)
    .touches_files(),
    rule(
        "NodeDown",
        Compare(Figure(F::NodeOffline), Above, Figure(F::NodeProcessDead)),
        2 * SECOND,
        Warning,
        "The storage node {} is offline: neither heartbeats nor an answer",
        "Look at the host: power, network, a hanging disk. Wake it, or have it emptied if it does not come back.",
    )
    .keep(5 * SECOND)
    .unless(&["ZoneDown", "NodeProcessDead"])
    .helps(Help::Wake)
    .touches_files(),
    rule(
        "NodeUnreachable",
        Compare(Figure(F::NodeUnreachable), Above, Number(0.0)),
        30 * SECOND,
        Warning,
        "The monitor cannot reach the storage node {}, which the index-server still hears",
        "Look at the network between the monitor and the node, and at firewalls. Files are not affected.",
    )
    .keep(30 * SECOND),
    rule(
        "NodeFlapping",
        Compare(Figure(F::NodeFalls), AtLeast, Number(3.0)),
        0,
        Warning,
        "The storage node {} comes and goes",
        "Look at its log and its network. While it flaps it counts as away for longer each time.",
    )
    .keep(2 * MINUTE),
    rule(
        "NodeDiskFilling",
        Compare(Figure(F::NodeFullIn), Below, Number(DAY)),
        10 * MINUTE,
        Warning,
        "The storage node {} will be full within a day",
        "Add a node, give this one a smaller weight, or delete what nobody needs.",
    )
    .keep(10 * MINUTE)
    .unless(&["ZoneDown", "NodeDown", "NodeProcessDead", "NodeDiskFull"])
    .helps(Help::Drain),
    rule(
        "NodeDiskFull",
        Compare(Share(F::NodeFree, F::NodeCapacity), Below, Number(0.05)),
        MINUTE,
        Critical,
        "The storage node {} has less than a twentieth of its room left",
        "Add a node or delete what nobody needs. A full node takes no more shards; its groups lose a member for new files.",
    )
    .keep(5 * MINUTE)
    .unless(NODE_GONE)
    .touches_files(),
    rule(
        "NodeMemoryLow",
        Compare(Share(F::NodeMemoryAvailable, F::NodeMemory), Below, Number(0.05)),
        5 * MINUTE,
        Warning,
        "The host of the storage node {} has hardly any memory left",
        "See what else runs there. The kernel ends the process that asks for more, which may be the storage node.",
    )
    .keep(2 * MINUTE)
    .unless(NODE_GONE),
    rule(
        "NodeSaturated",
        Compare(Figure(F::NodeLoad), Above, Times(2.0, F::NodeCores)),
        5 * MINUTE,
        Warning,
        "The host of the storage node {} has twice as much to do as it has cores",
        "See what runs there. Reads go around a slow node, writes wait for it.",
    )
    .keep(2 * MINUTE)
    .unless(NODE_GONE),
    rule(
        "NodeSlow",
        Compare(Figure(F::NodeProbe), Above, Number(0.5)),
        2 * MINUTE,
        Warning,
        "The storage node {} takes more than half a second for the smallest answer",
        "Look at its load, its disk and the network to it.",
    )
    .keep(MINUTE)
    .unless(&["ZoneDown", "NodeDown", "NodeProcessDead", "NodeSaturated"]),
    rule(
        "NodeClockSkew",
        Compare(Figure(F::NodeClockSkew), Above, Number(2.0)),
        MINUTE,
        Warning,
        "The clock of the storage node {} is wrong by more than two seconds",
        "Set up time synchronisation on its host. Certificates and logs depend on it; the order of events does not.",
    )
    .keep(MINUTE)
    .unless(NODE_GONE),
    rule(
        "RepairStuck",
        Compare(Figure(F::RepairStalled), AtLeast, Number(900.0)),
        0,
        Warning,
        "Extents lack shards, and for a quarter of an hour repair has not made them fewer",
        "Nodes that are away are waited for: wake them, or retire them if they will not come back. Otherwise see the worker `repair` in the cluster's status.",
    ),
    rule(
        "GraphDown",
        Compare(Figure(F::GraphUp), Below, Number(1.0)),
        30 * SECOND,
        Warning,
        "The index-server does not reach the tag graph: related tags and pictures are missing",
        "Look at Neo4j. Files, tags and searches go on; the graph catches up by itself.",
    )
    .keep(30 * SECOND)
    .unless(&["IndexServerDown", "DatabaseDown"]),
    rule(
        "NodeCertificateExpiring",
        Compare(Until(F::NodeCertificateEnd), Below, Number(30.0 * DAY)),
        MINUTE,
        Warning,
        "The certificate of the storage node {} ends within thirty days",
        "Issue a new identity for it. After the end nobody talks to the node any more.",
    )
    .keep(HOUR as u64)
    .unless(NODE_GONE),
    rule(
        "MonitorCertificateExpiring",
        Compare(Until(F::MonitorCertificateEnd), Below, Number(30.0 * DAY)),
        MINUTE,
        Warning,
        "The monitor's own certificate ends within thirty days",
        "Issue a new identity for the monitor and restart it.",
    )
    .keep(HOUR as u64),
    rule(
        "PushStale",
        Compare(Since(F::PushTime), Above, Times(4.0, F::PushInterval)),
        30 * SECOND,
        Warning,
        "The Pushgateway has taken no figures for four times the interval",
        "Look at the Pushgateway and the way to it. What it shows is old, although it looks alive.",
    )
    .keep(10 * SECOND),
    rule(
        "TransitionLogFailing",
        Compare(Figure(F::LogWaiting), Above, Number(0.0)),
        30 * SECOND,
        Critical,
        "The monitor cannot write its transition log",
        "Look at the disk and the permissions of the monitor's data directory. Nodes cannot be stopped meanwhile.",
    )
    .keep(5 * SECOND),
    rule(
        "MonitorDown",
        Check::Prometheus("absent(up{job=\"asterism-monitor\"} == 1)"),
        MINUTE,
        Critical,
        "No monitor can be scraped: nobody watches, warns or wakes",
        "Start the monitor. Files go on as before, but no node can be stopped or woken.",
    ),
    rule(
        "ScrapeMissing",
        Check::Prometheus("up{job=~\"asterism-.+\", job!=\"asterism-monitor\"} == 0"),
        2 * MINUTE,
        Warning,
        "Prometheus cannot scrape a process of the cluster",
        "No data is no good news: see whether the process runs and whether Prometheus reaches its port.",
    ),
    rule(
        "Watchdog",
        Check::Always,
        0,
        super::Severity::None,
        "Alerts arrive",
        "This one always fires. When it stops arriving, the way from the monitor or from Prometheus to you is broken.",
    ),
    rule(
        "NewerFiguresMissing",
        Check::Prometheus("absent(asterism_monitor_index_server_up)"),
        5 * MINUTE,
        Info,
        "The monitor says nothing about index-servers",
        "Compare the versions of the monitor and of this rule file: `monitor rules` prints the file that fits.",
    ),
];

//! What is worth a message: one table of rules. The native engine evaluates it, and the rule file for Prometheus is made of it.

mod check;
mod engine;
pub mod prometheus;
mod table;
#[cfg(test)]
mod tests;

use crate::figures::Scope;
use asterism_proto::NodeName;
pub use check::{Check, Side, Than};
pub use engine::{Alert, Engine, Event};
use std::{fmt, time::Duration};
pub use table::RULES;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Proves that alerts arrive; nobody needs to read it.
    None,
    /// Good to know.
    Info,
    /// Needs somebody in the next hours.
    Warning,
    /// Needs somebody now: files are, or are about to be, out of reach.
    Critical,
}

impl Severity {
    /// As it stands in the label `severity`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The name of the alert.
    pub name: &'static str,
    /// When it holds.
    pub check: Check,
    /// It must hold for so long.
    pub hold: Duration,
    /// And not hold for so long until the alert ends: what comes and goes is one alert.
    pub keep: Duration,
    /// How bad it is.
    pub severity: Severity,
    /// What is the case; `{}` is the node or the zone.
    pub summary: &'static str,
    /// What to do.
    pub advice: &'static str,
    /// While an alert of one of these rules fires, on the same subject or on one that it belongs to, this one adds nothing.
    pub inhibited_by: &'static [&'static str],
    /// An act on the node that may help at once.
    pub helps: Option<Help>,
    /// Files are harder to reach or nearer to their loss while it fires: those with a shard on the subject, or, for the
    /// cluster as a whole, those below the floor.
    pub touches_files: bool,
}

/// An act that may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Help {
    /// Wake the node.
    Wake,
    /// Have the node give everything away.
    Drain,
}

impl Help {
    /// The verb of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wake => "wake",
            Self::Drain => "drain",
        }
    }
}

/// What an alert is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// The cluster as a whole.
    Cluster,
    /// A zone.
    Zone(String),
    /// A node, and the zone it is in.
    Node(NodeName),
}

impl Subject {
    /// The label that names it, if it has a name.
    pub fn label(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Cluster => None,
            Self::Zone(zone) => Some(("zone", zone)),
            Self::Node(node) => Some(("node", node.as_str())),
        }
    }
}

impl Rule {
    /// Of what it is; decided by its figures.
    pub fn scope(&self) -> Scope {
        self.check.scope()
    }

    /// The rule of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        RULES.iter().find(|rule| rule.name == name)
    }

    /// Whether Prometheus alone can see it.
    pub fn is_for_prometheus_alone(&self) -> bool {
        matches!(self.check, Check::Prometheus(_))
    }

    /// The summary with the subject's name in it.
    pub fn summary_of(&self, subject: &Subject) -> String {
        self.summary.replace("{}", subject.label().map_or("", |(_, name)| name))
    }

    /// Where the page about it is.
    pub fn runbook(&self) -> String {
        format!("docs/runbooks/{}.md", self.name)
    }
}

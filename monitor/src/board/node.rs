//! What is known of one node.

use super::Change;
use crate::{
    state::{self, Evidence, Limits, Memory, NodeState, Probe, ProbeFailure},
    text::{host_and_port, one_line},
};
use asterism_proto::{
    NodeName,
    index::{HeartbeatRequest, Intent, NodeView},
};
use std::time::{Duration, Instant};

const ZONE_CHARS_MAX: usize = 63;
const REASON_CHARS_MAX: usize = 200;

/// What a node's last heartbeat measured.
pub type Measured = HeartbeatRequest;

/// What a node's answer to a probe tells.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Told {
    /// How far its clock is from ours, in seconds, beyond what the probe's own duration explains.
    pub clock_skew: Option<f64>,
    /// When its certificate ends, in seconds since 1970.
    pub certificate_end: Option<i64>,
}

/// How a probe ended: answered, or how and why not.
pub type ProbeResult = Result<Told, (ProbeFailure, String)>;

/// One node of the board.
pub(super) struct Node {
    pub(super) name: NodeName,
    pub(super) address: String,
    pub(super) metrics_address: Option<String>,
    pub(super) zone: String,
    pub(super) intent: Intent,
    /// Who wants that and why, if somebody said.
    reason: String,
    intent_since: Instant,
    heartbeat: Heartbeat,
    pub(super) measured: Option<Measured>,
    pub(super) probe: Probes,
    pub(super) memory: Memory,
    pub(super) since_unix_ms: i64,
    /// The act that has the node, if one has.
    pub(super) held: Option<String>,
}

/// The last moment at which there surely was a heartbeat, or the first at which there was none.
#[derive(Clone, Copy)]
struct Heartbeat {
    silent_since: Instant,
    /// Whether the index-server has heard the node at all.
    heard: bool,
}

impl Node {
    pub(super) fn new(name: NodeName, memory: Memory, since_unix_ms: i64) -> Self {
        let now = Instant::now();
        Self {
            name,
            address: String::new(),
            metrics_address: None,
            zone: String::new(),
            intent: Intent::Unspecified,
            reason: String::new(),
            intent_since: now,
            heartbeat: Heartbeat { silent_since: now, heard: false },
            measured: None,
            probe: Probes::default(),
            memory,
            since_unix_ms,
            held: None,
        }
    }

    /// Takes in what the index-server answered to a question asked at `asked`.
    pub(super) fn learn(&mut self, view: &NodeView, asked: Instant) {
        self.address = host_and_port(&view.address).map(|_| view.address.clone()).unwrap_or_default();
        self.metrics_address = host_and_port(&view.metrics_address).map(|_| view.metrics_address.clone());
        self.zone = one_line(&view.zone, ZONE_CHARS_MAX);
        self.measured.clone_from(&view.measured);
        if self.intent_since < asked || self.intent == Intent::Unspecified {
            self.intent = view.intent();
            self.reason = one_line(&view.intent_reason, REASON_CHARS_MAX);
        }
        let age = view.heartbeat_age_seconds.and_then(|age| Duration::try_from_secs_f64(age).ok());
        match age {
            // A heartbeat may have come between question and answer, so the question's time is the safe one.
            Some(age) => {
                let silent_since = asked.checked_sub(age).unwrap_or(asked);
                self.heartbeat = Heartbeat { silent_since, heard: true };
            }
            // An index-server that has just started has heard nobody: the silence counts from its first answer on.
            None if self.heartbeat.heard => self.heartbeat = Heartbeat { silent_since: asked, heard: false },
            None => {}
        }
    }

    pub(super) fn set_intent(&mut self, intent: Intent, now: Instant) {
        (self.intent, self.intent_since) = (intent, now);
        self.reason.clear();
    }

    pub(super) fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heartbeat.silent_since)
    }

    /// The age of the last heartbeat; `None` if none was heard.
    pub(super) fn heartbeat_age(&self, now: Instant) -> Option<Duration> {
        self.heartbeat.heard.then(|| self.silence(now))
    }

    pub(super) fn evidence(&self, blind: bool, now: Instant) -> Evidence<'_> {
        let silence = (!blind).then(|| self.silence(now));
        Evidence { intent: self.intent, reason: &self.reason, silence, probe: self.probe.standing_at(now) }
    }

    pub(super) fn judge(&mut self, blind: bool, limits: Limits, now: Instant) {
        self.memory = state::next(&self.memory, &self.evidence(blind, now), limits, now);
    }

    /// Whether it is offline and its host says that nobody listens there.
    pub(super) fn process_is_dead(&self) -> bool {
        let refused = matches!(
            self.probe.standing_at(Instant::now()),
            Probe::Failing { failure: ProbeFailure::Refused, .. }
        );
        self.memory.state == NodeState::Offline && refused
    }

    /// Whether the index-server hears it and the own probe, for long enough, does not reach it.
    pub(super) fn is_unreachable(&self, blind: bool, limits: Limits, now: Instant) -> bool {
        let failing = matches!(self.probe.standing_at(now), Probe::Failing { lasting, .. } if lasting >= limits.offline_after);
        !blind && failing && self.silence(now) < limits.suspect_after
    }

    pub(super) fn changed(&self, from: Option<NodeState>) -> Change {
        Change { name: self.name.clone(), from, to: self.memory.state, cause: self.memory.cause.clone() }
    }
}

/// The monitor's own probes of one node.
#[derive(Clone, Debug, Default)]
pub(super) struct Probes {
    /// When the last one began and how it ended.
    last: Option<(Instant, ProbeResult)>,
    /// What the last good one told.
    pub(super) told: Told,
    failing_since: Option<Instant>,
    /// How long the last good one took.
    pub(super) took: Option<Duration>,
}

impl Probes {
    pub(super) fn ended(&mut self, began: Instant, result: ProbeResult) {
        if let Ok(told) = &result {
            (self.took, self.told) = (Some(began.elapsed()), *told);
            self.failing_since = None;
        } else {
            self.failing_since.get_or_insert(began);
        }
        self.last = Some((began, result));
    }

    pub(super) fn standing_at(&self, now: Instant) -> Probe {
        match &self.last {
            None => Probe::Untried,
            Some((_, Ok(_))) => Probe::Good,
            Some((began, Err((failure, _)))) => {
                let since = self.failing_since.unwrap_or(*began);
                Probe::Failing { lasting: now.saturating_duration_since(since), failure: *failure }
            }
        }
    }

    /// When the last probe began, and whether it was answered.
    pub(super) fn last(&self) -> Option<(Instant, bool)> {
        self.last.as_ref().map(|(began, result)| (*began, result.is_ok()))
    }

    pub(super) fn error(&self) -> Option<&str> {
        self.last.as_ref().and_then(|(_, result)| result.as_ref().err()).map(|(_, error)| error.as_str())
    }
}

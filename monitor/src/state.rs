//! Pure: in which state a node is, from what was asked of it, what the index-server hears of it and what the monitor's
//! own probe says. The caller brings the clock.

#[cfg(test)]
mod tests;

pub use asterism_proto::NodeState;
use asterism_proto::index::Intent;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// A node that fell this often within [`FALLS_WINDOW`] waits the longest before it counts as online again.
const FALLS_MAX: usize = 8;
const FALLS_WINDOW: Duration = Duration::from_secs(120);
/// After its first fall a node must be well for twice as long; each further fall doubles it.
const SETTLE_FIRST: Duration = Duration::from_millis(500);
const SETTLE_LONGEST: Duration = Duration::from_secs(30);

/// From when on missing signs mean something.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Without a heartbeat for this long, a node is suspect.
    pub suspect_after: Duration,
    /// Without a heartbeat for this long, a node is offline.
    pub offline_after: Duration,
}

/// How a probe failed; tells a dead process from a dead host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeFailure {
    /// The host answers that nobody listens there: the process is dead on a live host.
    Refused,
    /// No answer in time.
    Timeout,
    /// Anything else: no route, a broken connection, a certificate of someone else.
    Other,
}

/// How the monitor's own probes of a node go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// None has ended yet.
    Untried,
    /// The last one was answered.
    Good,
    /// All have failed for this long.
    Failing {
        /// Since the first failed one.
        lasting: Duration,
        /// Of the last one.
        failure: ProbeFailure,
    },
}

/// All that is known of a node at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// What the operators want.
    pub intent: Intent,
    /// Who wants it and why, a clause; empty if nobody said.
    pub reason: &'a str,
    /// For how long the index-server has heard no heartbeat; `None` while no index-server answers.
    pub silence: Option<Duration>,
    /// The monitor's own view.
    pub probe: Probe,
}

/// A node's state and what its next one depends on.
#[derive(Clone, Debug)]
pub struct Memory {
    /// Where it stands.
    pub state: NodeState,
    /// Why it came there: a sentence.
    pub cause: String,
    well_since: Option<Instant>,
    falls: VecDeque<Instant>,
}

impl Memory {
    /// A node in `state`, with no history.
    pub fn new(state: NodeState, cause: impl Into<String>) -> Self {
        Self { state, cause: cause.into(), well_since: None, falls: VecDeque::new() }
    }

    /// The same node, put into `state` by an act.
    pub fn put(&mut self, state: NodeState, cause: &str) {
        self.state = state;
        cause.clone_into(&mut self.cause);
    }

    /// How often it fell out of service lately.
    pub fn recent_falls(&self, now: Instant) -> usize {
        self.falls.iter().filter(|fall| now.saturating_duration_since(**fall) < FALLS_WINDOW).count()
    }

    fn settle_time(&self, now: Instant) -> Duration {
        SETTLE_FIRST.saturating_mul(1 << self.recent_falls(now).min(FALLS_MAX)).min(SETTLE_LONGEST)
    }

    fn well_for(&self, time: Duration, now: Instant) -> bool {
        self.well_since.is_some_and(|since| now.duration_since(since) >= time)
    }
}

/// What the signs say, whatever was asked of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// No sign either way: nothing changes.
    Unknown,
    /// It works.
    Well,
    /// Some signs are missing.
    Doubtful,
    /// Every sign is missing for long enough.
    Dead,
}

/// What the signs of `evidence` say, and why.
pub fn look(evidence: &Evidence<'_>, limits: Limits) -> (Look, String) {
    match evidence.silence {
        None => look_alone(evidence.probe, limits),
        Some(silence) if silence < limits.suspect_after => look_at_beating(evidence.probe, limits),
        Some(silence) => look_at_silent(silence, evidence.probe, limits),
    }
}

/// Without an index-server the monitor has only its own probe.
fn look_alone(probe: Probe, limits: Limits) -> (Look, String) {
    match probe {
        Probe::Untried => (Look::Unknown, String::new()),
        Probe::Good => (Look::Well, "answers the monitor's probe; no index-server answers".into()),
        Probe::Failing { lasting, .. } if lasting < limits.suspect_after => (Look::Unknown, String::new()),
        Probe::Failing { lasting, failure } => {
            let look = if lasting < limits.offline_after { Look::Doubtful } else { Look::Dead };
            let (for_long, why) = (seconds(lasting), failure.as_str());
            (
                look,
                format!(
                    "the monitor's own probe has failed for {for_long} ({why}) and no index-server answers"
                ),
            )
        }
    }
}

fn look_at_beating(probe: Probe, limits: Limits) -> (Look, String) {
    match probe {
        Probe::Failing { lasting, failure } if lasting >= limits.offline_after => {
            let (for_long, why) = (seconds(lasting), failure.as_str());
            let cause = format!(
                "unreachable from the monitor: it sends heartbeats, but the own probe has failed for {for_long} ({why})"
            );
            (Look::Doubtful, cause)
        }
        Probe::Untried | Probe::Good | Probe::Failing { .. } => (Look::Well, "its heartbeats arrive".into()),
    }
}

fn look_at_silent(silence: Duration, probe: Probe, limits: Limits) -> (Look, String) {
    let for_long = seconds(silence);
    let late = silence >= limits.offline_after;
    match probe {
        Probe::Good => {
            (Look::Doubtful, format!("no heartbeat for {for_long}, but it answers the monitor's probe"))
        }
        Probe::Failing { failure: ProbeFailure::Refused, .. } => (
            Look::Dead,
            format!("no heartbeat for {for_long}, and its host refuses the connection: the process is dead"),
        ),
        Probe::Failing { failure, .. } => {
            let look = if late { Look::Dead } else { Look::Doubtful };
            (
                look,
                format!(
                    "no heartbeat for {for_long}, and no answer to the monitor's probe ({})",
                    failure.as_str()
                ),
            )
        }
        Probe::Untried => {
            let look = if late { Look::Dead } else { Look::Doubtful };
            (look, format!("no heartbeat for {for_long}"))
        }
    }
}

/// The node's next state.
pub fn next(memory: &Memory, evidence: &Evidence<'_>, limits: Limits, now: Instant) -> Memory {
    let (look, cause) = look(evidence, limits);
    let mut after = memory.clone();
    match look {
        Look::Unknown => {}
        Look::Well => after.well_since = memory.well_since.or(Some(now)),
        Look::Doubtful | Look::Dead => after.well_since = None,
    }
    let (state, cause) = match evidence.intent {
        Intent::Stopping => (NodeState::Stopping, "it was asked to stop".into()),
        Intent::Waking => (NodeState::Waking, "it was asked to wake".into()),
        Intent::Retired => (NodeState::Retired, because("it was retired", evidence.reason)),
        Intent::Asleep => asleep(&after, now),
        Intent::Draining => match standing(&after, look, now) {
            NodeState::Online => (NodeState::Draining, because("it is being drained", evidence.reason)),
            state => (state, cause),
        },
        Intent::Up | Intent::Unspecified
            if matches!(memory.state, NodeState::Draining | NodeState::Retired) =>
        {
            (standing(&after, look, now), because(&cause, evidence.reason))
        }
        Intent::Up | Intent::Unspecified => (standing(&after, look, now), cause),
    };
    if state != memory.state {
        if memory.state.is_serving() && matches!(state, NodeState::Suspect | NodeState::Offline) {
            after.falls.push_back(now);
            after.falls.drain(..after.falls.len().saturating_sub(FALLS_MAX));
        }
        after.put(state, &cause);
    }
    after
}

fn because(what: &str, reason: &str) -> String {
    if reason.is_empty() { what.to_owned() } else { format!("{what}: {reason}") }
}

/// A node that is meant to sleep sleeps, unless it is plainly there again: someone switched it on by hand.
fn asleep(after: &Memory, now: Instant) -> (NodeState, String) {
    if after.well_for(SETTLE_LONGEST, now) {
        (NodeState::Online, "it runs although it is meant to sleep".into())
    } else {
        (NodeState::Asleep, "it is meant to sleep".into())
    }
}

/// The state of a node that is meant to be up.
fn standing(after: &Memory, look: Look, now: Instant) -> NodeState {
    let state = after.state;
    match look {
        Look::Unknown => state,
        Look::Well if matches!(state, NodeState::Suspect | NodeState::Offline) => {
            if after.well_for(after.settle_time(now), now) { NodeState::Online } else { state }
        }
        Look::Well => NodeState::Online,
        // From offline the way back leads over good signs only; a joining node has given none yet.
        Look::Doubtful if matches!(state, NodeState::Offline | NodeState::Joining) => state,
        Look::Doubtful => NodeState::Suspect,
        Look::Dead => NodeState::Offline,
    }
}

impl ProbeFailure {
    fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "connection refused",
            Self::Timeout => "no answer in time",
            Self::Other => "no connection",
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

//! What a node is, from what is wanted of it and when it was last heard. Pure.

use crate::catalog::Intent;
use std::time::Duration;

/// Heartbeats come each second; two missed ones make a node suspect.
pub const SUSPECT_AFTER: Duration = Duration::from_millis(2_500);
/// From here on nobody waits for it.
pub const OFFLINE_AFTER: Duration = Duration::from_secs(5);

/// A node's state, in the words of the design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeState {
    /// Known, and not heard since this process started.
    Joining,
    /// Heard lately.
    Online,
    /// Some heartbeats are missing.
    Suspect,
    /// Silent, and not by intent.
    Offline,
    /// Asked to stop, still there.
    Stopping,
    /// Silent by intent.
    Asleep,
    /// Asked to start, not there yet.
    Waking,
    /// Being emptied.
    Draining,
    /// No longer a member.
    Retired,
}

impl NodeState {
    /// As people and programs read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Online => "online",
            Self::Suspect => "suspect",
            Self::Offline => "offline",
            Self::Stopping => "stopping",
            Self::Asleep => "asleep",
            Self::Waking => "waking",
            Self::Draining => "draining",
            Self::Retired => "retired",
        }
    }

    /// The state of a node last heard `age` ago, or never since this process started `uptime` ago.
    pub fn derive(intent: Intent, age: Option<Duration>, uptime: Duration) -> Self {
        let silent = age.unwrap_or(uptime);
        let heard = age.is_some_and(|age| age < SUSPECT_AFTER);
        match intent {
            Intent::Stopping => Self::Stopping,
            Intent::Retired => Self::Retired,
            Intent::Asleep if !heard => Self::Asleep,
            Intent::Waking if !heard => Self::Waking,
            Intent::Draining if heard => Self::Draining,
            _ if heard => Self::Online,
            _ if silent >= OFFLINE_AFTER => Self::Offline,
            _ if age.is_none() => Self::Joining,
            _ => Self::Suspect,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(intent: Intent, age_ms: Option<u64>, expected: NodeState) {
        let state = NodeState::derive(intent, age_ms.map(Duration::from_millis), Duration::from_secs(60));
        assert_eq!(state, expected, "{intent:?} heard {age_ms:?} ms ago");
    }

    #[test]
    fn silence_is_told_apart_by_intent() {
        check(Intent::Up, Some(900), NodeState::Online);
        check(Intent::Up, Some(3_000), NodeState::Suspect);
        check(Intent::Up, Some(6_000), NodeState::Offline);
        check(Intent::Up, None, NodeState::Offline);
        check(Intent::Asleep, Some(6_000), NodeState::Asleep);
        check(Intent::Waking, None, NodeState::Waking);
        check(Intent::Stopping, Some(100), NodeState::Stopping);
        check(Intent::Draining, Some(100), NodeState::Draining);
        check(Intent::Draining, Some(9_000), NodeState::Offline);
        check(Intent::Retired, Some(100), NodeState::Retired);
    }

    #[test]
    fn a_node_that_wakes_by_itself_is_online() {
        check(Intent::Asleep, Some(100), NodeState::Online);
        check(Intent::Waking, Some(100), NodeState::Online);
    }

    #[test]
    fn just_after_the_start_nobody_is_called_dead() {
        let state = NodeState::derive(Intent::Up, None, Duration::from_secs(1));
        assert_eq!(state, NodeState::Joining);
    }
}

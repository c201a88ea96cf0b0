//! What a node is, from what is wanted of it and when it was last heard. Pure.

use crate::catalog::Intent;
use asterism_proto::NodeState;
use std::time::Duration;

/// Heartbeats come each second; two missed ones make a node suspect.
pub const SUSPECT_AFTER: Duration = Duration::from_millis(2_500);
/// From here on nobody waits for it.
pub const OFFLINE_AFTER: Duration = Duration::from_secs(5);

/// The state of a node last heard `age` ago, or never since this process started `uptime` ago.
pub fn derive(intent: Intent, age: Option<Duration>, uptime: Duration) -> NodeState {
    let silent = age.unwrap_or(uptime);
    let heard = age.is_some_and(|age| age < SUSPECT_AFTER);
    match intent {
        Intent::Stopping => NodeState::Stopping,
        Intent::Retired => NodeState::Retired,
        Intent::Asleep if !heard => NodeState::Asleep,
        Intent::Waking if !heard => NodeState::Waking,
        Intent::Draining if heard => NodeState::Draining,
        _ if heard => NodeState::Online,
        _ if silent >= OFFLINE_AFTER => NodeState::Offline,
        _ if age.is_none() => NodeState::Joining,
        _ => NodeState::Suspect,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(intent: Intent, age_ms: Option<u64>, expected: NodeState) {
        let state = derive(intent, age_ms.map(Duration::from_millis), Duration::from_secs(60));
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
        let state = derive(Intent::Up, None, Duration::from_secs(1));
        assert_eq!(state, NodeState::Joining);
    }
}

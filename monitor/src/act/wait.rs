//! Waiting for a node to be gone, or to be back.

use super::Acts;
use crate::board::{NodeView, Signs};
use asterism_proto::NodeId;
use std::time::{Duration, Instant};
use tokio::time::timeout_at;

/// A heartbeat younger than this says that the node is back.
const BACK_WITHIN: Duration = Duration::from_secs(2);

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// It happened.
    Reached,
    /// It did not, in time.
    TooLate,
    /// The monitor is asked to stop; the next one goes on from what the index-server knows.
    Stopping,
}

impl Acts {
    /// Waits until `reached` is true of the node.
    pub(super) async fn until(
        &self,
        id: NodeId,
        deadline: Instant,
        reached: impl Fn(&NodeView) -> bool,
    ) -> Waited {
        let mut ticks = self.board.ticks();
        loop {
            if self.board.node(id).is_some_and(|node| reached(&node)) {
                return Waited::Reached;
            }
            tokio::select! {
                tick = timeout_at(deadline.into(), ticks.changed()) => match tick {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return Waited::Stopping,
                    Err(_) => return Waited::TooLate,
                },
                () = self.stop.cancelled() => return Waited::Stopping,
            }
        }
    }
}

/// Whether every sign of life has ceased since `ordered`.
pub(super) fn is_gone(signs: &Signs, ordered: Instant, gone_after: Duration) -> bool {
    let unanswered = signs.probe.is_some_and(|(began, answered)| began >= ordered && !answered);
    unanswered && signs.silence.is_none_or(|silence| silence >= gone_after)
}

/// Whether there was a sign of life after `ordered`: a heartbeat, or a probe while no index-server answers.
pub(super) fn is_back(signs: &Signs, ordered: Instant, now: Instant) -> bool {
    match signs.silence {
        Some(silence) => silence < BACK_WITHIN.min(now.saturating_duration_since(ordered)),
        None => signs.probe.is_some_and(|(began, answered)| began >= ordered && answered),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five seconds after the order: silence in seconds, and a probe's second after the order with its success.
    fn signs(ordered: Instant, silence: Option<u64>, probe: Option<(u64, bool)>) -> Signs {
        Signs {
            silence: silence.map(Duration::from_secs),
            probe: probe.map(|(second, answered)| (ordered + Duration::from_secs(second), answered)),
        }
    }

    #[track_caller]
    fn check(silence: Option<u64>, probe: Option<(u64, bool)>, (gone, back): (bool, bool)) {
        let ordered = Instant::now();
        let signs = signs(ordered, silence, probe);
        assert_eq!(is_gone(&signs, ordered, Duration::from_millis(2500)), gone, "gone: {signs:?}");
        assert_eq!(is_back(&signs, ordered, ordered + Duration::from_secs(5)), back, "back: {signs:?}");
    }

    #[test]
    fn gone_is_silent_and_unanswered() {
        check(Some(3), Some((4, false)), (true, false));
        check(Some(2), Some((4, false)), (false, false));
        check(Some(3), Some((4, true)), (false, false));
        check(Some(3), None, (false, false));
    }

    #[test]
    fn back_is_a_fresh_heartbeat() {
        check(Some(1), Some((4, true)), (false, true));
        check(Some(1), Some((4, false)), (false, true));
        check(Some(6), Some((4, true)), (false, false));
    }

    #[test]
    fn without_an_index_server_probes_decide() {
        check(None, Some((4, false)), (true, false));
        check(None, Some((4, true)), (false, true));
        check(None, None, (false, false));
    }

    #[test]
    fn a_heartbeat_from_before_the_order_says_nothing() {
        let ordered = Instant::now();
        let signs = signs(ordered, Some(1), None);
        assert!(!is_back(&signs, ordered, ordered + Duration::from_millis(500)));
    }
}

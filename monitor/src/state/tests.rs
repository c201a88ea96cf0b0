use super::*;

const LIMITS: Limits =
    Limits { suspect_after: Duration::from_millis(2500), offline_after: Duration::from_secs(5) };

/// What is seen at each second from a start on, beginning at second 0.
#[derive(Clone, Copy)]
struct Seen(Option<f64>, Probe);

const WELL: Seen = Seen(Some(0.4), Probe::Good);
const GONE: Seen = Seen(Some(9.0), failing(9.0, ProbeFailure::Timeout));

const fn failing(seconds: f64, failure: ProbeFailure) -> Probe {
    Probe::Failing { lasting: Duration::from_millis((seconds * 1000.0) as u64), failure }
}

fn run(from: NodeState, intent: Intent, seen: &[Seen]) -> (Memory, Vec<NodeState>) {
    let start = Instant::now();
    let mut memory = Memory::new(from, "before");
    let mut states = vec![from];
    for (second, Seen(silence, probe)) in seen.iter().enumerate() {
        let evidence =
            Evidence { intent, reason: "", silence: silence.map(Duration::from_secs_f64), probe: *probe };
        memory = next(&memory, &evidence, LIMITS, start + Duration::from_secs(second as u64));
        if states.last() != Some(&memory.state) {
            states.push(memory.state);
        }
    }
    (memory, states)
}

#[track_caller]
fn check(from: NodeState, intent: Intent, seen: &[Seen], expected: NodeState) {
    let (memory, states) = run(from, intent, seen);
    assert_eq!(memory.state, expected, "went through {states:?}, at last because {:?}", memory.cause);
}

use NodeState::{Asleep, Draining, Joining, Offline, Online, Retired, Stopping, Suspect, Waking};

#[test]
fn a_new_node_is_online_with_its_first_heartbeat() {
    check(Joining, Intent::Up, &[Seen(Some(0.1), Probe::Untried)], Online);
}

#[test]
fn a_new_node_that_is_never_heard_of_goes_offline() {
    check(Joining, Intent::Up, &[Seen(Some(3.0), Probe::Untried)], Joining);
    check(Joining, Intent::Up, &[Seen(Some(3.0), failing(1.0, ProbeFailure::Timeout))], Joining);
    check(Joining, Intent::Up, &[GONE], Offline);
}

#[test]
fn a_late_heartbeat_is_suspect_and_a_missing_one_offline() {
    check(Online, Intent::Up, &[Seen(Some(2.4), failing(1.0, ProbeFailure::Timeout))], Online);
    check(Online, Intent::Up, &[Seen(Some(2.6), failing(2.0, ProbeFailure::Timeout))], Suspect);
    check(Online, Intent::Up, &[Seen(Some(5.0), failing(4.0, ProbeFailure::Timeout))], Offline);
}

#[test]
fn a_refused_connection_says_at_once_that_the_process_is_dead() {
    check(Online, Intent::Up, &[Seen(Some(2.5), failing(2.0, ProbeFailure::Refused))], Offline);
}

#[test]
fn a_silent_node_that_answers_probes_is_never_offline() {
    check(Online, Intent::Up, &[Seen(Some(60.0), Probe::Good)], Suspect);
}

#[test]
fn a_beating_node_that_the_monitor_cannot_reach_is_suspect_not_offline() {
    let cut_off = |seconds| Seen(Some(0.3), failing(seconds, ProbeFailure::Timeout));
    check(Online, Intent::Up, &[cut_off(4.0)], Online);
    check(Online, Intent::Up, &[cut_off(6.0)], Suspect);
    let (memory, _) = run(Online, Intent::Up, &[cut_off(600.0)]);
    assert_eq!(memory.state, Suspect);
    assert!(memory.cause.contains("unreachable from the monitor"), "{}", memory.cause);
}

#[test]
fn without_an_index_server_the_own_probe_decides() {
    let alone = |probe| Seen(None, probe);
    check(Online, Intent::Up, &[alone(Probe::Untried)], Online);
    check(Online, Intent::Up, &[alone(Probe::Good)], Online);
    check(Online, Intent::Up, &[alone(failing(1.0, ProbeFailure::Refused))], Online);
    check(Online, Intent::Up, &[alone(failing(3.0, ProbeFailure::Refused))], Suspect);
    check(Online, Intent::Up, &[alone(failing(5.0, ProbeFailure::Refused))], Offline);
    check(Offline, Intent::Up, &[alone(Probe::Untried)], Offline);
}

#[test]
fn a_node_comes_back_after_being_well_for_a_moment() {
    check(Offline, Intent::Up, &[WELL], Offline);
    check(Offline, Intent::Up, &[WELL, WELL], Online);
    check(Offline, Intent::Up, &[Seen(Some(3.0), Probe::Good)], Offline);
}

#[test]
fn a_flapping_node_is_held_down_longer_each_time() {
    let changes = |seconds: usize| {
        let seen: Vec<Seen> = (0..seconds).map(|second| if second % 8 < 4 { WELL } else { GONE }).collect();
        run(Online, Intent::Up, &seen).1.len()
    };
    assert!(changes(120) <= 8, "{} changes in two minutes", changes(120));
    assert_eq!(changes(120), changes(80), "the flapping is not damped at last");
}

#[test]
fn a_damped_node_is_believed_after_half_a_minute() {
    let mut seen: Vec<Seen> = (0..80).map(|second| if second % 8 < 4 { WELL } else { GONE }).collect();
    seen.extend([WELL; 32]);
    check(Online, Intent::Up, &seen, Online);
}

#[test]
fn an_intent_is_stronger_than_any_sign() {
    for seen in [WELL, GONE, Seen(None, Probe::Untried)] {
        check(Online, Intent::Stopping, &[seen], Stopping);
        check(Asleep, Intent::Waking, &[seen], Waking);
        check(Online, Intent::Retired, &[seen], Retired);
    }
}

#[test]
fn asleep_is_not_offline() {
    check(Stopping, Intent::Asleep, &[GONE; 20], Asleep);
    check(Asleep, Intent::Asleep, &[Seen(None, failing(99.0, ProbeFailure::Refused)); 3], Asleep);
}

#[test]
fn a_node_that_was_switched_on_by_hand_is_seen() {
    check(Asleep, Intent::Asleep, &[WELL; 5], Asleep);
    check(Asleep, Intent::Asleep, &[WELL; 40], Online);
}

#[test]
fn a_draining_node_can_die_like_any_other() {
    check(Online, Intent::Draining, &[WELL], Draining);
    check(Draining, Intent::Draining, &[GONE], Offline);
    check(Draining, Intent::Up, &[WELL], Online);
}

#[test]
fn who_wanted_it_stands_in_the_cause() {
    let cause = |from: NodeState, intent: Intent, reason: &str| {
        let evidence = Evidence { intent, reason, silence: Some(Duration::ZERO), probe: Probe::Good };
        next(&Memory::new(from, "before"), &evidence, LIMITS, Instant::now()).cause
    };
    assert_eq!(
        cause(Online, Intent::Draining, "asked to be drained by ada"),
        "it is being drained: asked to be drained by ada"
    );
    assert_eq!(cause(Draining, Intent::Retired, ""), "it was retired");
    assert_eq!(
        cause(Draining, Intent::Up, "wanted again by ada"),
        "its heartbeats arrive: wanted again by ada"
    );
    assert_eq!(
        cause(Offline, Intent::Retired, "asked to be retired by bob"),
        "it was retired: asked to be retired by bob"
    );
}

#[test]
fn a_woken_node_is_online_without_waiting() {
    check(Waking, Intent::Up, &[WELL], Online);
}

#[test]
fn the_cause_is_that_of_the_change() {
    let (memory, _) = run(Online, Intent::Up, &[Seen(Some(3.0), failing(2.0, ProbeFailure::Timeout)), GONE]);
    assert!(memory.cause.starts_with("no heartbeat for 9.0 s"), "{}", memory.cause);
    let (memory, _) = run(Online, Intent::Up, &[WELL]);
    assert_eq!(memory.cause, "before");
}

#[test]
fn states_survive_text() {
    for state in NodeState::ALL {
        assert_eq!(state.as_str().parse(), Ok(state));
    }
    assert!("broken".parse::<NodeState>().is_err());
}

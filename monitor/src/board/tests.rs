use super::*;
use crate::state::ProbeFailure;
use asterism_proto::index::NodeView as WireNode;

const LIMITS: Limits =
    Limits { suspect_after: Duration::from_millis(2500), offline_after: Duration::from_secs(5) };

fn id(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

fn wire(number: u8, age: Option<f64>, intent: Intent) -> WireNode {
    WireNode {
        node: id(number).to_string(),
        name: format!("n{number}"),
        address: format!("127.0.0.1:{}", 8500 + u16::from(number)),
        metrics_address: format!("127.0.0.1:{}", 8600 + u16::from(number)),
        zone: "z".into(),
        intent: intent.into(),
        intent_reason: String::new(),
        heartbeat_age_seconds: age,
        measured: None,
    }
}

fn answer(nodes: Vec<WireNode>) -> NodesResponse {
    NodesResponse { nodes, ..NodesResponse::default() }
}

fn steps(changes: &[Change]) -> Vec<String> {
    let from = |change: &Change| change.from.map_or("", NodeState::as_str);
    changes.iter().map(|change| format!("{}: {}->{}", change.name, from(change), change.to)).collect()
}

#[test]
fn nodes_come_go_online_and_leave() {
    let board = Board::new(LIMITS, Remembered::new());
    let now = Instant::now();
    assert!(board.index().is_err());
    assert_eq!(steps(&board.learn(answer(vec![wire(1, Some(0.2), Intent::Up)]), now)), ["n1: ->joining"]);
    assert!(board.index().is_ok());
    assert_eq!(steps(&board.judge(now)), ["n1: joining->online"]);
    assert_eq!(steps(&board.judge(now)), [""; 0]);
    assert_eq!(steps(&board.learn(answer(vec![]), now)), ["n1: online->retired"]);
    assert!(board.nodes().is_empty());
}

#[test]
fn a_restart_of_the_monitor_is_no_transition() {
    let remembered = [("n1".to_owned(), (NodeState::Online, 7, "before".to_owned()))].into();
    let board = Board::new(LIMITS, remembered);
    let now = Instant::now();
    assert_eq!(board.learn(answer(vec![wire(1, Some(0.2), Intent::Up)]), now), []);
    assert_eq!(board.judge(now), []);
    assert_eq!(board.nodes()[0].since_unix_ms, 7);
}

#[test]
fn a_restart_of_the_index_server_is_no_transition() {
    let board = Board::new(LIMITS, Remembered::new());
    let now = Instant::now();
    board.learn(answer(vec![wire(1, Some(0.2), Intent::Up)]), now);
    board.judge(now);
    let later = now + Duration::from_secs(60);
    board.learn(answer(vec![wire(1, None, Intent::Up)]), later);
    assert_eq!(board.judge(later + Duration::from_secs(1)), []);
}

#[test]
fn a_silent_node_goes_down() {
    let board = Board::new(LIMITS, Remembered::new());
    let now = Instant::now();
    let judge = |age: f64| {
        let at = now + Duration::from_secs_f64(age);
        board.learn(answer(vec![wire(1, Some(age), Intent::Up)]), at);
        steps(&board.judge(at + Duration::from_millis(200)))
    };
    assert_eq!(judge(0.1), ["n1: joining->online"]);
    assert_eq!(judge(2.2), [""; 0]);
    assert_eq!(judge(2.4), ["n1: online->suspect"]);
    assert_eq!(judge(4.9), ["n1: suspect->offline"]);
}

#[test]
fn an_overdue_answer_is_no_silence_of_the_nodes() {
    let board = Board::new(LIMITS, Remembered::new());
    let now = Instant::now();
    board.learn(answer(vec![wire(1, Some(0.9), Intent::Up), wire(2, Some(0.9), Intent::Up)]), now);
    board.judge(now);
    board.probed(id(1), now, Ok(Told::default()));
    for tenths in 0..100 {
        assert_eq!(board.judge(now + Duration::from_millis(tenths * 100)), []);
    }
    board.probed(id(2), now + Duration::from_secs(1), Err((ProbeFailure::Timeout, "no answer".into())));
    assert_eq!(steps(&board.judge(now + Duration::from_secs(7))), ["n2: online->offline"]);
}

#[test]
fn an_act_has_the_node_to_itself() {
    let board = Board::new(LIMITS, Remembered::new());
    let now = Instant::now();
    board.learn(answer(vec![wire(1, Some(0.2), Intent::Up)]), now);
    board.judge(now);
    let hold = board.hold(id(1), "a stop by ada").unwrap();
    assert_eq!(board.hold(id(1), "").err().unwrap(), HoldError::Busy { what: "a stop by ada".into() });
    assert_eq!(board.hold(id(2), "").err().unwrap(), HoldError::Unknown);
    hold.put(NodeState::Stopping, "asked");
    hold.set_intent(Intent::Stopping);
    assert_eq!(board.judge(now + Duration::from_secs(9)), []);
    // An answer to a question from before the act must not undo it.
    board.learn(answer(vec![wire(1, Some(0.2), Intent::Up)]), now);
    hold.set_intent(Intent::Asleep);
    hold.put(NodeState::Asleep, "stopped");
    drop(hold);
    assert_eq!(board.judge(now + Duration::from_secs(9)), []);
    assert_eq!(board.nodes()[0].state, NodeState::Asleep);
}

#[test]
fn hostile_answers_are_left_out() {
    let board = Board::new(LIMITS, Remembered::new());
    let now = Instant::now();
    let hostile = vec![
        WireNode { node: "x".into(), ..wire(1, None, Intent::Up) },
        WireNode { name: "n1\"}\nfake 1".into(), ..wire(2, None, Intent::Up) },
        WireNode { address: "-o:1".into(), zone: "a\nb".into(), ..wire(3, Some(f64::NAN), Intent::Up) },
        WireNode { intent: 99, ..wire(4, Some(-1.0), Intent::Up) },
    ];
    board.learn(answer(hostile), now);
    let nodes = board.nodes();
    assert_eq!(nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["n3", "n4"]);
    assert_eq!((nodes[0].address.as_str(), nodes[0].zone.as_str()), ("", "a"));
    assert_eq!(nodes[1].intent, Intent::Unspecified);
}

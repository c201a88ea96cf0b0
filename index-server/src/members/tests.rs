use super::*;
use crate::test_bed::says;

const MIB: u64 = 1 << 20;

fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

fn row(number: u8) -> NodeRow {
    NodeRow {
        id: node(number),
        name: format!("n{number}").parse().unwrap(),
        address: "127.0.0.1:1".into(),
        metrics_address: "127.0.0.1:2".into(),
        zone: "z".into(),
        capacity: 1 << 40,
        intent: Intent::Up,
        joined_ms: 1,
    }
}

/// Nodes with so much room each (none: not heard), and groups of them.
fn members(room: &[Option<u64>], groups: &[&[u8]]) -> Members {
    let members = Members::default();
    members.set_rows((1..=room.len() as u8).map(row).collect());
    let groups =
        (0..).zip(groups).map(|(id, nodes)| Group { id, members: nodes.iter().map(|n| node(*n)).collect() });
    members.set_groups(groups.collect());
    for (number, free_bytes) in (1..).zip(room) {
        if let Some(free_bytes) = free_bytes {
            assert!(members.hear(node(number), says(*free_bytes)));
        }
    }
    members
}

/// Draws every group once and more.
fn draw() -> impl FnMut(usize) -> usize {
    let mut next = 0;
    move |below| {
        next += 1;
        next % below
    }
}

fn check(members: &Members, floor: usize, shard_bytes: u64, expected: Result<u32, usize>) {
    let chosen = members.choose_group(floor, shard_bytes, draw());
    assert_eq!(chosen.map(|group| group.id).map_err(|few| few.reachable), expected);
}

const ROOMY: Option<u64> = Some(1000 * MIB);

#[test]
fn a_group_of_which_all_are_there_is_preferred() {
    let members = members(&[ROOMY, ROOMY, ROOMY, None], &[&[1, 2, 4], &[2, 3, 4], &[1, 2, 3]]);
    check(&members, 2, MIB, Ok(2));
}

#[test]
fn full_nodes_are_avoided() {
    let members = members(&[ROOMY, ROOMY, ROOMY, Some(MIB / 2)], &[&[1, 2, 4], &[2, 3, 4], &[1, 2, 3]]);
    check(&members, 2, MIB, Ok(2));
    check(&members, 3, 2000 * MIB, Err(0));
}

#[test]
fn among_whole_groups_the_one_with_most_room_on_its_fullest_member_wins() {
    let members =
        members(&[ROOMY, Some(5 * MIB), Some(9 * MIB), Some(2 * MIB)], &[&[1, 2], &[1, 3], &[1, 4]]);
    check(&members, 2, MIB, Ok(1));
}

#[test]
fn below_the_floor_nothing_is_written() {
    let members = members(&[ROOMY, ROOMY, None, None], &[&[1, 2, 3, 4], &[4, 3, 2, 1]]);
    check(&members, 2, MIB, Ok(1));
    check(&members, 3, MIB, Err(2));
    let nobody = super::Members::default();
    check(&nobody, 1, 0, Err(0));
}

#[test]
fn a_whole_group_is_found_among_many_that_are_not() {
    let room = [ROOMY, ROOMY, ROOMY, None];
    let mut groups: Vec<&[u8]> = vec![&[1, 2, 4]; 300];
    groups[250] = &[1, 2, 3];
    let members = members(&room, &groups);
    let chosen = members.choose_group(2, MIB, |_| 0).unwrap();
    assert_eq!(chosen.id, 250, "short only if there is no other way");
}

#[test]
fn nodes_that_are_to_go_take_nothing_and_count_for_nothing() {
    for (intent, writable, live) in [
        (Intent::Up, true, true),
        (Intent::Asleep, true, true),
        (Intent::Waking, true, true),
        (Intent::Draining, false, true),
        (Intent::Stopping, false, false),
        (Intent::Retired, false, false),
    ] {
        let members = members(&[ROOMY], &[]);
        members.set_intent(node(1), intent);
        assert_eq!(
            (members.writable(MIB)(node(1)), members.live()(node(1))),
            (writable, live),
            "{intent:?}, heard"
        );
    }
    let silent = members(&[None], &[]);
    assert!(!silent.writable(0)(node(1)) && !silent.live()(node(1)));
    assert!(!silent.writable(0)(node(9)) && !silent.live()(node(9)), "nobody knows that one");
}

#[test]
fn new_rows_do_not_silence_those_that_were_heard() {
    let members = members(&[ROOMY, None], &[]);
    members.set_rows(vec![row(1), row(2), row(3)]);
    assert_eq!([1, 2, 3].map(|number| members.is_heard(node(number))), [true, false, false]);
    assert!(!members.hear(node(7), says(1)), "who is not known must join first");
    members.set_rows(vec![row(2)]);
    assert!(members.get(node(1)).is_none());
}

/// The nodes chosen for an extent, by number.
fn chosen(members: &Members, floor: usize) -> Vec<u8> {
    let group = members.choose_group(floor, MIB, draw()).unwrap();
    group.members.iter().map(|node| node.as_bytes()[0]).collect()
}

#[test]
fn a_spare_stands_in_for_who_is_missing() {
    let room = [ROOMY, None, ROOMY, Some(MIB / 2), ROOMY, ROOMY];
    let spared = members(&room, &[&[1, 2, 3, 4]]);
    let mut nodes = chosen(&spared, 3);
    assert_eq!([nodes[0], nodes[2]], [1, 3], "who is there keeps its place");
    nodes.sort_unstable();
    assert_eq!(nodes, [1, 3, 5, 6]);
    let one = members(&room[..5], &[&[1, 2, 3, 4]]);
    assert_eq!(chosen(&one, 3), [1, 5, 3, 4], "the last one is written short");
    assert_eq!(one.choose_group(4, MIB, draw()).unwrap_err().reachable, 3);
}

#[test]
fn a_whole_group_needs_no_spare() {
    let members = members(&[ROOMY, None, ROOMY, ROOMY, ROOMY], &[&[1, 2], &[3, 4]]);
    assert_eq!(chosen(&members, 1), [3, 4]);
}

#[test]
fn a_spare_comes_from_another_zone_if_it_can() {
    let members = members(&[ROOMY, None, ROOMY, ROOMY, ROOMY], &[&[1, 2, 3]]);
    let zones = ["a", "b", "c", "a", "d"];
    let rows = (1..=5).map(|number| NodeRow { zone: zones[usize::from(number) - 1].into(), ..row(number) });
    members.set_rows(rows.collect());
    assert_eq!(chosen(&members, 2), [1, 5, 3]);
    assert_eq!(members.spare_for(&[node(1), node(2), node(3)], MIB), Some(node(5)));
    assert_eq!(members.spare_for(&[node(1), node(3), node(5)], MIB), Some(node(4)));
    assert_eq!(members.spare_for(&[node(1), node(3), node(4), node(5)], MIB), None, "none is left");
    assert_eq!(members.spare_for(&[node(1)], 2000 * MIB), None, "none has room");
}

#[test]
fn a_position_on_its_way_is_written_where_it_goes() {
    let members = members(&[ROOMY, ROOMY, ROOMY, None], &[&[1, 2]]);
    let move_to = |to: u8| MoveRow { group: 0, position: 1, to: node(to) };
    members.set_moves(&[move_to(3)]);
    assert_eq!(chosen(&members, 2), [1, 3]);
    members.set_moves(&[move_to(4)]);
    assert_eq!(chosen(&members, 2), [1, 2], "it is not there yet");
    members.set_moves(&[move_to(3)]);
    members.set_intent(node(2), Intent::Draining);
    assert_eq!(chosen(&members, 2), [1, 3]);
    members.set_moves(&[]);
    assert_eq!(chosen(&members, 2), [1, 3], "and a spare serves as well");
}

#[test]
fn an_empty_node_that_meets_a_new_server_does_not_count_until_it_was_counted() {
    let members = members(&[None, None], &[]);
    members.expect_shards();
    members.hear(node(1), says(1));
    members.hear(node(2), HeartbeatRequest { shards: 5, ..says(1) });
    assert_eq!([1, 2].map(|number| members.live()(node(number))), [false, true]);
    members.counted(node(1));
    assert!(members.live()(node(1)));
}

#[test]
fn a_node_that_stalled_is_left_alone_until_it_answers() {
    let members = members(&[ROOMY; 7], &[&[1, 2, 3, 4, 5, 6]]);
    let chosen = || members.choose_group(5, MIB, draw()).unwrap().members;
    let begun = Instant::now();
    members.stalled(node(2), begun);
    assert!(!members.writable(MIB)(node(2)) && members.is_heard(node(2)));
    assert_eq!(chosen(), [1, 7, 3, 4, 5, 6].map(node), "a spare stands in for it");
    assert_eq!(members.to_be_asked(), [], "not at once");
    members.answered(node(2));
    assert_eq!(chosen(), [1, 2, 3, 4, 5, 6].map(node));
    members.stalled(node(2), begun);
    assert!(members.is_prompt(node(2)), "a write that was begun before it answered says nothing of it now");
    // Not more than a third: then it is something else.
    (1..=7).for_each(|number| members.stalled(node(number), Instant::now()));
    assert_eq!((1..=7).filter(|number| !members.is_prompt(node(*number))).count(), 2);
    let mut restarted = says(1000 * MIB);
    restarted.boot = "another".into();
    members.hear(node(1), restarted);
    assert!(members.is_prompt(node(1)));
}

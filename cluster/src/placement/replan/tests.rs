use super::*;
use crate::placement::plan;
use proptest::prelude::*;

const GROUPS: u32 = 256;

fn id(number: usize) -> NodeId {
    NodeId::from_bytes([number as u8; 16])
}

/// Nodes 1, 2… of these zones and weights.
fn standing(nodes: &[(&str, u64)]) -> Vec<Standing> {
    let node = |(number, (zone, weight)): (usize, &(&str, u64))| Standing {
        candidate: Candidate { id: id(number), zone: (*zone).to_owned(), weight: *weight },
        takes: true,
    };
    (1..).zip(nodes).map(node).collect()
}

/// The groups that are made of them.
fn groups(nodes: &[Standing]) -> Vec<Vec<NodeId>> {
    let candidates: Vec<Candidate> = nodes.iter().map(|node| node.candidate.clone()).collect();
    plan(&candidates, "4+2".parse().unwrap(), GROUPS).unwrap()
}

fn without(nodes: &[Standing], gone: &[usize]) -> Vec<Standing> {
    nodes.iter().filter(|node| !gone.iter().any(|number| node.candidate.id == id(*number))).cloned().collect()
}

/// What must hold of every plan.
fn check(current: &[Vec<NodeId>], nodes: &[Standing]) -> Replan {
    check_with(current, &[], nodes)
}

fn check_with(current: &[Vec<NodeId>], under_way: &[(usize, usize, usize)], nodes: &[Standing]) -> Replan {
    let under_way = under_way.iter().map(|(group, position, to)| ((*group, *position), id(*to))).collect();
    let plan = replan(current, &under_way, nodes);
    let known: BTreeSet<NodeId> = nodes.iter().map(|node| node.candidate.id).collect();
    let mut replayed = current.to_vec();
    for step in &plan.moves {
        assert!(known.contains(&step.to) && step.from != step.to);
        assert!(!current[step.group].contains(&step.to), "in any order, no group has a node twice");
        assert_eq!(std::mem::replace(&mut replayed[step.group][step.position], step.to), step.from);
    }
    assert_eq!(replayed, plan.groups);
    for (number, members) in plan.groups.iter().enumerate() {
        assert_eq!(members.iter().collect::<BTreeSet<_>>().len(), members.len());
        let stuck = |position: usize| plan.stuck.contains(&(number, position));
        assert!((0..members.len()).all(|at| known.contains(&members[at]) != stuck(at)));
    }
    plan
}

fn count(groups: &[Vec<NodeId>], node: usize) -> usize {
    groups.iter().flatten().filter(|member| **member == id(node)).count()
}

/// Most members of one zone in any group.
fn worst_zone(groups: &[Vec<NodeId>], nodes: &[Standing]) -> usize {
    let zone: BTreeMap<NodeId, &str> =
        nodes.iter().map(|node| (node.candidate.id, node.candidate.zone.as_str())).collect();
    let most = |members: &Vec<NodeId>| {
        let mut zones: BTreeMap<&str, usize> = BTreeMap::new();
        members.iter().for_each(|member| *zones.entry(zone[member]).or_default() += 1);
        zones.into_values().max().unwrap_or(0)
    };
    groups.iter().map(most).max().unwrap_or(0)
}

#[test]
fn nothing_changes_nothing_moves() {
    let nodes = standing(&[("z", 100); 13]);
    assert_eq!(check(&groups(&nodes), &nodes).moves, []);
}

#[test]
fn a_node_that_leaves_gives_away_its_own_places_and_no_others() {
    let nodes = standing(&[("z", 100); 13]);
    let current = groups(&nodes);
    let plan = check(&current, &without(&nodes, &[3]));
    assert_eq!(plan.moves.len(), count(&current, 3));
    assert!(plan.moves.iter().all(|step| step.from == id(3)) && plan.stuck.is_empty());
    // Within its column: the number of distinct node sets stays small.
    let columns = |groups: &[Vec<NodeId>]| {
        (1..=13).all(|node| {
            (0..6).filter(|at| groups.iter().any(|members| members[*at] == id(node))).count() <= 1
        })
    };
    assert!(columns(&current) && columns(&plan.groups));
}

#[test]
fn the_seventh_of_seven_can_leave_and_the_sixth_of_six_cannot() {
    let nodes = standing(&[("z", 100); 7]);
    let current = groups(&nodes);
    for gone in 1..=7 {
        let plan = check(&current, &without(&nodes, &[gone]));
        assert_eq!(plan.moves.len(), count(&current, gone), "no place moves that need not");
        let again = check(&plan.groups, &without(&nodes, &[gone]));
        assert_eq!(again.moves, [], "and then there is rest");
    }
    let plan = check(&current, &without(&nodes, &[1, 2]));
    assert_eq!(plan.stuck.len() + plan.moves.len(), count(&current, 1) + count(&current, 2));
    assert!(!plan.stuck.is_empty(), "five nodes are no six");
}

#[test]
fn a_newcomer_takes_its_share_and_nobody_else_moves() {
    let nodes = standing(&[("z", 100); 7]);
    let current = groups(&nodes[..6]);
    let plan = check(&current, &nodes);
    assert!(plan.moves.iter().all(|step| step.to == id(7)));
    assert!((90..=166).contains(&plan.moves.len()), "half of a column of 256: {}", plan.moves.len());
    assert_eq!(check(&plan.groups, &nodes).moves, []);
    // It goes again: everything is as it was.
    let back = check(&plan.groups, &nodes[..6]);
    assert_eq!(back.groups, current);
}

#[test]
fn six_newcomers_take_half_of_everything() {
    let nodes = standing(&[("z", 100); 12]);
    let plan = check(&groups(&nodes[..6]), &nodes);
    for node in 1..=12 {
        assert!((90..=166).contains(&count(&plan.groups, node)), "{node}: {}", count(&plan.groups, node));
    }
}

#[test]
fn a_weight_moves_places_of_its_own_node_alone() {
    let mut nodes = standing(&[("z", 100); 12]);
    let current = groups(&nodes);
    nodes[4].candidate.weight = 300;
    let plan = check(&current, &nodes);
    assert!(!plan.moves.is_empty() && plan.moves.iter().all(|step| step.to == id(5)));
    nodes[4].candidate.weight = 10;
    let plan = check(&current, &nodes);
    assert!(!plan.moves.is_empty() && plan.moves.iter().all(|step| step.from == id(5)));
    assert!(count(&plan.groups, 5) < count(&current, 5) / 2);
}

#[test]
fn who_is_away_keeps_its_places_and_is_given_none() {
    let mut nodes = standing(&[("z", 100); 13]);
    let current = groups(&nodes);
    nodes[8].takes = false;
    assert_eq!(check(&current, &nodes).moves, []);
    let plan = check(&current, &without(&nodes, &[2, 3, 4]));
    assert!(plan.moves.iter().all(|step| step.to != id(9)));
    assert_eq!(count(&plan.groups, 9), count(&current, 9));
    let plan = check(&groups(&nodes[..8]), &nodes[..9]);
    assert_eq!(plan.moves, [], "a newcomer that is not there yet waits");
}

#[test]
fn zones_stay_apart() {
    let zones = ["a", "a", "b", "b", "c", "d", "e", "f", "g"];
    let nodes = standing(&zones.map(|zone| (zone, 100)));
    let current = groups(&nodes);
    assert_eq!(worst_zone(&current, &nodes), 1);
    for gone in 1..=9 {
        let left = without(&nodes, &[gone]);
        let plan = check(&current, &left);
        assert_eq!(worst_zone(&plan.groups, &left), 1, "{gone}");
        assert!(plan.moves.iter().all(|step| step.from == id(gone)));
    }
    let two = standing(&[("a", 100), ("a", 100), ("b", 100), ("b", 100), ("c", 100), ("c", 100), ("b", 100)]);
    let plan = check(&groups(&two[..6]), &two);
    assert!(!plan.moves.is_empty());
    assert_eq!(worst_zone(&plan.groups, &two), 2);
}

#[test]
fn a_node_that_changes_its_zone_makes_room() {
    let mut nodes = standing(&["a", "b", "c", "d", "e", "f", "g", "h"].map(|zone| (zone, 100)));
    let current = groups(&nodes);
    nodes[1].candidate.zone = "a".into();
    let plan = check(&current, &nodes);
    assert_eq!(worst_zone(&plan.groups, &nodes), 1);
    let both = current.iter().filter(|members| members.contains(&id(1)) && members.contains(&id(2)));
    assert_eq!(plan.moves.len(), both.count(), "only where the two met");
    // With six zones of one node each there is nobody to make room for.
    let mut six = standing(&["a", "b", "c", "d", "e", "f"].map(|zone| (zone, 100)));
    let current = groups(&six);
    six[1].candidate.zone = "a".into();
    assert_eq!(check(&current, &six).moves, []);
}

#[test]
fn no_groups_no_plan() {
    assert_eq!(check(&[], &standing(&[("z", 1); 3])), Replan::default());
}

#[test]
fn what_is_on_its_way_arrives_where_it_was_sent() {
    let nodes = standing(&[("z", 100); 13]);
    let current = groups(&nodes);
    let number =
        current.iter().position(|members| members.contains(&id(3)) && !members.contains(&id(9))).unwrap();
    let position = current[number].iter().position(|member| *member == id(3)).unwrap();
    let left = without(&nodes, &[3]);
    let under_way = [(number, position, 9)];
    assert_eq!(check_with(&current, &under_way, &left).groups[number][position], id(9));
    // Not if it may not take any more, has come into the group otherwise, or the node that left is wanted again.
    assert_ne!(check_with(&current, &under_way, &without(&nodes, &[3, 9])).groups[number][position], id(9));
    let inside = current[number].iter().find(|member| **member != id(3)).unwrap().as_bytes()[0];
    check_with(&current, &[(number, position, usize::from(inside))], &left);
    assert_eq!(check_with(&current, &under_way, &nodes).moves, []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_comes_and_goes_no_group_has_a_node_twice(
        nodes in prop::collection::vec((0usize..4, 1u64..400), 6..14),
        gone in prop::collection::vec(any::<bool>(), 14),
        takes in prop::collection::vec(prop::bool::weighted(0.9), 14),
        steps in 1usize..4,
    ) {
        let names = ["a", "b", "c", "d"];
        let all = standing(&nodes.iter().map(|(zone, weight)| (names[*zone], *weight)).collect::<Vec<_>>());
        let mut current = groups(&all[..6]);
        for step in 0..steps {
            let mut wanted: Vec<Standing> = Vec::new();
            for (number, node) in all.iter().enumerate() {
                if !gone[(number * 7 + step * 5) % 14] || number % 3 == step {
                    let takes = takes[(number + step) % 14];
                    wanted.push(Standing { takes, ..node.clone() });
                }
            }
            let plan = check(&current, &wanted);
            let takers = wanted.iter().filter(|node| node.takes).count();
            if takers >= 6 {
                prop_assert!(plan.stuck.is_empty(), "six nodes that take are enough for any group");
            }
            current = plan.groups;
        }
    }
}

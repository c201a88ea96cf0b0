//! How many more losses the cluster stands: pure counting over groups and known-short extents.
//!
//! The margin of a group is its live members minus `k`; that of a short extent the live nodes that hold one of its
//! shards, minus its own `k`. Where shards of a group lie on other nodes than its members, a position counts only if every node is
//! live that has shards of it. The same count with a node taken away is the proof that it may stop.

use crate::catalog::{Group, Scattered, ShortExtent};
use asterism_cluster::placement;
use asterism_erasure::Policy;
use asterism_proto::NodeId;
use std::collections::{BTreeMap, BTreeSet};

/// The margins of everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Margins {
    /// Margin to groups.
    pub by_margin: BTreeMap<i32, u32>,
    /// Of all groups and short extents.
    pub worst: Option<i32>,
    /// Groups that are, or hold an extent, below the floor.
    pub below_floor: BTreeSet<u32>,
}

/// What groups and their members alone do not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exceptions {
    /// Extents of which shards are known to be missing.
    pub short: Vec<ShortExtent>,
    /// Shards that lie on other nodes than their groups' members.
    pub scattered: Vec<Scattered>,
}

/// Counts the margins of all groups and short extents; `live` says who can be read from.
pub fn count(
    groups: &[Group],
    exceptions: &Exceptions,
    policy: Policy,
    live: impl Fn(NodeId) -> bool,
) -> Margins {
    let mut margins = Margins::default();
    let mut scattered: BTreeMap<u32, Vec<(u8, NodeId)>> = BTreeMap::new();
    for stray in &exceptions.scattered {
        scattered.entry(stray.group).or_default().push((stray.position, stray.node));
    }
    for group in groups {
        let others = scattered.get(&group.id).map_or(&[][..], Vec::as_slice);
        let margin = group_margin(group, others, policy, &live);
        *margins.by_margin.entry(margin).or_default() += 1;
        margins.note(group.id, margin, policy);
    }
    let members: BTreeMap<u32, &Group> = groups.iter().map(|group| (group.id, group)).collect();
    for extent in &exceptions.short {
        if let Some(group) = members.get(&extent.group) {
            let margin = extent_margin(extent, &group.members, &live);
            margins.note(group.id, margin, policy_of(extent));
        }
    }
    margins
}

impl Margins {
    fn note(&mut self, group: u32, margin: i32, policy: Policy) {
        self.worst = Some(self.worst.map_or(margin, |worst| worst.min(margin)));
        if margin < floor_margin(policy) {
            self.below_floor.insert(group);
        }
    }
}

/// Losses that extents of `policy` in the group survive.
///
/// An extent narrower than its group (copies of a small file) is placed anywhere in it, so its worst case is that all
/// missing members were its own: `m` less the missing ones, which equals live members minus `k` for the full width.
/// `others` are nodes that have some shards of a position instead of its member. A lost node costs an extent one shard at most,
/// because an extent's nodes are distinct, and a position costs it one at most: the smaller count is the worst case.
pub fn group_margin(
    group: &Group,
    others: &[(u8, NodeId)],
    policy: Policy,
    live: impl Fn(NodeId) -> bool,
) -> i32 {
    let members = (0u8..).zip(group.members.iter().copied());
    let gone: BTreeSet<(u8, NodeId)> =
        members.chain(others.iter().copied()).filter(|(_, node)| !live(*node)).collect();
    let positions: BTreeSet<u8> = gone.iter().map(|(position, _)| *position).collect();
    let nodes: BTreeSet<NodeId> = gone.iter().map(|(_, node)| *node).collect();
    policy.parity() as i32 - positions.len().min(nodes.len()) as i32
}

/// Losses that one extent survives.
pub fn extent_margin(extent: &ShortExtent, members: &[NodeId], live: impl Fn(NodeId) -> bool) -> i32 {
    let mut nodes =
        placement::slots(extent.extent, members, usize::from(extent.data) + usize::from(extent.parity));
    for (slot, node) in &extent.elsewhere {
        if let Some(holder) = nodes.get_mut(usize::from(*slot)) {
            *holder = *node;
        }
    }
    let held = |(slot, node): (u8, &NodeId)| !extent.slots.contains(&slot) && live(*node);
    let good = (0..).zip(&nodes).filter(|&(slot, node)| held((slot, node))).count();
    good as i32 - i32::from(extent.data)
}

/// The code of an extent; one without shards cannot be in the catalog, and counts as one that has no parity.
fn policy_of(extent: &ShortExtent) -> Policy {
    const PLAIN: Policy = Policy::new(1, 0).expect("1+0 is a policy");
    Policy::new(usize::from(extent.data), usize::from(extent.parity)).unwrap_or(PLAIN)
}

/// Below this margin a node may not be stopped: one shard more than needed, or none with a policy that has no parity.
pub fn floor_margin(policy: Policy) -> i32 {
    policy.floor() as i32 - policy.data() as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use asterism_proto::ExtentId;

    fn node(number: u8) -> NodeId {
        NodeId::from_bytes([number; 16])
    }

    fn group(id: u32, members: &[u8]) -> Group {
        Group { id, members: members.iter().map(|&number| node(number)).collect() }
    }

    fn check(short: &[ShortExtent], dead: &[u8], worst: i32, below_floor: usize) {
        let exceptions = Exceptions { short: short.to_vec(), scattered: Vec::new() };
        check_all(&exceptions, dead, worst, below_floor);
    }

    fn check_scattered(scattered: &[(u8, u8)], dead: &[u8], worst: i32) {
        let stray = |&(position, on): &(u8, u8)| Scattered { group: 0, position, node: node(on) };
        let exceptions = Exceptions { short: Vec::new(), scattered: scattered.iter().map(stray).collect() };
        check_all(&exceptions, dead, worst, if worst < 1 { 1 } else { 0 });
    }

    fn check_all(exceptions: &Exceptions, dead: &[u8], worst: i32, below_floor: usize) {
        let groups = [group(0, &[1, 2, 3, 4, 5, 6]), group(1, &[6, 5, 4, 3, 2, 7])];
        let margins =
            count(&groups, exceptions, "4+2".parse().unwrap(), |id| !dead.iter().any(|&n| node(n) == id));
        assert_eq!((margins.worst, margins.below_floor.len()), (Some(worst), below_floor), "{dead:?}");
    }

    #[test]
    fn a_position_counts_only_with_all_its_nodes() {
        check_scattered(&[(0, 8)], &[], 2);
        check_scattered(&[(0, 8)], &[8], 1);
        check_scattered(&[(0, 8)], &[1], 1);
        // Old extents lack the member, new ones the spare; none lacks both.
        check_scattered(&[(0, 8)], &[1, 8], 1);
        // No extent has two shards on one node, though the node stands in for two members.
        check_scattered(&[(0, 8), (1, 8)], &[8], 1);
        check_scattered(&[(0, 8), (1, 8)], &[8, 2], 0);
        check_scattered(&[(0, 8), (1, 9)], &[8, 9], 0);
        check_scattered(&[(0, 8), (1, 9), (2, 10)], &[8, 9, 10], -1);
    }

    #[test]
    fn a_short_extent_counts_where_its_shards_are() {
        let moved = ShortExtent { elsewhere: vec![(1, node(8))], ..short(&[0]) };
        let members = group(0, &[1, 2, 3, 4, 5, 6]).members;
        let margin = |dead: u8| extent_margin(&moved, &members, |id| id != node(dead));
        assert_eq!((margin(8), margin(2), margin(9)), (0, 1, 1));
    }

    fn short(missing: &[u8]) -> ShortExtent {
        ShortExtent {
            extent: ExtentId::from_bytes([0; 16]),
            group: 0,
            data: 4,
            parity: 2,
            slots: missing.to_vec(),
            elsewhere: Vec::new(),
        }
    }

    #[test]
    fn every_dead_member_costs_one() {
        check(&[], &[], 2, 0);
        check(&[], &[1], 1, 0);
        check(&[], &[1, 7], 1, 0);
        check(&[], &[5, 6], 0, 2);
        check(&[], &[4, 5, 6], -1, 2);
    }

    #[test]
    fn a_short_extent_is_worse_off_than_its_group() {
        check(&[short(&[0])], &[], 1, 0);
        check(&[short(&[0])], &[6], 0, 1);
        // The dead node is the one whose shard is missing anyway.
        check(&[short(&[0])], &[1], 1, 0);
        check(&[short(&[0, 1, 2])], &[], -1, 1);
    }

    #[test]
    fn copies_in_a_wide_group_survive_as_many_losses() {
        let copies = ShortExtent { data: 1, ..short(&[]) };
        let members = group(0, &[1, 2, 3, 4, 5, 6]).members;
        assert_eq!(extent_margin(&copies, &members, |id| id != node(1)), 1);
        assert_eq!(extent_margin(&copies, &members, |id| id != node(6)), 2);
    }
}

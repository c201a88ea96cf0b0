//! How many more losses the cluster stands: pure counting over groups and known-short extents.
//!
//! The margin of a group is its live members minus `k`; that of a short extent the live members that hold one of its
//! shards, minus its own `k`. The same count with a node taken away is the proof that it may stop.

use crate::catalog::{Group, ShortExtent};
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

/// Counts the margins of all groups and short extents; `live` says who can be read from.
pub fn count(
    groups: &[Group],
    short: &[ShortExtent],
    policy: Policy,
    live: impl Fn(NodeId) -> bool,
) -> Margins {
    let mut margins = Margins::default();
    for group in groups {
        let margin = group_margin(group, policy, &live);
        *margins.by_margin.entry(margin).or_default() += 1;
        margins.note(group.id, margin, policy);
    }
    let members: BTreeMap<u32, &Group> = groups.iter().map(|group| (group.id, group)).collect();
    for extent in short {
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
pub fn group_margin(group: &Group, policy: Policy, live: impl Fn(NodeId) -> bool) -> i32 {
    let gone = group.members.iter().filter(|&&node| !live(node)).count();
    policy.parity() as i32 - gone as i32
}

/// Losses that one extent survives.
pub fn extent_margin(extent: &ShortExtent, members: &[NodeId], live: impl Fn(NodeId) -> bool) -> i32 {
    let nodes =
        placement::slots(extent.extent, members, usize::from(extent.data) + usize::from(extent.parity));
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
        let groups = [group(0, &[1, 2, 3, 4, 5, 6]), group(1, &[6, 5, 4, 3, 2, 7])];
        let margins =
            count(&groups, short, "4+2".parse().unwrap(), |id| !dead.iter().any(|&n| node(n) == id));
        assert_eq!((margins.worst, margins.below_floor.len()), (Some(worst), below_floor), "{dead:?}");
    }

    fn short(missing: &[u8]) -> ShortExtent {
        ShortExtent {
            extent: ExtentId::from_bytes([0; 16]),
            group: 0,
            data: 4,
            parity: 2,
            slots: missing.to_vec(),
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

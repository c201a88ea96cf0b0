//! Which nodes keep which extents. Pure: equal inputs give equal maps on every machine.
//!
//! The nodes stand in as many *columns* as a policy has shards; every placement group takes one node of each column. So the
//! members of a group are distinct, a whole column can sleep at the price of one shard per extent, and the number of distinct
//! node sets stays small, which makes it rare that a random multiple failure hits one (Cidon et al., *Copysets*, 2013).

mod replan;

use asterism_erasure::Policy;
use asterism_proto::{ExtentId, NodeId};
pub use replan::{Move, Replan, Standing, replan};
use std::collections::BTreeMap;

/// A node that can be given groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which node.
    pub id: NodeId,
    /// Its failure domain; shards of a group are spread over as many as there are.
    pub zone: String,
    /// Its share of the groups in its column, relative to the others: its capacity in bytes, times the operators' factor.
    pub weight: u64,
}

/// There are fewer nodes than a policy has shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("policy {policy} needs {} nodes, there are {nodes}", policy.total())]
pub struct TooFewNodes {
    /// The policy asked for.
    pub policy: Policy,
    /// The nodes there are.
    pub nodes: usize,
}

/// The members of `groups` placement groups, each `policy.total()` distinct nodes in column order.
///
/// # Errors
/// There are fewer nodes than `policy.total()`.
pub fn plan(candidates: &[Candidate], policy: Policy, groups: u32) -> Result<Vec<Vec<NodeId>>, TooFewNodes> {
    let columns = columns(candidates, policy)?;
    Ok((0..groups).map(|group| columns.iter().filter_map(|column| choose(column, group)).collect()).collect())
}

/// The widest policy for `nodes` nodes that tolerates as many losses as can be had, at most `wanted`.
///
/// With fewer nodes than shards the data shards go first, down to plain copies, then the parity.
pub fn widest_policy(wanted: Policy, nodes: usize) -> Option<Policy> {
    let total = wanted.total().min(nodes);
    let parity = wanted.parity().min(total.checked_sub(1)?);
    Policy::new(total - parity, parity)
}

/// The position in a group at which the slots of an extent begin, so that data and parity are spread evenly over nodes.
pub fn rotation(extent: ExtentId, width: usize) -> usize {
    usize::from(extent.as_bytes()[0]) % width.max(1)
}

/// The nodes of an extent's slots, among the members of its group.
pub fn slots(extent: ExtentId, members: &[NodeId], shards: usize) -> Vec<NodeId> {
    let first = rotation(extent, members.len());
    (0..shards.min(members.len())).map(|slot| members[(first + slot) % members.len()]).collect()
}

/// The slot of an extent that stands at `position` in its group; none if the extent has fewer shards than that.
pub fn slot_at(extent: ExtentId, position: usize, width: usize, shards: usize) -> Option<usize> {
    let width = width.max(1);
    let slot = (position + width - rotation(extent, width)) % width;
    (slot < shards).then_some(slot)
}

fn columns(candidates: &[Candidate], policy: Policy) -> Result<Vec<Vec<&Candidate>>, TooFewNodes> {
    let wanted = policy.total();
    if candidates.len() < wanted {
        return Err(TooFewNodes { policy, nodes: candidates.len() });
    }
    let mut zones: BTreeMap<&str, Vec<&Candidate>> = BTreeMap::new();
    for candidate in candidates {
        zones.entry(&candidate.zone).or_default().push(candidate);
    }
    let mut zones: Vec<Vec<&Candidate>> = zones.into_values().collect();
    for zone in &mut zones {
        zone.sort_by_key(|candidate| (std::cmp::Reverse(candidate.weight), candidate.id));
    }
    if zones.len() >= wanted {
        // Whole zones share a column: no group has two shards in one zone.
        zones.sort_by_key(|zone| (std::cmp::Reverse(weight(zone)), zone[0].id));
        return Ok(balance(zones, wanted));
    }
    let shares = column_shares(&zones, wanted);
    Ok(zones
        .into_iter()
        .zip(shares)
        .flat_map(|(zone, share)| balance(zone.into_iter().map(|candidate| vec![candidate]), share))
        .collect())
}

/// How many columns each zone gets: one at least, the others where the weight per column is greatest.
fn column_shares(zones: &[Vec<&Candidate>], wanted: usize) -> Vec<usize> {
    let mut shares = vec![1; zones.len()];
    for _ in zones.len()..wanted {
        let heaviest = (0..zones.len())
            .filter(|&zone| zones[zone].len() > shares[zone])
            .max_by_key(|&zone| (weight(&zones[zone]) / shares[zone] as u128, std::cmp::Reverse(zone)));
        if let Some(zone) = heaviest {
            shares[zone] += 1;
        }
    }
    shares
}

/// Deals parts, heaviest first, into `count` columns, each to the lightest so far; no column stays empty if there are enough.
fn balance<'a>(parts: impl IntoIterator<Item = Vec<&'a Candidate>>, count: usize) -> Vec<Vec<&'a Candidate>> {
    let mut columns: Vec<Vec<&Candidate>> = vec![Vec::new(); count];
    for part in parts {
        if let Some(lightest) = columns.iter_mut().min_by_key(|column| (!column.is_empty(), weight(column))) {
            lightest.extend(part);
        }
    }
    columns
}

fn weight(candidates: &[&Candidate]) -> u128 {
    candidates.iter().map(|candidate| u128::from(candidate.weight.max(1))).sum()
}

fn choose(column: &[&Candidate], group: u32) -> Option<NodeId> {
    let best = column.iter().max_by(|a, b| score(a, group).total_cmp(&score(b, group)));
    best.map(|candidate| candidate.id)
}

/// Weighted rendezvous hashing by the logarithmic method (Schindelhauer and Schomaker, 2005): the node with the
/// greatest `-weight / ln(hash)` wins, so a node's share is its weight, and a change of one node moves only its own groups.
fn score(candidate: &Candidate, group: u32) -> f64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&group.to_le_bytes()).update(candidate.id.as_bytes());
    let hash = u64::from_le_bytes(*hasher.finalize().as_bytes().first_chunk().unwrap_or(&[0; 8]));
    let uniform = ((hash >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -(candidate.weight.max(1) as f64) / uniform.ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{HashMap, HashSet};

    fn policy(text: &str) -> Policy {
        text.parse().unwrap()
    }

    fn nodes(zones: &[(&str, usize)]) -> Vec<Candidate> {
        let named = zones.iter().flat_map(|&(zone, count)| std::iter::repeat_n(zone, count));
        named
            .enumerate()
            .map(|(index, zone)| Candidate {
                id: NodeId::from_bytes([index as u8 + 1; 16]),
                zone: zone.into(),
                weight: 100,
            })
            .collect()
    }

    #[test]
    fn too_few_nodes_are_refused() {
        let error = plan(&nodes(&[("a", 5)]), policy("4+2"), 8).unwrap_err();
        assert_eq!(error.to_string(), "policy 4+2 needs 6 nodes, there are 5");
    }

    #[test]
    fn the_widest_policy_keeps_the_tolerance_first() {
        let cases = [(6, "4+2"), (9, "4+2"), (5, "3+2"), (4, "2+2"), (3, "1+2"), (2, "1+1"), (1, "1+0")];
        for (nodes, expected) in cases {
            assert_eq!(widest_policy(policy("4+2"), nodes), Some(policy(expected)), "{nodes} nodes");
        }
        assert_eq!(widest_policy(policy("4+2"), 0), None);
    }

    #[test]
    fn zones_never_meet_in_a_group_when_there_are_enough() {
        let all = nodes(&[("a", 3), ("b", 1), ("c", 2), ("d", 2), ("e", 1), ("f", 1), ("g", 4)]);
        let zone: HashMap<NodeId, &str> = all.iter().map(|node| (node.id, node.zone.as_str())).collect();
        for members in plan(&all, policy("4+2"), 200).unwrap() {
            assert_eq!(members.iter().map(|member| zone[member]).collect::<HashSet<_>>().len(), 6);
        }
    }

    #[test]
    fn three_zones_of_two_get_two_shards_each() {
        let all = nodes(&[("a", 2), ("b", 2), ("c", 2)]);
        let zone: HashMap<NodeId, &str> = all.iter().map(|node| (node.id, node.zone.as_str())).collect();
        for members in plan(&all, policy("4+2"), 50).unwrap() {
            for name in ["a", "b", "c"] {
                assert_eq!(members.iter().filter(|member| zone[member] == name).count(), 2);
            }
        }
    }

    #[test]
    fn a_new_node_takes_groups_and_moves_no_others() {
        let mut all = nodes(&[("a", 12)]);
        let before = plan(&all, policy("4+2"), 512).unwrap();
        // A thirteenth node of least weight joins the lightest column and leaves the columns of the others as they are.
        all.push(Candidate { id: NodeId::from_bytes([200; 16]), zone: "a".into(), weight: 50 });
        let after = plan(&all, policy("4+2"), 512).unwrap();
        let mut taken = 0;
        for (old, new) in before.iter().zip(&after) {
            for (old, new) in old.iter().zip(new) {
                if old != new {
                    assert_eq!(*new, NodeId::from_bytes([200; 16]));
                    taken += 1;
                }
            }
        }
        assert!((50..=160).contains(&taken), "a fifth of one column's 512 places expected, got {taken}");
    }

    proptest! {
        #[test]
        fn members_are_distinct_and_everyone_has_work(
            zones in prop::collection::vec(1usize..5, 1..6), k in 1usize..6, m in 0usize..4,
        ) {
            let names = ["a", "b", "c", "d", "e"];
            let all = nodes(&zones.iter().enumerate().map(|(i, &n)| (names[i], n)).collect::<Vec<_>>());
            let policy = Policy::new(k, m).unwrap();
            match plan(&all, policy, 256) {
                Err(_) => prop_assert!(all.len() < policy.total()),
                Ok(groups) => {
                    let mut used = HashSet::new();
                    for members in &groups {
                        prop_assert_eq!(members.len(), policy.total());
                        prop_assert_eq!(members.iter().collect::<HashSet<_>>().len(), members.len());
                        used.extend(members.iter().copied());
                    }
                    prop_assert_eq!(used.len(), all.len());
                }
            }
        }

        #[test]
        fn slots_of_an_extent_are_distinct(bytes: [u8; 16], width in 1usize..12) {
            let members: Vec<NodeId> = (0..width).map(|i| NodeId::from_bytes([i as u8; 16])).collect();
            for shards in 1..=width {
                let slots = slots(ExtentId::from_bytes(bytes), &members, shards);
                prop_assert_eq!(slots.iter().collect::<HashSet<_>>().len(), shards);
                for (position, member) in members.iter().enumerate() {
                    let slot = slot_at(ExtentId::from_bytes(bytes), position, width, shards);
                    prop_assert_eq!(slot, slots.iter().position(|node| node == member));
                }
            }
        }
    }
}

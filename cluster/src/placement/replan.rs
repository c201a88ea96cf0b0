//! From a map of groups that is, and the nodes that are wanted, to a map that should be, with as few moves as can be.
//!
//! A node keeps its column: the position at which most of its places are. A newcomer joins the lightest column in which its zone
//! stands. Within a column the rendezvous decides as it did when the groups were made, so that a node that leaves gives away its own
//! places, and one that comes or changes weight takes or gives its own, and nobody else's move. Where a column has nobody left, its
//! places go to any node that is not in the group; the columns blur then, but not more than they must.

use super::{Candidate, score};
use asterism_proto::NodeId;
use std::collections::{BTreeMap, BTreeSet};

/// A node that may keep the places it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The node.
    pub candidate: Candidate,
    /// Whether it may be given more: it is there now.
    pub takes: bool,
}

/// One place of a group that changes hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Move {
    /// The group's place in the map.
    pub group: usize,
    /// In the group.
    pub position: usize,
    /// Whose it is.
    pub from: NodeId,
    /// Whose it should be; never a node that is in the group already, so that moves can be done in any order.
    pub to: NodeId,
}

/// What should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replan {
    /// The map with all moves done.
    pub groups: Vec<Vec<NodeId>>,
    /// What leads there.
    pub moves: Vec<Move>,
    /// Places (group, position) of nodes that should keep nothing, for which there is no other node.
    pub stuck: Vec<(usize, usize)>,
}

/// The map that should be, given the one that is. Nodes that are not among `nodes` lose all their places; where such a place is
/// on its way already (`under_way`: group, position, where to), it goes there if that can still be.
pub fn replan(
    current: &[Vec<NodeId>],
    under_way: &BTreeMap<(usize, usize), NodeId>,
    nodes: &[Standing],
) -> Replan {
    let planner = Planner::new(current, nodes);
    let mut plan = Replan::default();
    for (number, members) in current.iter().enumerate() {
        let mut group = Group { number, busy: members.iter().copied().collect(), members: members.clone() };
        for (position, member) in members.iter().enumerate() {
            if planner.nodes.contains_key(member) {
                continue;
            }
            let target =
                under_way.get(&(number, position)).filter(|target| planner.may_take(&group, **target));
            if let Some(target) = target {
                group.give(position, *target);
            } else if !planner.replace(&mut group, position) {
                plan.stuck.push((number, position));
            }
        }
        planner.spread(&mut group, members);
        planner.balance(&mut group, members);
        let moved = members.iter().zip(&group.members).enumerate().filter(|(_, (from, to))| from != to);
        plan.moves.extend(moved.map(|(position, (from, to))| Move {
            group: number,
            position,
            from: *from,
            to: *to,
        }));
        plan.groups.push(group.members);
    }
    plan
}

/// A group while it is being planned.
struct Group {
    number: usize,
    members: Vec<NodeId>,
    /// Members before and after: none of them may be moved to.
    busy: BTreeSet<NodeId>,
}

impl Group {
    fn give(&mut self, position: usize, to: NodeId) {
        self.members[position] = to;
        self.busy.insert(to);
    }
}

struct Planner<'a> {
    nodes: BTreeMap<NodeId, &'a Standing>,
    columns: Vec<Vec<&'a Standing>>,
    /// No group has more members in one zone than this, if it can be helped.
    zone_max: usize,
}

impl<'a> Planner<'a> {
    fn new(current: &[Vec<NodeId>], nodes: &'a [Standing]) -> Self {
        let width = current.first().map_or(0, Vec::len);
        let mut places: BTreeMap<NodeId, Vec<usize>> = BTreeMap::new();
        for members in current {
            for (position, member) in members.iter().enumerate() {
                places.entry(*member).or_insert_with(|| vec![0; width])[position] += 1;
            }
        }
        let mut planner = Self {
            nodes: nodes.iter().map(|node| (node.candidate.id, node)).collect(),
            columns: vec![Vec::new(); width],
            zone_max: zone_max(nodes, width),
        };
        let mut newcomers = Vec::new();
        for node in nodes {
            match places.get(&node.candidate.id) {
                Some(places) => planner.columns[most(places)].push(node),
                None if node.takes => newcomers.push(node),
                None => {}
            }
        }
        newcomers.sort_by_key(|node| (std::cmp::Reverse(node.candidate.weight), node.candidate.id));
        for newcomer in newcomers {
            if let Some(column) = planner.column_for(newcomer) {
                planner.columns[column].push(newcomer);
            }
        }
        planner
    }

    /// The lightest of the columns in which the newcomer's zone stands, or of all if it stands in none. An empty column comes first,
    /// unless the zone would meet itself there.
    fn column_for(&self, newcomer: &Standing) -> Option<usize> {
        let stands = |column: &Vec<&Standing>| {
            column.iter().any(|node| node.candidate.zone == newcomer.candidate.zone)
        };
        let own: Vec<usize> = (0..self.columns.len()).filter(|at| stands(&self.columns[*at])).collect();
        let lightest =
            |columns: &mut dyn Iterator<Item = usize>| columns.min_by_key(|at| (self.weight(*at), *at));
        let empty = (0..self.columns.len()).find(|at| self.columns[*at].is_empty());
        if own.is_empty() {
            return empty.or_else(|| lightest(&mut (0..self.columns.len())));
        }
        empty.filter(|_| self.zone_max > 1).or_else(|| lightest(&mut own.into_iter()))
    }

    fn weight(&self, column: usize) -> u128 {
        self.columns[column].iter().map(|node| u128::from(node.candidate.weight.max(1))).sum()
    }

    /// Whether the node is there and not in the group.
    fn may_take(&self, group: &Group, node: NodeId) -> bool {
        !group.busy.contains(&node) && self.nodes.get(&node).is_some_and(|node| node.takes)
    }

    /// Gives a place to somebody else: of its column, else of all; apart from its zone, else anyhow. False if there is nobody.
    fn replace(&self, group: &mut Group, position: usize) -> bool {
        for apart in [true, false] {
            if let Some(to) = self.successor(group, position, apart) {
                group.give(position, to);
                return true;
            }
        }
        false
    }

    fn successor(&self, group: &Group, position: usize, apart: bool) -> Option<NodeId> {
        let all: Vec<&Standing> = self.nodes.values().copied().collect();
        let fits = |node: &&&Standing| {
            self.may_take(group, node.candidate.id)
                && (!apart || self.is_apart(group, position, &node.candidate.zone))
        };
        [&self.columns[position], &all].into_iter().find_map(|nodes| {
            let best = |a: &&&Standing, b: &&&Standing| rank(a, group).total_cmp(&rank(b, group));
            nodes.iter().filter(fits).max_by(best).map(|node| node.candidate.id)
        })
    }

    /// Whether the other members leave room for one more in `zone`.
    fn is_apart(&self, group: &Group, position: usize, zone: &str) -> bool {
        let others = group.members.iter().enumerate().filter(|(at, _)| *at != position);
        let same = others.filter(|(_, member)| self.zone(**member) == Some(zone)).count();
        same < self.zone_max
    }

    fn zone(&self, node: NodeId) -> Option<&str> {
        self.nodes.get(&node).map(|node| node.candidate.zone.as_str())
    }

    /// Members that meet too many of their own zone, because a node changed its zone, give way if somebody can take their place.
    fn spread(&self, group: &mut Group, before: &[NodeId]) {
        for (position, &member) in before.iter().enumerate() {
            let Some(zone) = self.zone(member) else { continue };
            if group.members[position] != member || self.is_apart(group, position, zone) {
                continue;
            }
            if let Some(to) = self.successor(group, position, true) {
                group.give(position, to);
            }
        }
    }

    /// Places that the rendezvous of their column gives to somebody else go there, if that node may take them.
    fn balance(&self, group: &mut Group, before: &[NodeId]) {
        for (position, &holder) in before.iter().enumerate() {
            if group.members[position] != holder || !self.nodes.contains_key(&holder) {
                continue;
            }
            let mut ranked: Vec<&&Standing> = self.columns[position].iter().collect();
            ranked.sort_by(|a, b| rank(b, group).total_cmp(&rank(a, group)));
            let better = ranked.into_iter().take_while(|node| node.candidate.id != holder);
            let fits = |node: &&&Standing| {
                self.may_take(group, node.candidate.id)
                    && self.is_apart(group, position, &node.candidate.zone)
            };
            if let Some(winner) = better.into_iter().find(fits) {
                group.give(position, winner.candidate.id);
            }
        }
    }
}

fn rank(node: &Standing, group: &Group) -> f64 {
    score(&node.candidate, group.number as u32)
}

/// The place of the greatest number, the first among equals.
fn most(numbers: &[usize]) -> usize {
    (0..numbers.len()).max_by_key(|at| (numbers[*at], std::cmp::Reverse(*at))).unwrap_or(0)
}

/// The least number of members per zone with which a group of `width` can be made.
fn zone_max(nodes: &[Standing], width: usize) -> usize {
    let mut zones: BTreeMap<&str, usize> = BTreeMap::new();
    for node in nodes {
        *zones.entry(&node.candidate.zone).or_default() += 1;
    }
    (1..=width)
        .find(|most| zones.values().map(|count| count.min(most)).sum::<usize>() >= width)
        .unwrap_or(width)
}

#[cfg(test)]
mod tests;

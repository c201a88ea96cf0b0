//! Where a new extent goes: a group, and for each of its positions a node that can be written to. A position that is on its way to
//! another node is written there at once; where a member is away or full, a spare node stands in, before the extent is written short.

use super::{Member, Members, Seen};
use crate::catalog::Group;
use asterism_proto::NodeId;

/// Groups looked at for a new extent; the best of a few is nearly as good as the best of all (power of two choices).
const CANDIDATES: usize = 8;

/// No group can take an extent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("only {reachable} of at least {needed} storage nodes are there")]
pub struct TooFewNodes {
    /// Nodes that can be written to, for the best group.
    pub reachable: usize,
    /// The floor of the policy.
    pub needed: usize,
}

impl Members {
    /// A group for a new extent whose shards take `shard_bytes` each, with the nodes that they are to be written to: of a few groups
    /// drawn at random the one with most room on its fullest member. If no group has all members there, the best one, with spare
    /// nodes in the places of those that are missing.
    ///
    /// `floor` of the nodes can be written to. `draw` gives numbers below its argument.
    ///
    /// # Errors
    /// No group has that many.
    pub fn choose_group(
        &self,
        floor: usize,
        shard_bytes: u64,
        mut draw: impl FnMut(usize) -> usize,
    ) -> Result<Group, TooFewNodes> {
        let seen = self.read();
        let choice = Choice { seen: &seen, shard_bytes };
        let groups = &seen.groups;
        let drawn =
            (0..CANDIDATES.min(groups.len())).map(|_| draw(groups.len())).filter_map(|at| groups.get(at));
        let best = drawn
            .map(|group| choice.rate(group))
            .filter(Rated::is_whole)
            .max_by_key(|rated| rated.room)
            // Not among those drawn: look at all before using spares.
            .or_else(|| {
                groups.iter().map(|group| choice.rate(group)).max_by_key(|rated| (rated.writable, rated.room))
            });
        let Some(mut best) = best else { return Err(TooFewNodes { reachable: 0, needed: floor }) };
        if !best.is_whole() {
            choice.fill(&mut best, &mut draw);
        }
        if best.writable < floor {
            return Err(TooFewNodes { reachable: best.writable, needed: floor });
        }
        Ok(Group { id: best.id, members: best.nodes })
    }

    /// A node that could keep a shard of `shard_bytes` whose own node stays away: none of `nodes`, which have the other shards of the
    /// extent. The one with most room, apart from their zones if it can be.
    pub fn spare_for(&self, nodes: &[NodeId], shard_bytes: u64) -> Option<NodeId> {
        let seen = self.read();
        let choice = Choice { seen: &seen, shard_bytes };
        choice
            .spares(nodes)
            .into_iter()
            .max_by_key(|member| (member.free_bytes(), member.row.id))
            .map(|spare| spare.row.id)
    }
}

/// A group as it could be written to.
struct Rated {
    id: u32,
    /// The node of each position.
    nodes: Vec<NodeId>,
    writable: usize,
    /// On the fullest of those that can be written to.
    room: u64,
}

impl Rated {
    fn is_whole(&self) -> bool {
        self.writable == self.nodes.len()
    }
}

struct Choice<'a> {
    seen: &'a Seen,
    shard_bytes: u64,
}

impl<'a> Choice<'a> {
    fn member(&self, node: NodeId) -> Option<&'a Member> {
        let fits = |member: &&Member| member.is_writable() && member.free_bytes() >= self.shard_bytes;
        self.seen.members.get(&node).filter(fits)
    }

    fn rate(&self, group: &Group) -> Rated {
        let (mut writable, mut room) = (0, u64::MAX);
        let node = |(position, own): (u8, &NodeId)| {
            let target = self.seen.targets.get(&(group.id, position)).copied();
            let target = target.filter(|target| self.member(*target).is_some());
            let node = target.unwrap_or(*own);
            if let Some(member) = self.member(node) {
                writable += 1;
                room = room.min(member.free_bytes());
            }
            node
        };
        let nodes = (0u8..).zip(&group.members).map(node).collect();
        Rated { id: group.id, nodes, writable, room }
    }

    /// Lets spares stand in for those that cannot be written to, as long as there are any.
    fn fill(&self, rated: &mut Rated, draw: &mut impl FnMut(usize) -> usize) {
        for position in 0..rated.nodes.len() {
            if self.member(rated.nodes[position]).is_some() {
                continue;
            }
            let spares = self.spares(&rated.nodes);
            if spares.is_empty() {
                return;
            }
            // Of two drawn at random the one with more room: all uploads at once must not meet on one node.
            let drawn = [spares[draw(spares.len())], spares[draw(spares.len())]];
            let spare = if drawn[0].free_bytes() >= drawn[1].free_bytes() { drawn[0] } else { drawn[1] };
            rated.nodes[position] = spare.row.id;
            rated.writable += 1;
            rated.room = rated.room.min(spare.free_bytes());
        }
    }

    /// Nodes that could be written to and are none of `nodes`: those in whose zones fewest of these are.
    fn spares(&self, nodes: &[NodeId]) -> Vec<&'a Member> {
        let there: Vec<&Member> = nodes.iter().filter_map(|node| self.member(*node)).collect();
        let crowd = |member: &Member| there.iter().filter(|other| other.row.zone == member.row.zone).count();
        let free = self.seen.members.keys().filter(|node| !nodes.contains(node));
        let free: Vec<&Member> = free.filter_map(|node| self.member(*node)).collect();
        let least = free.iter().map(|member| crowd(member)).min();
        free.into_iter().filter(|member| Some(crowd(member)) == least).collect()
    }
}

//! Which places of which groups should change hands, and what that costs: said before anything moves, and worked off by the moves
//! worker. The map that should be follows from the nodes that are wanted, their weights and zones; see [`placement::replan`].

use crate::{
    catalog::{Catalog, CatalogError, FACTOR_DEFAULT, Group, GroupLoad, Intent, MoveRow, Scattered, Share},
    margin,
    members::{Member, Members},
    stop_proof,
};
use asterism_cluster::placement::{self, Candidate, Replan, Standing};
use asterism_erasure::Policy;
use asterism_proto::{NodeId, NodeName};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

/// A node that has been silent for longer is given nothing, and what was on its way to it is sent elsewhere.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// A capacity that differs by more than this part from the one that counts is the new one that counts.
const CAPACITY_DRIFT: u64 = 4;
/// Files of which a plan says that they are touched are counted up to this many.
const FILES_MAX: u32 = 100_000;

/// What somebody may want, beside what is wanted already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing more.
    Nothing,
    /// A node gives everything away.
    Drain(NodeId),
    /// A node counts with this factor, in thousandths.
    Factor(NodeId, u32),
    /// A node is wanted again.
    Keep(NodeId),
}

/// What a plan is made from.
#[derive(Clone, Debug)]
pub struct Present {
    /// As they are.
    pub groups: Vec<Group>,
    /// What is on its way.
    pub under_way: Vec<MoveRow>,
    /// All nodes.
    pub nodes: Vec<Member>,
    /// Of those of which something is noted.
    pub shares: HashMap<NodeId, Share>,
    /// How long a silent node is waited for.
    pub patience: Duration,
    /// Since this process started: nobody was heard before.
    pub uptime: Duration,
}

/// What should move.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// All positions that are to go elsewhere.
    pub moves: Vec<MoveRow>,
    /// Positions of nodes that should keep nothing, for which there is no other node.
    pub stuck: usize,
}

/// What a plan costs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forecast {
    /// Groups of which a position changes hands.
    pub groups: usize,
    /// Positions that change hands.
    pub positions: usize,
    /// Shards to be brought elsewhere, about.
    pub shards: u64,
    /// Of these shards, about.
    pub bytes: u64,
    /// Files that have an extent in these groups; not counted beyond 100,000.
    pub files: u64,
    /// At this speed.
    pub seconds: f64,
    /// As measured lately, or the limit if nothing was moved yet.
    pub bytes_per_second: u64,
    /// The speed was measured.
    pub measured: bool,
    /// Of all groups, while shards are under way: none before there are groups.
    pub worst_margin: Option<i32>,
    /// Nodes that have less room than they would be given.
    pub crowded: Vec<NodeName>,
    /// Positions for which there is no other node.
    pub stuck: usize,
}

impl Present {
    /// What there is now.
    ///
    /// # Errors
    /// The catalog cannot be asked.
    pub async fn look(
        catalog: &Catalog,
        members: &Members,
        patience: Duration,
    ) -> Result<Self, CatalogError> {
        Ok(Self {
            groups: members.groups().to_vec(),
            under_way: catalog.moves().await?,
            nodes: members.all(),
            shares: catalog.shares().await?,
            patience,
            uptime: members.uptime(),
        })
    }

    /// The same with a wish fulfilled.
    #[must_use]
    pub fn with(mut self, wish: Wish) -> Self {
        let mut intend = |node: NodeId, intent: Intent| {
            self.nodes
                .iter_mut()
                .filter(|member| member.row.id == node)
                .for_each(|member| member.row.intent = intent);
        };
        match wish {
            Wish::Nothing => {}
            Wish::Drain(node) => intend(node, Intent::Draining),
            Wish::Keep(node) => intend(node, Intent::Up),
            Wish::Factor(node, factor_permille) => {
                let capacity = self
                    .nodes
                    .iter()
                    .find(|member| member.row.id == node)
                    .map_or(0, |member| member.row.capacity);
                let unknown = Share { factor_permille, capacity, retire: false };
                self.shares.entry(node).or_insert(unknown).factor_permille = factor_permille;
            }
        }
        self
    }

    /// What should move. Pure.
    pub fn wanted(&self) -> Wanted {
        let current: Vec<Vec<NodeId>> = self.groups.iter().map(|group| group.members.clone()).collect();
        let place: HashMap<u32, usize> =
            self.groups.iter().enumerate().map(|(at, group)| (group.id, at)).collect();
        let under_way: BTreeMap<(usize, usize), NodeId> = self
            .under_way
            .iter()
            .filter_map(|row| Some(((*place.get(&row.group)?, usize::from(row.position)), row.to)))
            .collect();
        let Replan { moves, stuck, .. } = placement::replan(&current, &under_way, &self.standing());
        let row = |step: placement::Move| MoveRow {
            group: self.groups[step.group].id,
            position: step.position as u8,
            to: step.to,
        };
        Wanted { moves: moves.into_iter().map(row).collect(), stuck: stuck.len() }
    }

    /// The nodes that may keep what they have.
    fn standing(&self) -> Vec<Standing> {
        let keeps = |member: &&Member| !matches!(member.row.intent, Intent::Draining | Intent::Retired);
        let stands = |member: &Member| Standing {
            candidate: Candidate {
                id: member.row.id,
                zone: member.row.zone.clone(),
                weight: weight(self.shares.get(&member.row.id), member.row.capacity),
            },
            takes: matches!(member.row.intent, Intent::Up | Intent::Waking)
                && (member.is_heard() || member.age().unwrap_or(self.uptime) <= self.patience),
        };
        self.nodes.iter().filter(keeps).map(stands).collect()
    }

    /// Nodes whose capacity that counts is not noted, or no longer near what they have.
    pub fn drifted(&self) -> Vec<(NodeId, u64)> {
        let drifted = |member: &&Member| match self.shares.get(&member.row.id) {
            Some(share) => share.capacity.abs_diff(member.row.capacity) > share.capacity / CAPACITY_DRIFT,
            None => true,
        };
        self.nodes.iter().filter(drifted).map(|member| (member.row.id, member.row.capacity)).collect()
    }
}

/// What a node's share of its column is counted with.
pub fn weight(share: Option<&Share>, capacity: u64) -> u64 {
    let (factor, capacity) =
        share.map_or((FACTOR_DEFAULT, capacity), |share| (share.factor_permille, share.capacity));
    // In MiB, so that the product cannot pass the range of the number.
    (capacity >> 20).max(1).saturating_mul(u64::from(factor))
}

/// What the moves that `wish` adds to those under way cost.
///
/// # Errors
/// The catalog cannot be asked.
pub async fn forecast(
    catalog: &Catalog,
    members: &Members,
    policy: Policy,
    wish: Wish,
    speed: (u64, bool),
) -> Result<Forecast, CatalogError> {
    let present = Present::look(catalog, members, PATIENCE).await?;
    let before: BTreeSet<MoveRow> = present.clone().wanted().moves.into_iter().collect();
    let present = present.with(wish);
    let Wanted { moves, stuck } = present.wanted();
    let moves: Vec<MoveRow> = moves.into_iter().filter(|row| !before.contains(row)).collect();
    let loads = catalog.group_loads().await?;
    let touched: Vec<u32> = moves.iter().map(|row| row.group).collect::<BTreeSet<_>>().into_iter().collect();
    let cost = Cost::of(&moves, &loads, policy.total());
    let mut exceptions = stop_proof::exceptions(catalog).await?;
    let to = |row: &MoveRow| Scattered { group: row.group, position: row.position, node: row.to };
    exceptions.scattered.extend(moves.iter().map(to));
    let margins = margin::count(&present.groups, &exceptions, policy, members.live());
    let crowded = present.nodes.iter().filter(|member| {
        cost.given.get(&member.row.id).is_some_and(|bytes| member.is_heard() && *bytes > member.free_bytes())
    });
    let (bytes_per_second, measured) = speed;
    Ok(Forecast {
        groups: touched.len(),
        positions: moves.len(),
        shards: cost.shards,
        bytes: cost.bytes,
        files: catalog.files_touched(&touched, FILES_MAX).await?.files,
        seconds: cost.bytes as f64 / bytes_per_second.max(1) as f64,
        bytes_per_second,
        measured,
        worst_margin: margins.worst,
        crowded: crowded.map(|member| member.row.name.clone()).collect(),
        stuck,
    })
}

/// Of some moves; a group's shards are taken to be spread evenly over its positions.
#[derive(Default)]
struct Cost {
    shards: u64,
    bytes: u64,
    /// By node that takes them.
    given: HashMap<NodeId, u64>,
}

impl Cost {
    fn of(moves: &[MoveRow], loads: &[GroupLoad], width: usize) -> Self {
        let mut by_group: HashMap<u32, (f64, f64)> = HashMap::new();
        for load in loads {
            let part = f64::from(load.data + load.parity) / width.max(1) as f64;
            let entry = by_group.entry(load.group).or_default();
            entry.0 += load.extents as f64 * part;
            entry.1 += load.bytes as f64 / f64::from(load.data.max(1)) * part;
        }
        let mut cost = Self::default();
        for row in moves {
            let (shards, bytes) = by_group.get(&row.group).copied().unwrap_or_default();
            cost.shards += shards.ceil() as u64;
            cost.bytes += bytes.ceil() as u64;
            *cost.given.entry(row.to).or_default() += bytes.ceil() as u64;
        }
        cost
    }
}

#[cfg(test)]
mod tests;

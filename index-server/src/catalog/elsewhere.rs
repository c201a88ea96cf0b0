//! Shards that do not lie where their group says: on a spare node, or moved ahead of their group. Here is the one mapping from an
//! extent to its nodes; everything that removes, counts or moves shards asks it inside its own transaction.

use super::{
    Catalog, CatalogError, NewExtent, Result, Tx,
    dialect::{sql, values},
    extents::{ROWS_PER_STATEMENT, extent_id},
    groups,
    row::Columns,
};
use asterism_cluster::placement;
use asterism_proto::{ExtentId, NodeId};
use sqlx::any::AnyRow;
use std::collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry};

/// What is noted of an extent's slots beside its row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// Slots known not to hold a valid shard, in order.
    pub(super) short: Vec<u8>,
    /// Slots that lie on another node than the group says, in order.
    pub(super) elsewhere: Vec<(u8, NodeId)>,
}

/// Some extents of a group have the shard of one position on a node that is not the position's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scattered {
    /// The group.
    pub group: u32,
    /// In the group.
    pub position: u8,
    /// Where the shards lie.
    pub node: NodeId,
}

impl Catalog {
    /// Where shards lie outside their groups' members: each combination once, however many shards it has.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn scattered(&self) -> Result<Vec<Scattered>> {
        self.read(move |mut tx| async move {
            let rows = sqlx::query("SELECT DISTINCT group_id, position, node FROM elsewhere")
                .fetch_all(&mut *tx)
                .await;
            let all = rows.map_err(Into::into).and_then(|rows| rows.iter().map(scattered).collect());
            (tx, all)
        })
        .await
    }

    /// How many shards lie outside their groups' members.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn elsewhere_count(&self) -> Result<u64> {
        self.read(move |mut tx| async move {
            let row = sqlx::query("SELECT COUNT(*) AS shards FROM elsewhere").fetch_one(&mut *tx).await;
            let count = row.map_err(Into::into).and_then(|row| row.number("shards"));
            (tx, count)
        })
        .await
    }
}

fn scattered(row: &AnyRow) -> Result<Scattered> {
    Ok(Scattered {
        group: row.number("group_id")?,
        position: row.number("position")?,
        node: row.parsed("node")?,
    })
}

/// Selects what is noted of extents: `m` is the table of notes; `join` and `condition` say of which extents. Values are bound twice.
pub(super) fn marks_query(join: &str, condition: &str) -> String {
    let part = |table: &str, node: &str| {
        format!(
            "SELECT m.extent AS extent, m.slot AS slot, {node} AS node FROM {table} m {join} WHERE {condition}"
        )
    };
    format!("{} UNION ALL {} ORDER BY slot", part("short_shards", "''"), part("elsewhere", "m.node"))
}

/// Reads the rows of [`marks_query`].
pub(super) fn marks_by_extent(rows: &[AnyRow]) -> Result<HashMap<ExtentId, Marks>> {
    let mut all: HashMap<ExtentId, Marks> = HashMap::new();
    for row in rows {
        let (marks, slot) = (all.entry(extent_id(row, "extent")?).or_default(), row.number("slot")?);
        match row.text("node")?.as_str() {
            "" => marks.short.push(slot),
            node => {
                let node = node.parse().map_err(|_| CatalogError::invariant("a shard lies on no node"))?;
                marks.elsewhere.push((slot, node));
            }
        }
    }
    Ok(all)
}

/// What is noted of these extents; at most [`super::PAGE_MAX`] at a time.
pub(super) async fn marks_of(tx: &mut Tx, extents: &[ExtentId]) -> Result<HashMap<ExtentId, Marks>> {
    if extents.is_empty() {
        return Ok(HashMap::new());
    }
    let condition = format!("m.extent IN {}", values(extents.len(), 1));
    let mut query = sqlx::query(sql(marks_query("", &condition)));
    for extent in extents.iter().chain(extents) {
        query = query.bind(&extent.as_bytes()[..]);
    }
    marks_by_extent(&query.fetch_all(&mut **tx).await?)
}

/// Where the shards of an extent lie.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) group: u32,
    /// Members of the group.
    pub(super) width: usize,
    /// The node of each slot as the group says.
    pub(super) home: Vec<NodeId>,
    /// The node of each slot as it is.
    pub(super) nodes: Vec<NodeId>,
}

/// What a transaction does about the rows that a place is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// It only looks.
    Nothing,
    /// They stay as they are until its end.
    Shared,
    /// They stay, and the notes of the extents will be changed by it.
    Own,
}

/// Where the shards of these extents lie; those that are gone are left out. At most [`super::PAGE_MAX`] at a time.
pub(super) async fn places(
    tx: &mut Tx,
    extents: &[ExtentId],
    hold: Hold,
) -> Result<HashMap<ExtentId, Place>> {
    let (extent_lock, group_lock) = match hold {
        Hold::Nothing => ("", ""),
        Hold::Shared => (tx.dialect().for_share(), tx.dialect().for_share()),
        Hold::Own => (tx.dialect().for_update(), tx.dialect().for_share()),
    };
    if extents.is_empty() {
        return Ok(HashMap::new());
    }
    let mut query = sqlx::query(sql(format!(
        "SELECT id, group_id, data, parity FROM extents WHERE id IN {} ORDER BY id{extent_lock}",
        values(extents.len(), 1)
    )));
    for extent in extents {
        query = query.bind(&extent.as_bytes()[..]);
    }
    let rows = query.fetch_all(&mut **tx).await?;
    let (mut places, mut members) = (HashMap::new(), BTreeMap::new());
    for row in &rows {
        let (id, group) = (extent_id(row, "id")?, row.number("group_id")?);
        if let Entry::Vacant(vacant) = members.entry(group) {
            vacant.insert(groups::members(tx, group, group_lock).await?);
        }
        let members: &Vec<NodeId> = &members[&group];
        let shards = row.number::<u8>("data")?.saturating_add(row.number("parity")?);
        let home = placement::slots(id, members, usize::from(shards));
        places.insert(id, Place { group, width: members.len(), nodes: home.clone(), home });
    }
    let known: Vec<ExtentId> = places.keys().copied().collect();
    for (id, marks) in marks_of(tx, &known).await? {
        let Some(place) = places.get_mut(&id) else { continue };
        for (slot, node) in marks.elsewhere {
            if let Some(holder) = place.nodes.get_mut(usize::from(slot)) {
                *holder = node;
            }
        }
    }
    Ok(places)
}

/// The node of one slot, which stays it until the end of the transaction; none if the extent is gone.
pub(super) async fn holder(tx: &mut Tx, extent: ExtentId, slot: u8) -> Result<Option<NodeId>> {
    let places = places(tx, &[extent], Hold::Shared).await?;
    let Some(place) = places.get(&extent) else { return Ok(None) };
    match place.nodes.get(usize::from(slot)) {
        Some(node) => Ok(Some(*node)),
        None => Err(CatalogError::invariant("an extent has no such slot")),
    }
}

/// Notes the shards of new extents that lie elsewhere: spares were used, or the group has changed since the upload began.
pub(super) async fn note_places(tx: &mut Tx, extents: &[NewExtent]) -> Result<()> {
    let mut members: BTreeMap<u32, Vec<NodeId>> = BTreeMap::new();
    let mut rows = Vec::new();
    for extent in extents.iter().filter(|extent| !extent.nodes.is_empty()) {
        let members = match members.entry(extent.group) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let lock = tx.dialect().for_share();
                unknown.insert(groups::members(tx, extent.group, lock).await?)
            }
        };
        rows.extend(strays(extent, members));
    }
    if rows.is_empty() {
        return Ok(());
    }
    let retired = retired(tx, rows.iter().map(|row| row.node).collect()).await?;
    // A node that was retired meanwhile may be gone tomorrow: what lies there is not counted on.
    let (lost, kept): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| retired.contains(&row.node));
    let lost: Vec<_> = lost.into_iter().map(|row| (row.extent, row.slot)).collect();
    super::extents::insert_short(tx, &lost).await?;
    insert(tx, &kept).await
}

/// One row of the table.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) extent: ExtentId,
    pub(super) slot: u8,
    pub(super) group: u32,
    pub(super) position: u8,
    pub(super) node: NodeId,
}

/// The position in its group at which a slot of an extent stands.
pub(super) fn position(extent: ExtentId, slot: u8, width: usize) -> u8 {
    ((placement::rotation(extent, width) + usize::from(slot)) % width.max(1)) as u8
}

fn strays(extent: &NewExtent, members: &[NodeId]) -> Vec<Row> {
    let own = placement::slots(extent.id, members, extent.nodes.len());
    let differs = |(slot, (node, own)): (u8, (&NodeId, &NodeId))| {
        (node != own && !extent.short_slots.contains(&slot)).then_some(Row {
            extent: extent.id,
            slot,
            group: extent.group,
            position: position(extent.id, slot, members.len()),
            node: *node,
        })
    };
    (0u8..).zip(extent.nodes.iter().zip(&own)).filter_map(differs).collect()
}

/// Which of the nodes are retired; the others do not become so before the end of this transaction.
pub(super) async fn retired(tx: &mut Tx, nodes: BTreeSet<NodeId>) -> Result<BTreeSet<NodeId>> {
    let mut retired = BTreeSet::new();
    let select = format!("SELECT intent FROM nodes WHERE id = ?{}", tx.dialect().for_share());
    for node in nodes {
        let row = sqlx::query(sql(select.clone())).bind(node.to_string()).fetch_optional(&mut **tx).await?;
        if row.ok_or(CatalogError::NotFound("node"))?.text("intent")? == super::Intent::Retired.as_str() {
            retired.insert(node);
        }
    }
    Ok(retired)
}

/// Adds rows; a slot that has one already gets the new node.
pub(super) async fn insert(tx: &mut Tx, rows: &[Row]) -> Result<()> {
    let set = tx.dialect().or_set("extent, slot", &["group_id", "position", "node"]);
    for some in rows.chunks(ROWS_PER_STATEMENT) {
        let mut query = sqlx::query(sql(format!(
            "INSERT INTO elsewhere (extent, slot, group_id, position, node) VALUES {}{set}",
            values(5, some.len())
        )));
        for row in some {
            query = query
                .bind(&row.extent.as_bytes()[..])
                .bind(i64::from(row.slot))
                .bind(i64::from(row.group))
                .bind(i64::from(row.position))
                .bind(row.node.to_string());
        }
        query.execute(&mut **tx).await?;
    }
    Ok(())
}

/// Forgets all notes of extents that go.
pub(super) async fn forget(tx: &mut Tx, extents: &[ExtentId]) -> Result<()> {
    for some in extents.chunks(ROWS_PER_STATEMENT) {
        for table in ["short_shards", "elsewhere"] {
            let delete = format!("DELETE FROM {table} WHERE extent IN {}", values(some.len(), 1));
            let mut query = sqlx::query(sql(delete));
            for extent in some {
                query = query.bind(&extent.as_bytes()[..]);
            }
            query.execute(&mut **tx).await?;
        }
    }
    Ok(())
}

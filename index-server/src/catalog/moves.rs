//! Positions of groups on their way to another node, and the transactions that bring them there.
//!
//! A shard is copied, counted on its new node, and then *relocated*: one transaction says where it lies from now on and queues the
//! old one for removal. When all shards of a position are there, the group itself is *switched*. At every moment each shard has
//! exactly one node that the catalog names, and on that node it was counted.

use super::{
    Catalog, CatalogError, ExtentRow, Group, Result, Tx,
    dialect::{sql, values},
    elsewhere::{self, Hold, Place, Row, marks_of},
    extents::{EXTENT_COLUMNS, ROWS_PER_STATEMENT, extent, extent_id},
    groups, page_limit, removals,
    row::Columns,
};
use asterism_cluster::placement;
use asterism_proto::{ExtentId, NodeId};
use sqlx::any::AnyRow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A position of a group that is to go to another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MoveRow {
    /// The group.
    pub group: u32,
    /// In the group.
    pub position: u8,
    /// Where it goes.
    pub to: NodeId,
}

/// A shard that was copied to another node and counted there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Relocated {
    /// Whose shard.
    pub extent: ExtentId,
    /// Which one.
    pub slot: u8,
    /// Where it lay when the copy was begun.
    pub from: NodeId,
    /// Where it lies now.
    pub to: NodeId,
}

/// What a relocation found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The catalog names the new node; the old shard is queued for removal.
    Done,
    /// The file went meanwhile; the copy is queued for removal.
    Gone,
    /// The shard lies somewhere else by now, or may not lie there; the copy, if it is one too many, is queued for removal.
    Overtaken,
}

impl Catalog {
    /// All positions on their way, by group and position.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn moves(&self) -> Result<Vec<MoveRow>> {
        self.read(move |mut tx| async move {
            let rows = sqlx::query("SELECT group_id, position, node FROM moves ORDER BY group_id, position")
                .fetch_all(&mut *tx)
                .await;
            let moves = rows.map_err(Into::into).and_then(|rows| rows.iter().map(move_row).collect());
            (tx, moves)
        })
        .await
    }

    /// Wants exactly these moves from now on. What was copied for others stays where it is and is brought home.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn set_moves(&self, moves: &[MoveRow]) -> Result<()> {
        self.write(move |mut tx| async move {
            let done = set_moves(&mut tx, moves).await;
            (tx, done)
        })
        .await
    }

    /// The extents of a group, piece by piece in the order of their ids.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn extents_of_group(
        &self,
        group: u32,
        after: Option<ExtentId>,
        limit: u32,
    ) -> Result<Vec<ExtentRow>> {
        self.read(move |mut tx| async move {
            let rows = extents_of_group(&mut tx, group, after, limit).await;
            (tx, rows)
        })
        .await
    }

    /// The extents of which a shard lies outside the group, piece by piece in the order of their ids.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn scattered_extents(&self, after: Option<ExtentId>, limit: u32) -> Result<Vec<ExtentRow>> {
        self.read(move |mut tx| async move {
            let rows = scattered_extents(&mut tx, after, limit).await;
            (tx, rows)
        })
        .await
    }

    /// Which shards of these extents wait for their removal, and from where: none of them may be copied there before it is confirmed.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn awaiting_removal(&self, extents: &[ExtentId]) -> Result<HashSet<(ExtentId, u8, NodeId)>> {
        self.read(move |mut tx| async move {
            let awaiting = awaiting_removal(&mut tx, extents).await;
            (tx, awaiting)
        })
        .await
    }

    /// How many shards are yet to be brought to where they should be, at most: a small file has none at some positions.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn moves_left(&self) -> Result<u64> {
        self.read(move |mut tx| async move {
            let left = moves_left(&mut tx).await;
            (tx, left)
        })
        .await
    }

    /// Says where shards lie from now on, all in one transaction; one outcome for each, in order. They were counted there.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`]; nothing has changed then.
    pub async fn relocate(&self, shards: &[Relocated]) -> Result<Vec<Settled>> {
        self.write(move |mut tx| async move {
            let settled = relocate(&mut tx, shards).await;
            (tx, settled)
        })
        .await
    }

    /// Puts `to` in the place of `from` if no shard of the position lies on `from` any more; else nothing changes. Gives the number of
    /// shards that do. Those that lie on a third node stay there, to be brought home later.
    ///
    /// # Errors
    /// [`CatalogError::Conflict`]: `from` does not stand there any more, or `to` stands in the group already.
    pub async fn switch_member(&self, group: u32, position: u8, from: NodeId, to: NodeId) -> Result<u64> {
        self.write(move |mut tx| async move {
            let left = switch(&mut tx, group, position, from, to).await;
            (tx, left)
        })
        .await
    }
}

fn move_row(row: &AnyRow) -> Result<MoveRow> {
    Ok(MoveRow { group: row.number("group_id")?, position: row.number("position")?, to: row.parsed("node")? })
}

/// Where the positions of a group go that are on their way.
pub(super) async fn targets(tx: &mut Tx, group: u32) -> Result<BTreeMap<u8, NodeId>> {
    let rows = sqlx::query("SELECT position, node FROM moves WHERE group_id = ?")
        .bind(i64::from(group))
        .fetch_all(&mut **tx)
        .await?;
    rows.iter().map(|row| Ok((row.number("position")?, row.parsed("node")?))).collect()
}

async fn set_moves(tx: &mut Tx, moves: &[MoveRow]) -> Result<()> {
    sqlx::query("DELETE FROM moves").execute(&mut **tx).await?;
    for some in moves.chunks(ROWS_PER_STATEMENT) {
        let mut query = sqlx::query(sql(format!(
            "INSERT INTO moves (group_id, position, node) VALUES {}",
            values(3, some.len())
        )));
        for row in some {
            query = query.bind(i64::from(row.group)).bind(i64::from(row.position)).bind(row.to.to_string());
        }
        query.execute(&mut **tx).await?;
    }
    Ok(())
}

async fn extents_of_group(
    tx: &mut Tx,
    group: u32,
    after: Option<ExtentId>,
    limit: u32,
) -> Result<Vec<ExtentRow>> {
    let after = after.as_ref().map_or(&[][..], |after| &after.as_bytes()[..]);
    let rows = sqlx::query(sql(format!(
        "SELECT {EXTENT_COLUMNS} FROM extents x WHERE x.group_id = ? AND x.id > ? ORDER BY x.id LIMIT ?"
    )))
    .bind(i64::from(group))
    .bind(after)
    .bind(i64::from(page_limit(limit)))
    .fetch_all(&mut **tx)
    .await?;
    with_marks(tx, &rows).await
}

async fn scattered_extents(tx: &mut Tx, after: Option<ExtentId>, limit: u32) -> Result<Vec<ExtentRow>> {
    let after = after.as_ref().map_or(&[][..], |after| &after.as_bytes()[..]);
    let rows = sqlx::query(sql(format!(
        "SELECT {EXTENT_COLUMNS} FROM (SELECT DISTINCT extent FROM elsewhere WHERE extent > ? ORDER BY extent LIMIT ?) h \
         CROSS JOIN extents x ON x.id = h.extent ORDER BY x.id"
    )))
    .bind(after)
    .bind(i64::from(page_limit(limit)))
    .fetch_all(&mut **tx)
    .await?;
    with_marks(tx, &rows).await
}

async fn with_marks(tx: &mut Tx, rows: &[AnyRow]) -> Result<Vec<ExtentRow>> {
    let ids = rows.iter().map(|row| extent_id(row, "id")).collect::<Result<Vec<_>>>()?;
    let mut marks = marks_of(tx, &ids).await?;
    rows.iter().zip(ids).map(|(row, id)| extent(row, marks.remove(&id).unwrap_or_default())).collect()
}

async fn moves_left(tx: &mut Tx) -> Result<u64> {
    let mut counted: [i64; 3] = [0; 3];
    for (count, from) in counted.iter_mut().zip([
        "moves m CROSS JOIN extents x ON x.group_id = m.group_id",
        "elsewhere",
        "moves m CROSS JOIN elsewhere e ON e.group_id = m.group_id AND e.position = m.position AND e.node = m.node",
    ]) {
        let row = sqlx::query(sql(format!("SELECT COUNT(*) AS shards FROM {from}"))).fetch_one(&mut **tx).await?;
        *count = row.number("shards")?;
    }
    // Those that lie at the end of their way stand in all three.
    let [to_move, elsewhere, arrived] = counted;
    Ok(u64::try_from(to_move + elsewhere - 2 * arrived).unwrap_or(0))
}

/// Those that were claimed because nothing named them are as good as removed.
pub(super) async fn awaiting_removal(
    tx: &mut Tx,
    extents: &[ExtentId],
) -> Result<HashSet<(ExtentId, u8, NodeId)>> {
    let mut awaiting = HashSet::new();
    for some in extents.chunks(ROWS_PER_STATEMENT) {
        let some_of = values(some.len(), 1);
        let select = format!(
            "SELECT extent, slot, node FROM removals WHERE extent IN {some_of} \
             UNION SELECT extent, slot, node FROM orphans WHERE state = 1 AND extent IN {some_of}"
        );
        let mut query = sqlx::query(sql(select));
        for extent in some.iter().chain(some) {
            query = query.bind(&extent.as_bytes()[..]);
        }
        for row in query.fetch_all(&mut **tx).await? {
            awaiting.insert((extent_id(&row, "extent")?, row.number("slot")?, row.parsed("node")?));
        }
    }
    Ok(awaiting)
}

/// What a relocation changes.
#[derive(Default)]
struct Changes {
    /// Shards that lie elsewhere now.
    elsewhere: Vec<Row>,
    /// Shards that lie where their group says again.
    home: Vec<(ExtentId, u8)>,
    removals: Vec<(ExtentId, u8, NodeId)>,
}

async fn relocate(tx: &mut Tx, shards: &[Relocated]) -> Result<Vec<Settled>> {
    let mut extents: Vec<ExtentId> = shards.iter().map(|shard| shard.extent).collect();
    extents.sort_unstable();
    extents.dedup();
    let mut places = HashMap::new();
    for some in extents.chunks(ROWS_PER_STATEMENT) {
        places.extend(elsewhere::places(tx, some, Hold::Own).await?);
    }
    let awaiting = awaiting_removal(tx, &extents).await?;
    let nodes: BTreeSet<NodeId> = shards.iter().flat_map(|shard| [shard.from, shard.to]).collect();
    let retired = elsewhere::retired(tx, nodes).await?;
    let mut changes = Changes::default();
    let mut settle = |shard: &Relocated| {
        let forbidden =
            retired.contains(&shard.to) || awaiting.contains(&(shard.extent, shard.slot, shard.to));
        let place = places.get_mut(&shard.extent);
        let settled = changes.settle(shard, place, forbidden);
        if settled == Settled::Done && !retired.contains(&shard.from) {
            changes.removals.push((shard.extent, shard.slot, shard.from));
        }
        settled
    };
    let settled = shards.iter().map(&mut settle).collect();
    changes.write(tx).await?;
    Ok(settled)
}

impl Changes {
    fn settle(&mut self, shard: &Relocated, place: Option<&mut Place>, forbidden: bool) -> Settled {
        let &Relocated { extent, slot, from, to } = shard;
        let Some(place) = place else {
            self.removals.push((extent, slot, to));
            return Settled::Gone;
        };
        let at = usize::from(slot);
        let meets_itself = place.nodes.iter().enumerate().any(|(other, node)| other != at && *node == to);
        if place.nodes.get(at) != Some(&from) || from == to || meets_itself || forbidden {
            // The catalog's own node keeps its shard, also when it is the one that was copied to.
            if place.nodes.get(at) != Some(&to) {
                self.removals.push((extent, slot, to));
            }
            return Settled::Overtaken;
        }
        place.nodes[at] = to;
        if place.home[at] == to {
            self.home.push((extent, slot));
        } else {
            let position = elsewhere::position(extent, slot, place.width);
            self.elsewhere.push(Row { extent, slot, group: place.group, position, node: to });
        }
        Settled::Done
    }

    async fn write(self, tx: &mut Tx) -> Result<()> {
        let counted = self.elsewhere.iter().map(|row| (row.extent, row.slot));
        let counted: Vec<_> = counted.chain(self.home.iter().copied()).collect();
        delete(tx, "short_shards", &counted).await?;
        delete(tx, "elsewhere", &self.home).await?;
        elsewhere::insert(tx, &self.elsewhere).await?;
        removals::insert(tx, &self.removals).await
    }
}

async fn delete(tx: &mut Tx, table: &str, shards: &[(ExtentId, u8)]) -> Result<()> {
    for some in shards.chunks(ROWS_PER_STATEMENT) {
        let delete =
            format!("DELETE FROM {table} WHERE (extent, slot) IN (VALUES {})", values(2, some.len()));
        let delete = match tx.dialect() {
            super::Dialect::Sqlite => delete,
            super::Dialect::MySql => delete.replace("(VALUES ", "("),
        };
        let mut query = sqlx::query(sql(delete));
        for (extent, slot) in some {
            query = query.bind(&extent.as_bytes()[..]).bind(i64::from(*slot));
        }
        query.execute(&mut **tx).await?;
    }
    Ok(())
}

async fn switch(tx: &mut Tx, group: u32, position: u8, from: NodeId, to: NodeId) -> Result<u64> {
    // Behind this lock no commit of an extent of the group is under way, and none begins.
    let members = groups::members(tx, group, tx.dialect().for_update()).await?;
    if members.get(usize::from(position)) != Some(&from) || members.contains(&to) {
        return Err(CatalogError::Conflict("the group has changed meanwhile"));
    }
    let left = left_behind(tx, &Group { id: group, members }, position).await?;
    if left > 0 {
        return Ok(left);
    }
    for (statement, first) in [
        ("UPDATE group_members SET node = ? WHERE group_id = ? AND position = ?", true),
        ("DELETE FROM elsewhere WHERE node = ? AND group_id = ? AND position = ?", true),
        ("DELETE FROM moves WHERE group_id = ? AND position = ?", false),
    ] {
        let query = sqlx::query(statement);
        let query = if first { query.bind(to.to_string()) } else { query };
        query.bind(i64::from(group)).bind(i64::from(position)).execute(&mut **tx).await?;
    }
    Ok(0)
}

/// How many shards lie on the position's own node: those of which nothing else is noted.
async fn left_behind(tx: &mut Tx, group: &Group, position: u8) -> Result<u64> {
    let width = group.members.len();
    let rows = sqlx::query("SELECT id, data, parity FROM extents WHERE group_id = ?")
        .bind(i64::from(group.id))
        .fetch_all(&mut **tx)
        .await?;
    let gone = sqlx::query("SELECT extent FROM elsewhere WHERE group_id = ? AND position = ?")
        .bind(i64::from(group.id))
        .bind(i64::from(position))
        .fetch_all(&mut **tx)
        .await?;
    let short = sqlx::query(
        "SELECT s.extent, s.slot FROM short_shards s JOIN extents x ON x.id = s.extent WHERE x.group_id = ?",
    )
    .bind(i64::from(group.id))
    .fetch_all(&mut **tx)
    .await?;
    let gone = gone.iter().map(|row| extent_id(row, "extent")).collect::<Result<HashSet<_>>>()?;
    let short = short
        .iter()
        .map(|row| Ok((extent_id(row, "extent")?, row.number::<u8>("slot")?)))
        .collect::<Result<HashSet<_>>>()?;
    let mut left = 0;
    for row in &rows {
        let (id, shards) = (extent_id(row, "id")?, row.number::<u8>("data")? + row.number::<u8>("parity")?);
        let Some(slot) = placement::slot_at(id, usize::from(position), width, usize::from(shards)) else {
            continue;
        };
        left += u64::from(!gone.contains(&id) && !short.contains(&(id, slot as u8)));
    }
    Ok(left)
}

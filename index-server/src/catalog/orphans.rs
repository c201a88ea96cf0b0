//! Shards that lie on a node and that nothing here names: told apart, marked, claimed, and kept on a list until they are gone.
//!
//! A mark says only that nothing named the shard when it was looked at. A claim is made later, in a transaction that looks again, and
//! from then on nothing can name the shard: a commit of its extent and a move to its node are refused.

use super::{
    Catalog, CatalogError, Result, Tx,
    dialect::{sql, values},
    elsewhere::{self, Hold},
    extents::{ROWS_PER_STATEMENT, extent_id},
    moves, now_ms, page_limit,
    row::{Columns, signed},
};
use asterism_proto::{ExtentId, NodeId};
use std::collections::{BTreeMap, HashMap, HashSet, btree_map::Entry};

/// A shard that a node lists, as its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Whose shard.
    pub extent: ExtentId,
    /// Which one.
    pub slot: u8,
    /// Data shards.
    pub data: u8,
    /// Parity shards.
    pub parity: u8,
    /// Size of a full cell.
    pub cell_bytes: u32,
    /// Of the extent.
    pub extent_bytes: u64,
}

/// What the catalog says of a listed shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It belongs there.
    Named,
    /// It belongs there and is not what the catalog describes.
    Different,
    /// It is on its way: to be removed, set aside, or just being brought here.
    OnItsWay,
    /// Nothing speaks of it.
    Unnamed,
}

/// How many shards are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrphanCounts {
    /// Seen, and not proven.
    pub marked: u64,
    /// To be set aside.
    pub claimed: u64,
    /// On their nodes, out of the way.
    pub aside: u64,
}

const MARKED: i64 = 0;
const CLAIMED: i64 = 1;
const ASIDE: i64 = 2;

type Key = (ExtentId, u8);

impl Catalog {
    /// What there is to say of shards that `node` lists, in order.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn standing(&self, node: NodeId, listed: &[Listed]) -> Result<Vec<Standing>> {
        self.read(move |mut tx| async move {
            let found = standing(&mut tx, node, listed, Hold::Nothing).await;
            (tx, found)
        })
        .await
    }

    /// Marks shards of `node` that nothing names, as first seen in `epoch`; gives those that were marked in `ripe` or before.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn mark_orphans(&self, node: NodeId, keys: &[Key], epoch: u64, ripe: u64) -> Result<Vec<Key>> {
        self.write(move |mut tx| async move {
            let ripe = mark(&mut tx, node, keys, epoch, ripe).await;
            (tx, ripe)
        })
        .await
    }

    /// Looks again at shards that were marked in `ripe` or before, and claims those that nothing names; how many. Marks of the others go.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn claim_orphans(&self, node: NodeId, listed: &[Listed], ripe: u64) -> Result<u64> {
        self.write(move |mut tx| async move {
            let claimed = claim(&mut tx, node, listed, ripe).await;
            (tx, claimed)
        })
        .await
    }

    /// Forgets marks of `before` and earlier: their shards are gone, or were named.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn forget_marks(&self, before: u64) -> Result<()> {
        self.write(move |mut tx| async move {
            let done = forget_marks(&mut tx, before).await;
            (tx, done)
        })
        .await
    }

    /// Shards that `node` is to set aside.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn claimed_orphans(&self, node: NodeId, limit: u32) -> Result<Vec<Key>> {
        self.orphans(node, CLAIMED, i64::MAX, limit).await
    }

    /// Shards that lie aside on `node` since before this moment.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn expired_orphans(&self, node: NodeId, before_ms: i64, limit: u32) -> Result<Vec<Key>> {
        self.orphans(node, ASIDE, before_ms, limit).await
    }

    async fn orphans(&self, node: NodeId, state: i64, before_ms: i64, limit: u32) -> Result<Vec<Key>> {
        self.look(move |mut tx| async move {
            let query = sqlx::query(
                "SELECT extent, slot FROM orphans WHERE node = ? AND state = ? AND since_ms < ? ORDER BY extent, slot LIMIT ?",
            );
            let query = query.bind(node.to_string()).bind(state).bind(before_ms);
            let rows = query.bind(i64::from(page_limit(limit))).fetch_all(&mut *tx).await;
            let keys = rows.map_err(Into::into).and_then(|rows| {
                rows.iter().map(|row| Ok((extent_id(row, "extent")?, row.number("slot")?))).collect()
            });
            (tx, keys)
        })
        .await
    }

    /// The node has set these aside.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn orphans_aside(&self, node: NodeId, keys: &[Key]) -> Result<()> {
        self.write(move |mut tx| async move {
            let done = set_state(&mut tx, node, keys, CLAIMED, ASIDE).await;
            (tx, done)
        })
        .await
    }

    /// There is nothing more of these on the node.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn forget_orphans(&self, node: NodeId, keys: &[Key]) -> Result<()> {
        self.write(move |mut tx| async move {
            let done = forget(&mut tx, node, keys).await;
            (tx, done)
        })
        .await
    }

    /// How many there are.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn orphan_counts(&self) -> Result<OrphanCounts> {
        self.look(move |mut tx| async move {
            let counts = counts(&mut tx).await;
            (tx, counts)
        })
        .await
    }
}

async fn standing(tx: &mut Tx, node: NodeId, listed: &[Listed], hold: Hold) -> Result<Vec<Standing>> {
    let mut found = Vec::with_capacity(listed.len());
    for some in listed.chunks(ROWS_PER_STATEMENT) {
        let extents: Vec<ExtentId> =
            some.iter().map(|one| one.extent).collect::<HashSet<_>>().into_iter().collect();
        let places = elsewhere::places(tx, &extents, hold).await?;
        let shapes = shapes(tx, &extents).await?;
        let leaving = moves::awaiting_removal(tx, &extents).await?;
        let mut targets: BTreeMap<u32, BTreeMap<u8, NodeId>> = BTreeMap::new();
        for one in some {
            let place = places.get(&one.extent);
            let named = place.is_some_and(|place| place.nodes.get(usize::from(one.slot)) == Some(&node));
            found.push(match place {
                _ if named && shapes.get(&one.extent) == Some(&one.shape()) => Standing::Named,
                _ if named => Standing::Different,
                _ if leaving.contains(&(one.extent, one.slot, node)) => Standing::OnItsWay,
                Some(place) => {
                    let targets = match targets.entry(place.group) {
                        Entry::Occupied(known) => known.into_mut(),
                        Entry::Vacant(unknown) => unknown.insert(moves::targets(tx, place.group).await?),
                    };
                    let position = elsewhere::position(one.extent, one.slot, place.width);
                    let comes = targets.get(&position) == Some(&node);
                    if comes { Standing::OnItsWay } else { Standing::Unnamed }
                }
                None => Standing::Unnamed,
            });
        }
    }
    Ok(found)
}

type Shape = (u8, u8, u32, u64);

impl Listed {
    fn shape(&self) -> Shape {
        (self.data, self.parity, self.cell_bytes, self.extent_bytes)
    }
}

async fn shapes(tx: &mut Tx, extents: &[ExtentId]) -> Result<HashMap<ExtentId, Shape>> {
    if extents.is_empty() {
        return Ok(HashMap::new());
    }
    let select = format!(
        "SELECT id, data, parity, cell_bytes, bytes FROM extents WHERE id IN {}",
        values(extents.len(), 1)
    );
    let mut query = sqlx::query(sql(select));
    for extent in extents {
        query = query.bind(&extent.as_bytes()[..]);
    }
    let rows = query.fetch_all(&mut **tx).await?;
    rows.iter()
        .map(|row| {
            let shape =
                (row.number("data")?, row.number("parity")?, row.number("cell_bytes")?, row.number("bytes")?);
            Ok((extent_id(row, "id")?, shape))
        })
        .collect()
}

async fn mark(tx: &mut Tx, node: NodeId, keys: &[Key], epoch: u64, ripe: u64) -> Result<Vec<Key>> {
    let mut found = Vec::new();
    for some in keys.chunks(ROWS_PER_STATEMENT) {
        let keep = tx.dialect().or_keep("extent, slot, node", "slot");
        let mut query = sqlx::query(sql(format!(
            "INSERT INTO orphans (extent, slot, node, epoch, state, since_ms) VALUES {}{keep}",
            values(6, some.len())
        )));
        for (extent, slot) in some {
            query = query
                .bind(&extent.as_bytes()[..])
                .bind(i64::from(*slot))
                .bind(node.to_string())
                .bind(signed(epoch)?)
                .bind(MARKED)
                .bind(now_ms());
        }
        query.execute(&mut **tx).await?;
        found.extend(marked(tx, node, some, ripe, "").await?);
    }
    Ok(found)
}

/// Those that were marked in `ripe` or before and are not claimed.
async fn marked(tx: &mut Tx, node: NodeId, keys: &[Key], ripe: u64, lock: &str) -> Result<Vec<Key>> {
    let extents: Vec<ExtentId> = keys.iter().map(|(extent, _)| *extent).collect();
    let select = format!(
        "SELECT extent, slot FROM orphans WHERE node = ? AND state = ? AND epoch <= ? AND extent IN {}{lock}",
        values(extents.len(), 1)
    );
    let mut query = sqlx::query(sql(select)).bind(node.to_string()).bind(MARKED).bind(signed(ripe)?);
    for extent in &extents {
        query = query.bind(&extent.as_bytes()[..]);
    }
    let rows = query.fetch_all(&mut **tx).await?;
    let all = rows.iter().map(|row| Ok((extent_id(row, "extent")?, row.number("slot")?)));
    let all = all.collect::<Result<HashSet<Key>>>()?;
    Ok(keys.iter().filter(|key| all.contains(*key)).copied().collect())
}

async fn claim(tx: &mut Tx, node: NodeId, listed: &[Listed], ripe: u64) -> Result<u64> {
    let mut claimed = 0;
    for some in listed.chunks(ROWS_PER_STATEMENT) {
        // Behind these locks no commit of the extents is under way, and none begins.
        let found = standing(tx, node, some, Hold::Shared).await?;
        let keys: Vec<Key> = some.iter().map(|one| (one.extent, one.slot)).collect();
        let lock = tx.dialect().for_update();
        let marked: HashSet<Key> = marked(tx, node, &keys, ripe, lock).await?.into_iter().collect();
        let (proven, named): (Vec<_>, Vec<_>) = keys
            .iter()
            .zip(found)
            .filter(|(key, _)| marked.contains(*key))
            .partition(|(_, standing)| *standing == Standing::Unnamed);
        let proven: Vec<Key> = proven.into_iter().map(|(key, _)| *key).collect();
        let named: Vec<Key> = named.into_iter().map(|(key, _)| *key).collect();
        set_state(tx, node, &proven, MARKED, CLAIMED).await?;
        forget(tx, node, &named).await?;
        claimed += proven.len() as u64;
    }
    Ok(claimed)
}

async fn set_state(tx: &mut Tx, node: NodeId, keys: &[Key], from: i64, to: i64) -> Result<()> {
    for (extent, slot) in keys {
        sqlx::query(
            "UPDATE orphans SET state = ?, since_ms = ? WHERE extent = ? AND slot = ? AND node = ? AND state = ?",
        )
        .bind(to)
        .bind(now_ms())
        .bind(&extent.as_bytes()[..])
        .bind(i64::from(*slot))
        .bind(node.to_string())
        .bind(from)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

async fn forget(tx: &mut Tx, node: NodeId, keys: &[Key]) -> Result<()> {
    for (extent, slot) in keys {
        sqlx::query("DELETE FROM orphans WHERE extent = ? AND slot = ? AND node = ?")
            .bind(&extent.as_bytes()[..])
            .bind(i64::from(*slot))
            .bind(node.to_string())
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

async fn forget_marks(tx: &mut Tx, before: u64) -> Result<()> {
    sqlx::query("DELETE FROM orphans WHERE state = ? AND epoch <= ?")
        .bind(MARKED)
        .bind(signed(before)?)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn counts(tx: &mut Tx) -> Result<OrphanCounts> {
    let rows = sqlx::query("SELECT state, COUNT(*) AS orphans FROM orphans GROUP BY state")
        .fetch_all(&mut **tx)
        .await?;
    let mut counts = OrphanCounts::default();
    for row in &rows {
        let count = row.number("orphans")?;
        match row.number::<i64>("state")? {
            MARKED => counts.marked = count,
            CLAIMED => counts.claimed = count,
            ASIDE => counts.aside = count,
            _ => return Err(CatalogError::invariant("an orphan is in no state that there is")),
        }
    }
    Ok(counts)
}

/// Fails if a shard of these extents was claimed: it is being set aside, or is gone. None is claimed before the end of this transaction.
pub(super) async fn refuse_claimed(
    tx: &mut Tx,
    extents: impl Iterator<Item = ExtentId> + Clone,
) -> Result<()> {
    let lock = tx.dialect().for_share();
    let select = format!(
        "SELECT extent FROM orphans WHERE extent IN {} AND state > {MARKED} LIMIT 1{lock}",
        values(extents.clone().count(), 1)
    );
    let mut query = sqlx::query(sql(select));
    for extent in extents {
        query = query.bind(extent.as_bytes().to_vec());
    }
    match query.fetch_optional(&mut **tx).await? {
        None => Ok(()),
        Some(_) => Err(CatalogError::Stale),
    }
}

//! Shards that committed metadata says must go, kept until their node confirmed it.

use super::{
    Catalog, CatalogError, Result, Tx,
    dialect::{sql, values},
    elsewhere::{self, Hold},
    extents::{ROWS_PER_STATEMENT, extent_id},
    moves, now_ms, page_limit,
    row::Columns,
};
use asterism_proto::{ExtentId, NodeId};
use sqlx::any::AnyRow;
use std::collections::{BTreeMap, btree_map::Entry};

/// One shard that must go from one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Removal {
    /// Given back to [`Catalog::confirm_removals`].
    pub id: i64,
    /// Whose shard.
    pub extent: ExtentId,
    /// Which shard.
    pub slot: u8,
    /// From where.
    pub node: NodeId,
}

/// What an upload that was given up left on the nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbandonedExtent {
    /// Its id.
    pub id: ExtentId,
    /// The node of each slot that may hold something.
    pub shards: Vec<(u8, NodeId)>,
}

impl Catalog {
    /// Has the shards of extents removed that no file has, nor will have: call it only after `commit_file` has said no for certain.
    /// Extents that a file does have are left alone; gives the number of those.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn remove_abandoned(&self, extents: &[AbandonedExtent]) -> Result<u64> {
        self.write(move |mut tx| async move {
            let kept = remove_abandoned(&mut tx, extents).await;
            (tx, kept)
        })
        .await
    }

    /// Has one shard removed from a node where it does not belong: the extent is gone, or has its shard on another node.
    ///
    /// # Errors
    /// [`CatalogError::Conflict`]: it does belong there.
    pub async fn remove_shard(&self, extent: ExtentId, slot: u8, node: NodeId) -> Result<()> {
        self.write(move |mut tx| async move {
            let done = remove_shard(&mut tx, extent, slot, node).await;
            (tx, done)
        })
        .await
    }

    /// What `node` still has to remove, oldest first. A shard that belongs there by now, whatever was decided once, is not on the list.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn removals_of(&self, node: NodeId, limit: u32) -> Result<Vec<Removal>> {
        self.read(move |mut tx| async move {
            let pending = pending(&mut tx, node, limit).await;
            (tx, pending)
        })
        .await
    }

    /// The nodes that still have something to remove.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn nodes_with_removals(&self) -> Result<Vec<NodeId>> {
        self.read(move |mut tx| async move {
            let rows = sqlx::query("SELECT DISTINCT node FROM removals").fetch_all(&mut *tx).await;
            let nodes =
                rows.map_err(Into::into).and_then(|rows| rows.iter().map(|row| row.parsed("node")).collect());
            (tx, nodes)
        })
        .await
    }

    /// Their nodes have confirmed that these are gone.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn confirm_removals(&self, ids: &[i64]) -> Result<()> {
        self.write(move |mut tx| async move {
            let done = confirm(&mut tx, ids).await;
            (tx, done)
        })
        .await
    }

    /// How many shards still have to go.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn removal_count(&self) -> Result<u64> {
        self.read(move |mut tx| async move {
            let row = sqlx::query("SELECT COUNT(*) AS removals FROM removals").fetch_one(&mut *tx).await;
            let count = row.map_err(Into::into).and_then(|row| row.number("removals"));
            (tx, count)
        })
        .await
    }
}

/// Every slot of the extent at the node that has it now, and at the one it is being copied to, as things are in this transaction.
pub(super) async fn remove_extents(tx: &mut Tx, extents: &[ExtentId]) -> Result<()> {
    for some in extents.chunks(ROWS_PER_STATEMENT) {
        let places = elsewhere::places(tx, some, Hold::Own).await?;
        let (mut shards, mut targets) = (Vec::new(), BTreeMap::new());
        for (extent, place) in &places {
            if let Entry::Vacant(vacant) = targets.entry(place.group) {
                vacant.insert(moves::targets(tx, place.group).await?);
            }
            let targets = &targets[&place.group];
            for (slot, node) in (0u8..).zip(&place.nodes) {
                shards.push((*extent, slot, *node));
                let position = elsewhere::position(*extent, slot, place.width);
                shards.extend(targets.get(&position).map(|target| (*extent, slot, *target)));
            }
        }
        shards.sort();
        shards.dedup();
        insert(tx, &shards).await?;
    }
    Ok(())
}

async fn remove_shard(tx: &mut Tx, extent: ExtentId, slot: u8, node: NodeId) -> Result<()> {
    let places = elsewhere::places(tx, &[extent], Hold::Shared).await?;
    if places.get(&extent).is_some_and(|place| place.nodes.get(usize::from(slot)) == Some(&node)) {
        return Err(CatalogError::Conflict("the shard belongs there"));
    }
    insert(tx, &[(extent, slot, node)]).await
}

async fn remove_abandoned(tx: &mut Tx, extents: &[AbandonedExtent]) -> Result<u64> {
    let mut kept = 0;
    // The lock waits for a commit of the same extents that is still under way.
    let select = format!("SELECT id FROM extents WHERE id = ?{}", tx.dialect().for_share());
    for extent in extents {
        let row = sqlx::query(sql(select.clone()))
            .bind(&extent.id.as_bytes()[..])
            .fetch_optional(&mut **tx)
            .await?;
        if row.is_some() {
            kept += 1;
            continue;
        }
        let shards: Vec<_> = extent.shards.iter().map(|(slot, node)| (extent.id, *slot, *node)).collect();
        insert(tx, &shards).await?;
    }
    Ok(kept)
}

pub(super) async fn insert(tx: &mut Tx, shards: &[(ExtentId, u8, NodeId)]) -> Result<()> {
    let keep = tx.dialect().or_keep("extent, slot, node", "slot");
    for some in shards.chunks(ROWS_PER_STATEMENT) {
        let mut query = sqlx::query(sql(format!(
            "INSERT INTO removals (extent, slot, node, created_ms) VALUES {}{keep}",
            values(4, some.len())
        )));
        for (extent, slot, node) in some {
            query = query
                .bind(&extent.as_bytes()[..])
                .bind(i64::from(*slot))
                .bind(node.to_string())
                .bind(now_ms());
        }
        query.execute(&mut **tx).await?;
    }
    Ok(())
}

async fn pending(tx: &mut Tx, node: NodeId, limit: u32) -> Result<Vec<Removal>> {
    let rows = sqlx::query("SELECT id, extent, slot FROM removals WHERE node = ? ORDER BY id LIMIT ?")
        .bind(node.to_string())
        .bind(i64::from(page_limit(limit)))
        .fetch_all(&mut **tx)
        .await?;
    let removal = |row: &AnyRow| {
        let (extent, slot) = (extent_id(row, "extent")?, row.number("slot")?);
        Ok(Removal { id: row.number("id")?, extent, slot, node })
    };
    let mut removals = rows.iter().map(removal).collect::<Result<Vec<Removal>>>()?;
    let extents: Vec<ExtentId> = removals.iter().map(|removal| removal.extent).collect();
    let places = elsewhere::places(tx, &extents, Hold::Nothing).await?;
    removals.retain(|removal| {
        let holder = places.get(&removal.extent).and_then(|place| place.nodes.get(usize::from(removal.slot)));
        if holder == Some(&node) {
            tracing::error!(extent = %removal.extent, slot = removal.slot, %node, "a shard that belongs there is on the list of removals; it stays");
        }
        holder != Some(&node)
    });
    Ok(removals)
}

async fn confirm(tx: &mut Tx, ids: &[i64]) -> Result<()> {
    for some in ids.chunks(ROWS_PER_STATEMENT) {
        let mut query =
            sqlx::query(sql(format!("DELETE FROM removals WHERE id IN {}", values(some.len(), 1))));
        for id in some {
            query = query.bind(*id);
        }
        query.execute(&mut **tx).await?;
    }
    Ok(())
}

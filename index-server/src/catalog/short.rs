//! Shards that are known to be missing: the work list of repair, and what margins are counted with.

use super::{
    Catalog, ExtentRow, Result, Tx,
    dialect::sql,
    elsewhere::{holder, marks_of},
    extents::{EXTENT_COLUMNS, extent, extent_id},
    page_limit,
    row::Columns,
};
use asterism_proto::{ExtentId, NodeId};

/// Where a piece of the work list ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortPosition {
    spare: i64,
    since: i64,
}

/// What margins are counted with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShortExtent {
    /// The extent.
    pub extent: ExtentId,
    /// Its placement group.
    pub group: u32,
    /// Data shards.
    pub data: u8,
    /// Parity shards.
    pub parity: u8,
    /// Slots known not to hold a valid shard, in order; never empty.
    pub slots: Vec<u8>,
    /// Slots that lie on another node than the group says, in order.
    pub elsewhere: Vec<(u8, NodeId)>,
}

impl Catalog {
    /// Short extents, those nearest to loss first, then the longest known; each with its place, after which the next piece begins.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn short_worst(
        &self,
        after: Option<ShortPosition>,
        limit: u32,
    ) -> Result<Vec<(ShortPosition, ExtentRow)>> {
        self.read(move |mut tx| async move {
            let worst = worst(&mut tx, after, limit).await;
            (tx, worst)
        })
        .await
    }

    /// All short extents, piece by piece, in the order of their ids.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn short_all(&self, after: Option<ExtentId>, limit: u32) -> Result<Vec<ShortExtent>> {
        self.read(move |mut tx| async move {
            let all = all(&mut tx, after, limit).await;
            (tx, all)
        })
        .await
    }

    /// How many extents are short.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn short_count(&self) -> Result<u64> {
        self.look(move |mut tx| async move {
            let row = sqlx::query("SELECT COUNT(DISTINCT extent) AS extents FROM short_shards")
                .fetch_one(&mut *tx)
                .await;
            let count = row.map_err(Into::into).and_then(|row| row.number("extents"));
            (tx, count)
        })
        .await
    }

    /// `node` does not hold a valid shard of the slot. An extent that is gone, and a shard that lies on another node by now, are none
    /// of our business any more; gives whether it is noted now and was not before.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn mark_short(&self, extent: ExtentId, slot: u8, node: NodeId) -> Result<bool> {
        self.write(move |mut tx| async move {
            let marked = mark(&mut tx, extent, slot, node).await;
            (tx, marked)
        })
        .await
    }

    /// `node` holds a valid shard of the slot: read back and counted. False if the slot is not the node's, or the extent is gone: then
    /// nothing has changed, and what the node holds is to be removed.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn clear_short(&self, extent: ExtentId, slot: u8, node: NodeId) -> Result<bool> {
        self.write(move |mut tx| async move {
            let cleared = clear(&mut tx, extent, slot, node).await;
            (tx, cleared)
        })
        .await
    }
}

async fn worst(
    tx: &mut Tx,
    after: Option<ShortPosition>,
    limit: u32,
) -> Result<Vec<(ShortPosition, ExtentRow)>> {
    let ShortPosition { spare, since } = after.unwrap_or(ShortPosition { spare: i64::MIN, since: 0 });
    let rows = sqlx::query(sql(format!(
        "SELECT {EXTENT_COLUMNS}, h.since, x.parity - h.missing AS spare \
         FROM (SELECT extent, MIN(since_seq) AS since, COUNT(*) AS missing FROM short_shards GROUP BY extent) h \
         CROSS JOIN extents x ON x.id = h.extent \
         WHERE x.parity - h.missing > ? OR (x.parity - h.missing = ? AND h.since > ?) ORDER BY spare, h.since LIMIT ?"
    )))
    .bind(spare)
    .bind(spare)
    .bind(since)
    .bind(i64::from(page_limit(limit)))
    .fetch_all(&mut **tx)
    .await?;
    let ids = rows.iter().map(|row| extent_id(row, "id")).collect::<Result<Vec<_>>>()?;
    let mut marks = marks_of(tx, &ids).await?;
    rows.iter()
        .zip(ids)
        .map(|(row, id)| {
            let position = ShortPosition { spare: row.number("spare")?, since: row.number("since")? };
            Ok((position, extent(row, marks.remove(&id).unwrap_or_default())?))
        })
        .collect()
}

async fn all(tx: &mut Tx, after: Option<ExtentId>, limit: u32) -> Result<Vec<ShortExtent>> {
    let after = after.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
    let rows = sqlx::query(
        "SELECT x.id, x.group_id, x.data, x.parity \
         FROM (SELECT DISTINCT extent FROM short_shards WHERE extent > ? ORDER BY extent LIMIT ?) h \
         CROSS JOIN extents x ON x.id = h.extent ORDER BY x.id",
    )
    .bind(after)
    .bind(i64::from(page_limit(limit)))
    .fetch_all(&mut **tx)
    .await?;
    let ids = rows.iter().map(|row| extent_id(row, "id")).collect::<Result<Vec<_>>>()?;
    let mut marks = marks_of(tx, &ids).await?;
    rows.iter()
        .zip(ids)
        .map(|(row, extent)| {
            let (group, data, parity) = (row.number("group_id")?, row.number("data")?, row.number("parity")?);
            let marks = marks.remove(&extent).unwrap_or_default();
            Ok(ShortExtent { extent, group, data, parity, slots: marks.short, elsewhere: marks.elsewhere })
        })
        .collect()
}

async fn mark(tx: &mut Tx, extent: ExtentId, slot: u8, node: NodeId) -> Result<bool> {
    if holder(tx, extent, slot).await? != Some(node) {
        return Ok(false);
    }
    let known = sqlx::query("SELECT slot FROM short_shards WHERE extent = ? AND slot = ?")
        .bind(&extent.as_bytes()[..])
        .bind(i64::from(slot))
        .fetch_optional(&mut **tx)
        .await?;
    if known.is_some() {
        return Ok(false);
    }
    // Another may have seen none either.
    let keep = tx.dialect().or_keep("extent, slot", "slot");
    sqlx::query(sql(format!("INSERT INTO short_shards (extent, slot) VALUES (?, ?){keep}")))
        .bind(&extent.as_bytes()[..])
        .bind(i64::from(slot))
        .execute(&mut **tx)
        .await?;
    Ok(true)
}

async fn clear(tx: &mut Tx, extent: ExtentId, slot: u8, node: NodeId) -> Result<bool> {
    if holder(tx, extent, slot).await? != Some(node) {
        return Ok(false);
    }
    sqlx::query("DELETE FROM short_shards WHERE extent = ? AND slot = ?")
        .bind(&extent.as_bytes()[..])
        .bind(i64::from(slot))
        .execute(&mut **tx)
        .await?;
    Ok(true)
}

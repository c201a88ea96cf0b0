//! Where the bytes of a content lie.

use super::{
    Catalog, CatalogError, ContentId, NewExtent, Result, Tx,
    dialect::{sql, values},
    elsewhere::{self, Marks},
    orphans,
    row::{Columns, signed},
};
use asterism_proto::{ExtentId, NodeId};
use sqlx::any::AnyRow;
use std::ops::Range;

/// Rows of one `INSERT` or `IN` list: far below the marks that either database allows.
pub(super) const ROWS_PER_STATEMENT: usize = 500;

/// One extent as it was committed, and what is known to be missing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtentRow {
    /// Its id.
    pub id: ExtentId,
    /// The content it is part of.
    pub content: ContentId,
    /// Counts from 0 within the content.
    pub seq: u32,
    /// Where it begins in the content.
    pub file_offset: u64,
    /// Its length.
    pub bytes: u64,
    /// Its placement group.
    pub group: u32,
    /// Data shards.
    pub data: u8,
    /// Parity shards.
    pub parity: u8,
    /// Size of a full cell.
    pub cell_bytes: u32,
    /// Slots known not to hold a valid shard, in order.
    pub short_slots: Vec<u8>,
    /// Slots that lie on another node than the group says, in order.
    pub elsewhere: Vec<(u8, NodeId)>,
}

pub(super) const EXTENT_COLUMNS: &str =
    "x.id, x.content, x.seq, x.file_offset, x.bytes, x.group_id, x.data, x.parity, x.cell_bytes";

/// Reads [`EXTENT_COLUMNS`].
pub(super) fn extent(row: &AnyRow, marks: Marks) -> Result<ExtentRow> {
    Ok(ExtentRow {
        id: extent_id(row, "id")?,
        content: row.number("content")?,
        seq: row.number("seq")?,
        file_offset: row.number("file_offset")?,
        bytes: row.number("bytes")?,
        group: row.number("group_id")?,
        data: row.number("data")?,
        parity: row.number("parity")?,
        cell_bytes: row.number("cell_bytes")?,
        short_slots: marks.short,
        elsewhere: marks.elsewhere,
    })
}

pub(super) fn extent_id(row: &AnyRow, column: &str) -> Result<ExtentId> {
    Ok(ExtentId::from_bytes(row.digest(column)?))
}

impl Catalog {
    /// The extents of `content` that hold bytes of `range`, in order.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`]: the content was deleted or replaced.
    pub async fn extents(&self, content: ContentId, range: Range<u64>) -> Result<Vec<ExtentRow>> {
        let (start, end) = (signed(range.start)?, i64::try_from(range.end).unwrap_or(i64::MAX));
        self.look(move |mut tx| async move {
            let rows = extents(&mut tx, content, start, end).await;
            (tx, rows)
        })
        .await
    }

    /// One extent by its id.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`]: its content was deleted or replaced.
    pub async fn extent(&self, id: ExtentId) -> Result<ExtentRow> {
        self.read(move |mut tx| async move {
            let row = extent_by_id(&mut tx, id).await;
            (tx, row)
        })
        .await
    }
}

async fn extents(tx: &mut Tx, content: ContentId, start: i64, end: i64) -> Result<Vec<ExtentRow>> {
    // One row for each note of an extent, one for an extent without any, and one without an extent if the content has none here.
    // Two kinds of notes multiply, but no extent has more slots than a policy.
    let rows = sqlx::query(sql(format!(
        "SELECT {EXTENT_COLUMNS}, s.slot AS short_slot, m.slot AS moved_slot, m.node AS moved_node FROM contents k \
         LEFT JOIN extents x ON x.content = k.id AND x.file_offset < ? AND x.file_offset + x.bytes > ? \
         LEFT JOIN short_shards s ON s.extent = x.id LEFT JOIN elsewhere m ON m.extent = x.id \
         WHERE k.id = ? ORDER BY x.seq, s.slot, m.slot"
    )))
    .bind(end)
    .bind(start)
    .bind(content.0)
    .fetch_all(&mut **tx)
    .await?;
    if rows.is_empty() {
        return Err(CatalogError::NotFound("content"));
    }
    let mut extents: Vec<ExtentRow> = Vec::with_capacity(rows.len());
    for row in &rows {
        let Some(seq) = row.maybe_number::<u32>("seq")? else { continue };
        if extents.last().is_none_or(|last| last.seq != seq) {
            extents.push(extent(row, Marks::default())?);
        }
        let Some(last) = extents.last_mut() else { continue };
        if let Some(slot) = row.maybe_number("short_slot")?
            && last.short_slots.last() != Some(&slot)
        {
            last.short_slots.push(slot);
        }
        if let Some(slot) = row.maybe_number("moved_slot")?
            && last.elsewhere.iter().all(|(known, _)| *known != slot)
        {
            last.elsewhere.push((slot, row.parsed("moved_node")?));
        }
    }
    Ok(extents)
}

async fn extent_by_id(tx: &mut Tx, id: ExtentId) -> Result<ExtentRow> {
    let row = sqlx::query(sql(format!("SELECT {EXTENT_COLUMNS} FROM extents x WHERE x.id = ?")))
        .bind(&id.as_bytes()[..])
        .fetch_optional(&mut **tx)
        .await?
        .ok_or(CatalogError::NotFound("extent"))?;
    extent(&row, elsewhere::marks_of(tx, &[id]).await?.remove(&id).unwrap_or_default())
}

/// The extents are the file, from its first byte to its last, and every slot they name exists.
pub(super) fn check_extents(size: u64, extents: &[NewExtent]) -> Result<()> {
    let mut end = 0u64;
    for (seq, extent) in extents.iter().enumerate() {
        let total = u16::from(extent.data) + u16::from(extent.parity);
        let fits =
            extent.seq as usize == seq && extent.file_offset == end && extent.bytes > 0 && extent.data > 0;
        let mut short = extent.short_slots.clone();
        short.sort_unstable();
        short.dedup();
        if !fits
            || short.len() != extent.short_slots.len()
            || short.iter().any(|slot| u16::from(*slot) >= total)
            || !(extent.nodes.is_empty() || extent.nodes.len() == usize::from(total))
        {
            return Err(CatalogError::invariant(format!("extent {seq} does not fit its file")));
        }
        end = end
            .checked_add(extent.bytes)
            .ok_or_else(|| CatalogError::invariant("a file beyond 2^64 bytes"))?;
    }
    if end == size {
        Ok(())
    } else {
        Err(CatalogError::invariant(format!("extents hold {end} of {size} bytes")))
    }
}

pub(super) async fn insert_extents(tx: &mut Tx, content: ContentId, extents: &[NewExtent]) -> Result<()> {
    for some in extents.chunks(ROWS_PER_STATEMENT) {
        refuse_removed(tx, some).await?;
        orphans::refuse_claimed(tx, some.iter().map(|extent| extent.id)).await?;
        let mut query = sqlx::query(sql(format!(
            "INSERT INTO extents (id, content, seq, file_offset, bytes, group_id, data, parity, cell_bytes) VALUES {}",
            values(9, some.len())
        )));
        for extent in some {
            query = query
                .bind(&extent.id.as_bytes()[..])
                .bind(content.0)
                .bind(i64::from(extent.seq))
                .bind(signed(extent.file_offset)?)
                .bind(signed(extent.bytes)?)
                .bind(i64::from(extent.group))
                .bind(i64::from(extent.data))
                .bind(i64::from(extent.parity))
                .bind(i64::from(extent.cell_bytes));
        }
        query.execute(&mut **tx).await?;
    }
    let short: Vec<_> =
        extents.iter().flat_map(|extent| extent.short_slots.iter().map(|slot| (extent.id, *slot))).collect();
    insert_short(tx, &short).await?;
    elsewhere::note_places(tx, extents).await
}

pub(super) async fn insert_short(tx: &mut Tx, shards: &[(ExtentId, u8)]) -> Result<()> {
    for some in shards.chunks(ROWS_PER_STATEMENT) {
        let mut query = sqlx::query(sql(format!(
            "INSERT INTO short_shards (extent, slot) VALUES {}",
            values(2, some.len())
        )));
        for (extent, slot) in some {
            query = query.bind(&extent.as_bytes()[..]).bind(i64::from(*slot));
        }
        query.execute(&mut **tx).await?;
    }
    Ok(())
}

/// An upload that was given up must not come back: its shards are being removed.
async fn refuse_removed(tx: &mut Tx, extents: &[NewExtent]) -> Result<()> {
    let mut query = sqlx::query_scalar(sql(format!(
        "SELECT COUNT(*) FROM removals WHERE extent IN {}",
        values(extents.len(), 1)
    )));
    for extent in extents {
        query = query.bind(&extent.id.as_bytes()[..]);
    }
    let removed: i64 = query.fetch_one(&mut **tx).await?;
    if removed == 0 { Ok(()) } else { Err(CatalogError::Stale) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(size: u64, extents: &[(u32, u64, u64, &[u8])], fits: bool) {
        let extents: Vec<_> = extents
            .iter()
            .map(|&(seq, file_offset, bytes, short)| NewExtent {
                id: ExtentId::random(),
                seq,
                file_offset,
                bytes,
                group: 0,
                data: 4,
                parity: 2,
                cell_bytes: 4096,
                short_slots: short.to_vec(),
                nodes: Vec::new(),
            })
            .collect();
        assert_eq!(check_extents(size, &extents).is_ok(), fits, "{size} {extents:?}");
    }

    #[test]
    fn extents_cover_their_file_exactly() {
        check(0, &[], true);
        check(5, &[(0, 0, 5, &[])], true);
        check(9, &[(0, 0, 5, &[5, 0]), (1, 5, 4, &[])], true);
        check(1, &[], false);
        check(9, &[(0, 0, 5, &[]), (1, 6, 3, &[])], false);
        check(9, &[(0, 0, 5, &[]), (2, 5, 4, &[])], false);
        check(5, &[(0, 0, 5, &[6])], false);
        check(5, &[(0, 0, 5, &[1, 1])], false);
        check(0, &[(0, 0, 0, &[])], false);
    }
}

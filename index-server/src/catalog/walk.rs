//! Walking over everything there is, for what is rebuilt or checked as a whole.

use super::{
    Catalog, EntryId, ExtentRow, Result,
    dialect::sql,
    elsewhere::{marks_by_extent, marks_query},
    extents::{EXTENT_COLUMNS, extent, extent_id},
    page_limit,
    row::Columns,
    transaction::Tx,
    tree::FILE,
};
use asterism_proto::ExtentId;

impl Catalog {
    /// The numbers of all files of all users, those in the trash too, piece by piece in order.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn files_after(&self, after: Option<EntryId>, limit: u32) -> Result<Vec<EntryId>> {
        let after = after.map_or(0, |after| after.0);
        self.read(move |mut tx| async move {
            let rows = sqlx::query("SELECT id FROM entries WHERE kind = ? AND id > ? ORDER BY id LIMIT ?")
                .bind(FILE)
                .bind(after)
                .bind(i64::from(page_limit(limit)))
                .fetch_all(&mut *tx)
                .await;
            let ids =
                rows.map_err(Into::into).and_then(|rows| rows.iter().map(|row| row.number("id")).collect());
            (tx, ids)
        })
        .await
    }

    /// All extents of all files, piece by piece in the order of their ids.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn extents_after(&self, after: Option<ExtentId>, limit: u32) -> Result<Vec<ExtentRow>> {
        self.read(move |mut tx| async move {
            let rows = extents(&mut tx, after, limit).await;
            (tx, rows)
        })
        .await
    }
}

async fn extents(tx: &mut Tx, after: Option<ExtentId>, limit: u32) -> Result<Vec<ExtentRow>> {
    let after = after.as_ref().map_or(&[][..], |after| &after.as_bytes()[..]);
    let rows = sqlx::query(sql(format!(
        "SELECT {EXTENT_COLUMNS} FROM extents x WHERE x.id > ? ORDER BY x.id LIMIT ?"
    )))
    .bind(after)
    .bind(i64::from(page_limit(limit)))
    .fetch_all(&mut **tx)
    .await?;
    let Some(last) = rows.last() else { return Ok(Vec::new()) };
    let last = extent_id(last, "id")?;
    let marks = sqlx::query(sql(marks_query("", "m.extent > ? AND m.extent <= ?")))
        .bind(after)
        .bind(&last.as_bytes()[..])
        .bind(after)
        .bind(&last.as_bytes()[..])
        .fetch_all(&mut **tx)
        .await?;
    let mut marks = marks_by_extent(&marks)?;
    rows.iter().map(|row| extent(row, marks.remove(&extent_id(row, "id")?).unwrap_or_default())).collect()
}

//! Walking over everything there is, for what is rebuilt or checked as a whole.

use super::{Catalog, EntryId, Result, page_limit, row::Columns, tree::FILE};

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
}

//! How much there is.

use super::{Catalog, Result, Tx, row::Columns};

/// Of all users together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Files in the trees, not in the trash.
    pub files: u64,
    /// Bytes of these files.
    pub bytes: u64,
    /// Files in the trash.
    pub trashed_files: u64,
    /// Bytes of the files in the trash.
    pub trashed_bytes: u64,
}

impl Catalog {
    /// Counts all files. It looks at every one: ask seldom and keep the answer for a while.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn totals(&self) -> Result<Totals> {
        self.read(move |mut tx| async move {
            let totals = totals(&mut tx).await;
            (tx, totals)
        })
        .await
    }
}

async fn totals(tx: &mut Tx) -> Result<Totals> {
    let all = sqlx::query(
        "SELECT COUNT(*) AS files, CAST(COALESCE(SUM(size), 0) AS SIGNED) AS bytes FROM contents",
    )
    .fetch_one(&mut **tx)
    .await?;
    let trash = sqlx::query(
        "SELECT CAST(COALESCE(SUM(files), 0) AS SIGNED) AS files, CAST(COALESCE(SUM(bytes), 0) AS SIGNED) AS bytes FROM trash",
    )
    .fetch_one(&mut **tx)
    .await?;
    let (trashed_files, trashed_bytes): (u64, u64) = (trash.number("files")?, trash.number("bytes")?);
    Ok(Totals {
        files: all.number::<u64>("files")?.saturating_sub(trashed_files),
        bytes: all.number::<u64>("bytes")?.saturating_sub(trashed_bytes),
        trashed_files,
        trashed_bytes,
    })
}

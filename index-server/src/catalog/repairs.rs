//! What a comparison of everything asks, and the little that it may put right.

use super::{
    Catalog, EntryId, Listed, Result, Topic, Tx, UserName,
    dialect::{sql, values},
    extents::ROWS_PER_STATEMENT,
    row::{Columns, signed},
};
use std::collections::BTreeSet;

/// More than so many are not told.
const INCOMPLETE_MAX: i64 = 1000;

impl Catalog {
    /// Files whose extents together are not as long as they are, with their owners: the first thousand.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn incomplete_files(&self) -> Result<Vec<(EntryId, UserName)>> {
        self.look(move |mut tx| async move {
            let files = incomplete(&mut tx).await;
            (tx, files)
        })
        .await
    }

    /// Which of these entries the graph will hear of soon, by their rows in the outbox: what it shows of them may be out of date. A
    /// folder that was moved takes all that is below it along.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn on_their_way(&self, entries: &[EntryId]) -> Result<BTreeSet<EntryId>> {
        self.read(move |mut tx| async move {
            let pending = pending(&mut tx, entries).await;
            (tx, pending)
        })
        .await
    }

    /// Gives an extent the code and length that its own shards agree on; false if it is gone or the file would not fit.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn reshape(&self, shape: &Listed) -> Result<bool> {
        self.write(move |mut tx| async move {
            let done = reshape(&mut tx, shape).await;
            (tx, done)
        })
        .await
    }
}

async fn incomplete(tx: &mut Tx) -> Result<Vec<(EntryId, UserName)>> {
    let rows = sqlx::query(
        "SELECT e.id, e.owner FROM contents k JOIN entries e ON e.content = k.id \
         LEFT JOIN (SELECT content, SUM(bytes) AS bytes FROM extents GROUP BY content) x ON x.content = k.id \
         WHERE k.size <> COALESCE(x.bytes, 0) ORDER BY e.id LIMIT ?",
    )
    .bind(INCOMPLETE_MAX)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter().map(|row| Ok((row.number("id")?, row.user("owner")?))).collect()
}

async fn pending(tx: &mut Tx, entries: &[EntryId]) -> Result<BTreeSet<EntryId>> {
    let moved = sqlx::query("SELECT seq FROM outbox WHERE topic = ? AND scope = 1 LIMIT 1")
        .bind(Topic::Graph.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    if moved.is_some() {
        return Ok(entries.iter().copied().collect());
    }
    let mut pending = BTreeSet::new();
    for some in entries.chunks(ROWS_PER_STATEMENT) {
        let list = values(some.len(), 1);
        let select = format!("SELECT DISTINCT entry FROM outbox WHERE topic = ? AND entry IN {list}");
        let mut query = sqlx::query(sql(select)).bind(Topic::Graph.as_str());
        for entry in some {
            query = query.bind(entry.0);
        }
        for row in query.fetch_all(&mut **tx).await? {
            pending.insert(row.number("entry")?);
        }
    }
    Ok(pending)
}

async fn reshape(tx: &mut Tx, shape: &Listed) -> Result<bool> {
    let lock = tx.dialect().for_update();
    let row = sqlx::query(sql(format!("SELECT content, bytes FROM extents WHERE id = ?{lock}")))
        .bind(&shape.extent.as_bytes()[..])
        .fetch_optional(&mut **tx)
        .await?;
    let Some(row) = row else { return Ok(false) };
    let (content, bytes): (i64, u64) = (row.number("content")?, row.number("bytes")?);
    let size = sqlx::query(
        "SELECT k.size AS size, CAST(COALESCE(SUM(x.bytes), 0) AS SIGNED) AS held FROM contents k \
         LEFT JOIN extents x ON x.content = k.id WHERE k.id = ? GROUP BY k.id, k.size",
    )
    .bind(content)
    .fetch_one(&mut **tx)
    .await?;
    let (size, held): (u64, u64) = (size.number("size")?, size.number("held")?);
    // Another length must make the file whole, or it is not the row that is wrong.
    if shape.extent_bytes != bytes && held - bytes + shape.extent_bytes != size {
        return Ok(false);
    }
    sqlx::query("UPDATE extents SET data = ?, parity = ?, cell_bytes = ?, bytes = ? WHERE id = ?")
        .bind(i64::from(shape.data))
        .bind(i64::from(shape.parity))
        .bind(i64::from(shape.cell_bytes))
        .bind(signed(shape.extent_bytes)?)
        .bind(&shape.extent.as_bytes()[..])
        .execute(&mut **tx)
        .await?;
    Ok(true)
}

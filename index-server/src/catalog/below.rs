//! All files below a folder, without looking at all of them for each piece.

use super::{
    Catalog, EntryId, Result, Tx, UserName,
    dialect::sql,
    page_limit,
    row::Columns,
    tree::{FILE, FOLDER},
};

impl Catalog {
    /// The numbers of the files below a folder, also of one in the trash, piece by piece: each begins behind the last file of the one
    /// before. If that file is gone meanwhile, they begin anew.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn files_below(
        &self,
        folder: EntryId,
        after: Option<EntryId>,
        limit: u32,
    ) -> Result<Vec<EntryId>> {
        self.read(move |mut tx| async move {
            let files = files_below(&mut tx, folder, after, limit).await;
            (tx, files)
        })
        .await
    }
}

/// Folder by folder, in the order of their numbers, and by name within each.
async fn files_below(tx: &mut Tx, top: EntryId, after: Option<EntryId>, limit: u32) -> Result<Vec<EntryId>> {
    let row = sqlx::query("SELECT owner, kind FROM entries WHERE id = ?")
        .bind(top.0)
        .fetch_optional(&mut **tx)
        .await?;
    let Some(row) = row else { return Ok(Vec::new()) };
    if row.number::<i64>("kind")? != FOLDER {
        return Ok(if after.is_none() { vec![top] } else { Vec::new() });
    }
    let owner = row.user("owner")?;
    let (from, mut name) = position(tx, after).await?;
    let limit = page_limit(limit) as usize;
    let mut files = Vec::new();
    for folder in folders_from(tx, &owner, top, from).await? {
        if folder != from {
            name.clear();
        }
        files.extend(files_of(tx, &owner, folder, &name, limit - files.len()).await?);
        if files.len() == limit {
            break;
        }
    }
    Ok(files)
}

/// The folder and name behind which to go on.
async fn position(tx: &mut Tx, after: Option<EntryId>) -> Result<(i64, Vec<u8>)> {
    let Some(after) = after else { return Ok((0, Vec::new())) };
    let row = sqlx::query("SELECT parent, name FROM entries WHERE id = ?")
        .bind(after.0)
        .fetch_optional(&mut **tx)
        .await?;
    row.map_or(Ok((0, Vec::new())), |row| Ok((row.number("parent")?, row.bytes("name")?)))
}

async fn folders_from(tx: &mut Tx, owner: &UserName, top: EntryId, from: i64) -> Result<Vec<i64>> {
    let by_index = tx.dialect().by_index("entries_in_order");
    let rows = sqlx::query(sql(format!(
        "WITH RECURSIVE tree (id) AS (\
           SELECT id FROM entries WHERE id = ? \
           UNION ALL SELECT e.id FROM tree CROSS JOIN entries e{by_index} ON e.owner = ? AND e.parent = tree.id AND e.kind = 0) \
         SELECT id FROM tree WHERE id >= ? ORDER BY id"
    )))
    .bind(top.0)
    .bind(owner.as_str())
    .bind(from)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter().map(|row| row.number("id")).collect()
}

async fn files_of(
    tx: &mut Tx,
    owner: &UserName,
    folder: i64,
    after: &[u8],
    limit: usize,
) -> Result<Vec<EntryId>> {
    let by_index = tx.dialect().by_index("entries_in_order");
    let select = format!(
        "SELECT id FROM entries{by_index} WHERE owner = ? AND parent = ? AND kind = ? AND name > ? ORDER BY name LIMIT ?"
    );
    let rows = sqlx::query(sql(select))
        .bind(owner.as_str())
        .bind(folder)
        .bind(FILE)
        .bind(after)
        .bind(limit as i64)
        .fetch_all(&mut **tx)
        .await?;
    rows.iter().map(|row| row.number("id")).collect()
}

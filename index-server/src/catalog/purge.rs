//! The end of a file: its rows go, its shards become removals.

use super::{
    Catalog, ContentId, EntryId, Result, Tx, UserName,
    dialect::sql,
    elsewhere,
    extents::extent_id,
    outbox::{self, Scope, Topic},
    page_limit, removals,
    row::Columns,
    tree::{FILE, own_tree},
};

/// What one step of emptying the trash did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Files and folders that are gone for good.
    pub entries: u64,
    /// True if there may be more to do.
    pub more: bool,
}

impl Catalog {
    /// Deletes for good what was thrown away before `before_ms`: one step of at most `limit` files and folders of one act.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn purge_expired(&self, before_ms: i64, limit: u32) -> Result<Purged> {
        self.write(move |mut tx| async move {
            let purged = purge(&mut tx, before_ms, limit).await;
            (tx, purged)
        })
        .await
    }
}

/// Has all shards of a content removed and forgets it. No entry may point to it any more.
pub(super) async fn drop_content(tx: &mut Tx, content: ContentId) -> Result<()> {
    let lock = tx.dialect().for_update();
    let select = format!("SELECT id FROM extents WHERE content = ?{lock}");
    let rows = sqlx::query(sql(select)).bind(content.0).fetch_all(&mut **tx).await?;
    let extents = rows.iter().map(|row| extent_id(row, "id")).collect::<Result<Vec<_>>>()?;
    removals::remove_extents(tx, &extents).await?;
    elsewhere::forget(tx, &extents).await?;
    sqlx::query("DELETE FROM extents WHERE content = ?").bind(content.0).execute(&mut **tx).await?;
    sqlx::query("DELETE FROM contents WHERE id = ?").bind(content.0).execute(&mut **tx).await?;
    Ok(())
}

async fn purge(tx: &mut Tx, before_ms: i64, limit: u32) -> Result<Purged> {
    let oldest =
        sqlx::query("SELECT id, owner FROM trash WHERE trashed_ms < ? ORDER BY trashed_ms, id LIMIT 1")
            .bind(before_ms)
            .fetch_optional(&mut **tx)
            .await?;
    let Some(row) = oldest else { return Ok(Purged::default()) };
    let (id, owner): (i64, UserName) = (row.number("id")?, row.user("owner")?);
    own_tree(tx, &owner).await?;
    // Looked at again behind the lock: it may have been restored a moment ago.
    let row = sqlx::query("SELECT entry FROM trash WHERE id = ?").bind(id).fetch_optional(&mut **tx).await?;
    let Some(row) = row else { return Ok(Purged { entries: 0, more: true }) };
    let entries = purge_below(tx, id, row.number("entry")?, &owner, page_limit(limit)).await?;
    Ok(Purged { entries, more: true })
}

/// Deepest first, so that what is left is always a tree; a tree that has lost a leaf can no longer be restored.
async fn purge_below(tx: &mut Tx, trash: i64, top: i64, owner: &UserName, limit: u32) -> Result<u64> {
    let rows = sqlx::query(
        "WITH RECURSIVE tree (id, kind, content, depth) AS (\
           SELECT id, kind, content, 0 FROM entries WHERE id = ? \
           UNION ALL SELECT e.id, e.kind, e.content, tree.depth + 1 FROM tree CROSS JOIN entries e ON e.owner = ? AND e.parent = tree.id) \
         SELECT t.id, t.kind, t.content, c.size FROM tree t LEFT JOIN contents c ON c.id = t.content ORDER BY t.depth DESC, t.id LIMIT ?",
    )
    .bind(top)
    .bind(owner.as_str())
    .bind(i64::from(limit))
    .fetch_all(&mut **tx)
    .await?;
    let (mut files, mut bytes) = (0i64, 0i64);
    for row in &rows {
        let id: i64 = row.number("id")?;
        if id == top {
            sqlx::query("DELETE FROM trash WHERE id = ?").bind(trash).execute(&mut **tx).await?;
        }
        if row.number::<i64>("kind")? == FILE {
            files += 1;
            bytes += row.maybe_number::<i64>("size")?.unwrap_or(0);
            outbox::push(tx, Topic::Graph, EntryId(id), Scope::Entry, None).await?;
        }
        delete_entry(tx, id, row.maybe_number("content")?).await?;
    }
    sqlx::query("UPDATE trash SET purging = 1, files = files - ?, bytes = bytes - ? WHERE id = ?")
        .bind(files)
        .bind(bytes)
        .bind(trash)
        .execute(&mut **tx)
        .await?;
    Ok(rows.len() as u64)
}

async fn delete_entry(tx: &mut Tx, id: i64, content: Option<ContentId>) -> Result<()> {
    sqlx::query("DELETE FROM taggings WHERE entry = ?").bind(id).execute(&mut **tx).await?;
    sqlx::query("DELETE FROM entries WHERE id = ?").bind(id).execute(&mut **tx).await?;
    match content {
        Some(content) => drop_content(tx, content).await,
        None => Ok(()),
    }
}

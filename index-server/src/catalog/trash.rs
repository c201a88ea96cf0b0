//! Thrown away, but not yet gone.
//!
//! What is thrown away keeps its row and all that hangs on it; its parent becomes minus its own number, which no path leads to.

use super::{
    Catalog, CatalogError, Entry, EntryId, LogicalPath, Page, Result, TrashId, Tx, UserName, now_ms,
    outbox::{self, Scope, Topic},
    page_limit,
    row::Columns,
    tree::{FOLDER, ROOT, Spot, child, entry_by_id, find, folder_made, own_tree},
};
use sqlx::any::AnyRow;

/// Something in the trash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trashed {
    /// Names this act of throwing away.
    pub id: TrashId,
    /// What was thrown away.
    pub entry: EntryId,
    /// Where it was.
    pub path: LogicalPath,
    /// A folder, with all that was in it.
    pub is_folder: bool,
    /// Files in it, itself included.
    pub files: u64,
    /// Bytes of these files.
    pub bytes: u64,
    /// Unix milliseconds.
    pub trashed_ms: i64,
}

/// What to bring back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restore {
    /// This one.
    Id(TrashId),
    /// What was thrown away last at this place.
    Path(LogicalPath),
}

impl Catalog {
    /// Throws away the file, or the folder with all that is in it.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`]; [`CatalogError::Conflict`] for the root.
    pub async fn trash(&self, owner: &UserName, path: &LogicalPath) -> Result<TrashId> {
        self.write(move |mut tx| async move {
            let id = trash(&mut tx, owner, path).await;
            (tx, id)
        })
        .await
    }

    /// What `owner` has thrown away, newest first.
    ///
    /// # Errors
    /// [`CatalogError::InvalidCursor`].
    pub async fn trash_list(
        &self,
        owner: &UserName,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Trashed>> {
        let before = cursor.map(str::parse::<i64>).transpose().map_err(|_| CatalogError::InvalidCursor)?;
        self.read(move |mut tx| async move {
            let page = page(&mut tx, owner, before.unwrap_or(i64::MAX), page_limit(limit)).await;
            (tx, page)
        })
        .await
    }

    /// Puts it back where it was; folders above it that are gone are made.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`]; [`CatalogError::Exists`] if the place is taken; [`CatalogError::NotAFolder`] if a file stands in the way.
    pub async fn restore(&self, owner: &UserName, what: &Restore) -> Result<Entry> {
        self.write(move |mut tx| async move {
            let entry = restore(&mut tx, owner, what).await;
            (tx, entry)
        })
        .await
    }
}

async fn trash(tx: &mut Tx, owner: &UserName, path: &LogicalPath) -> Result<TrashId> {
    if path.is_root() {
        return Err(CatalogError::Conflict("the root cannot be thrown away"));
    }
    own_tree(tx, owner).await?;
    let spot = find(tx, owner, path).await?.ok_or(CatalogError::NotFound("file or folder"))?;
    let (files, bytes) = weight(tx, owner, spot.id).await?;
    move_to_parent(tx, spot.id, -spot.id).await?;
    let (owner, path) = (owner.as_str(), path.as_str().as_bytes());
    let insert = "INSERT INTO trash (entry, owner, original_path, trashed_ms, files, bytes, purging) VALUES (?, ?, ?, ?, ?, ?, 0)";
    let id = tx
        .insert(insert, |query| {
            query.bind(spot.id).bind(owner).bind(path).bind(now_ms()).bind(files).bind(bytes)
        })
        .await?;
    outbox::push(tx, Topic::Graph, EntryId(spot.id), scope_of(spot), None).await?;
    Ok(TrashId(id))
}

pub(super) fn scope_of(spot: Spot) -> Scope {
    if spot.kind == FOLDER { Scope::Subtree } else { Scope::Entry }
}

async fn move_to_parent(tx: &mut Tx, entry: i64, parent: i64) -> Result<()> {
    sqlx::query("UPDATE entries SET parent = ? WHERE id = ?")
        .bind(parent)
        .bind(entry)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Files and bytes from `top` down. `CROSS JOIN`, here and elsewhere, is what tells SQLite, which keeps no statistics, where to begin.
async fn weight(tx: &mut Tx, owner: &UserName, top: i64) -> Result<(i64, i64)> {
    let row = sqlx::query(
        "WITH RECURSIVE tree (id, content) AS (\
           SELECT id, content FROM entries WHERE id = ? \
           UNION ALL SELECT e.id, e.content FROM tree CROSS JOIN entries e ON e.owner = ? AND e.parent = tree.id) \
         SELECT COUNT(*) AS files, CAST(COALESCE(SUM(c.size), 0) AS SIGNED) AS bytes \
         FROM tree t CROSS JOIN contents c ON c.id = t.content",
    )
    .bind(top)
    .bind(owner.as_str())
    .fetch_one(&mut **tx)
    .await?;
    Ok((row.number("files")?, row.number("bytes")?))
}

const TRASH_COLUMNS: &str = "t.id, t.entry, t.original_path, t.trashed_ms, t.files, t.bytes, e.kind FROM trash t JOIN entries e ON e.id = t.entry";

async fn page(tx: &mut Tx, owner: &UserName, before: i64, limit: u32) -> Result<Page<Trashed>> {
    let rows = sqlx::query(super::dialect::sql(format!(
        "SELECT {TRASH_COLUMNS} WHERE t.owner = ? AND t.id < ? AND t.purging = 0 ORDER BY t.id DESC LIMIT ?"
    )))
    .bind(owner.as_str())
    .bind(before)
    .bind(i64::from(limit) + 1)
    .fetch_all(&mut **tx)
    .await?;
    let mut items = rows.iter().map(trashed).collect::<Result<Vec<_>>>()?;
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = items.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Page { items, next })
}

fn trashed(row: &AnyRow) -> Result<Trashed> {
    Ok(Trashed {
        id: row.number("id")?,
        entry: row.number("entry")?,
        path: row.path("original_path")?,
        is_folder: row.number::<i64>("kind")? == FOLDER,
        files: row.number("files")?,
        bytes: row.number("bytes")?,
        trashed_ms: row.number("trashed_ms")?,
    })
}

async fn restore(tx: &mut Tx, owner: &UserName, what: &Restore) -> Result<Entry> {
    own_tree(tx, owner).await?;
    let thrown = find_trashed(tx, owner, what).await?.ok_or(CatalogError::NotFound("thing in the trash"))?;
    let (above, name) =
        thrown.path.split().ok_or_else(|| CatalogError::invariant("the root is in the trash"))?;
    let parent = folder_made(tx, owner, &above).await?;
    if child(tx, owner, parent, name).await?.is_some() {
        return Err(CatalogError::Exists("something at that place"));
    }
    debug_assert!(parent >= ROOT);
    sqlx::query("DELETE FROM trash WHERE id = ?").bind(thrown.id.0).execute(&mut **tx).await?;
    move_to_parent(tx, thrown.entry.0, parent).await?;
    let scope = if thrown.is_folder { Scope::Subtree } else { Scope::Entry };
    outbox::push(tx, Topic::Graph, thrown.entry, scope, None).await?;
    tag_what_was_not(tx, thrown.entry, owner).await?;
    entry_by_id(tx, thrown.entry.0, thrown.path).await
}

/// The tagger skips what is in the trash; what it has skipped gets another row.
async fn tag_what_was_not(tx: &mut Tx, top: EntryId, owner: &UserName) -> Result<()> {
    sqlx::query(
        "INSERT INTO outbox (topic, entry, scope, content, attempts, not_before_ms) \
         WITH RECURSIVE tree (id, content) AS (\
           SELECT id, content FROM entries WHERE id = ? \
           UNION ALL SELECT e.id, e.content FROM tree CROSS JOIN entries e ON e.owner = ? AND e.parent = tree.id) \
         SELECT ?, t.id, 0, t.content, 0, 0 FROM tree t WHERE t.content IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM taggings g WHERE g.entry = t.id)",
    )
    .bind(top.0)
    .bind(owner.as_str())
    .bind(Topic::Tag.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn find_trashed(tx: &mut Tx, owner: &UserName, what: &Restore) -> Result<Option<Trashed>> {
    let select = |condition: &str| {
        super::dialect::sql(format!(
            "SELECT {TRASH_COLUMNS} WHERE t.owner = ? AND {condition} AND t.purging = 0 ORDER BY t.id DESC LIMIT 1"
        ))
    };
    let query = match what {
        Restore::Id(id) => sqlx::query(select("t.id = ?")).bind(owner.as_str()).bind(id.0),
        Restore::Path(path) => {
            sqlx::query(select("t.original_path = ?")).bind(owner.as_str()).bind(path.as_str().as_bytes())
        }
    };
    query.fetch_optional(&mut **tx).await?.map(|row| trashed(&row)).transpose()
}

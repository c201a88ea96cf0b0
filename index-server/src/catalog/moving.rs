//! Moving and renaming: one row changes, however much lies below it.

use super::{
    Catalog, CatalogError, Entry, EntryId, LogicalPath, NAME_BYTES_MAX, PATH_BYTES_MAX, PATH_DEPTH_MAX,
    Result, Tx, UserName,
    dialect::sql,
    now_ms,
    outbox::{self, Topic},
    row::Columns,
    search::folded,
    trash::scope_of,
    tree::{child, entry_by_id, find, folder, own_tree},
};

impl Catalog {
    /// Moves a file or folder to `to`, whose parent must be there. To move something onto itself changes nothing.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`] (of `from`, or of the parent of `to`), [`CatalogError::NotAFolder`], [`CatalogError::Exists`];
    /// [`CatalogError::Conflict`] for the root, into itself, or too deep.
    pub async fn move_entry(&self, owner: &UserName, from: &LogicalPath, to: &LogicalPath) -> Result<Entry> {
        self.write(move |mut tx| async move {
            let entry = move_entry(&mut tx, owner, from, to).await;
            (tx, entry)
        })
        .await
    }
}

async fn move_entry(tx: &mut Tx, owner: &UserName, from: &LogicalPath, to: &LogicalPath) -> Result<Entry> {
    let (Some(_), Some((above, name))) = (from.name(), to.split()) else {
        return Err(CatalogError::Conflict("the root cannot be moved or replaced"));
    };
    own_tree(tx, owner).await?;
    let spot = find(tx, owner, from).await?.ok_or(CatalogError::NotFound("file or folder"))?;
    if from == to {
        return entry_by_id(tx, spot.id, to.clone()).await;
    }
    // With the whole tree locked, paths say all there is to say about who lies in whom.
    if to.is_within(from) {
        return Err(CatalogError::Conflict("a folder cannot be moved into itself"));
    }
    let parent = folder(tx, owner, &above).await?;
    if child(tx, owner, parent, name).await?.is_some() {
        return Err(CatalogError::Exists("the name"));
    }
    check_reach(tx, owner, spot.id, to).await?;
    sqlx::query("UPDATE entries SET parent = ?, name = ?, name_folded = ?, modified_ms = ? WHERE id = ?")
        .bind(parent)
        .bind(name.as_bytes())
        .bind(folded(name))
        .bind(now_ms())
        .bind(spot.id)
        .execute(&mut **tx)
        .await?;
    outbox::push(tx, Topic::Graph, EntryId(spot.id), scope_of(spot), None).await?;
    entry_by_id(tx, spot.id, to.clone()).await
}

/// Everything below must still have a path.
async fn check_reach(tx: &mut Tx, owner: &UserName, top: i64, to: &LogicalPath) -> Result<()> {
    let fits = |(depth, bytes): (usize, usize)| {
        to.segments().count() + depth <= PATH_DEPTH_MAX && to.as_str().len() + bytes <= PATH_BYTES_MAX
    };
    // Most often there is room below the deepest folder for a file of any name; then nobody need look at the files.
    let (depth, bytes) = reach(tx, owner, top, "AND e.kind = 0").await?;
    if fits((depth + 1, bytes + 1 + NAME_BYTES_MAX)) || fits(reach(tx, owner, top, "").await?) {
        return Ok(());
    }
    Err(CatalogError::Conflict("what lies in it would be too deep"))
}

/// How many names, and how many bytes of a path, the longest way down adds.
async fn reach(tx: &mut Tx, owner: &UserName, top: i64, only: &'static str) -> Result<(usize, usize)> {
    let by_index = tx.dialect().by_index("entries_in_order");
    let row = sqlx::query(sql(format!(
        "WITH RECURSIVE tree (id, depth, bytes) AS (\
           SELECT id, 0, 0 FROM entries WHERE id = ? \
           UNION ALL SELECT e.id, tree.depth + 1, tree.bytes + 1 + LENGTH(e.name) FROM tree \
           CROSS JOIN entries e{by_index} ON e.owner = ? AND e.parent = tree.id {only}) \
         SELECT MAX(depth) AS depth, MAX(bytes) AS bytes FROM tree"
    )))
    .bind(top)
    .bind(owner.as_str())
    .fetch_one(&mut **tx)
    .await?;
    Ok((row.number("depth")?, row.number("bytes")?))
}

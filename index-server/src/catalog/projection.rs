//! What derived stores show of a file, and the way from a number back to a path.

use super::{
    Catalog, CatalogError, Entry, EntryId, LogicalPath, PATH_DEPTH_MAX, Result, TagState, Tagging, Tx,
    UserName,
    row::Columns,
    taggings,
    tree::{ROOT, entry_by_id},
};

/// A file as the tag graph shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// The file.
    pub entry: EntryId,
    /// Whose it is.
    pub owner: UserName,
    /// The last part of its path.
    pub name: String,
    /// Where it is.
    pub path: LogicalPath,
    /// In bytes.
    pub size: u64,
    /// All but the rejected ones.
    pub tags: Vec<Tagging>,
}

impl Catalog {
    /// The file as it is now; none if it is a folder, in the trash or gone.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn projection(&self, entry: EntryId) -> Result<Option<Projection>> {
        self.read(move |mut tx| async move {
            let projection = projection(&mut tx, entry).await;
            (tx, projection)
        })
        .await
    }

    /// The file or folder with this number.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`]: it is in the trash or gone.
    pub async fn entry(&self, id: EntryId) -> Result<Entry> {
        self.read(move |mut tx| async move {
            let entry = reachable(&mut tx, id).await;
            (tx, entry.and_then(|entry| entry.ok_or(CatalogError::NotFound("file or folder"))))
        })
        .await
    }

    /// The files and folders with these numbers, in this order, without those that are in the trash or gone.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn entries(&self, ids: &[EntryId]) -> Result<Vec<Entry>> {
        self.read(move |mut tx| async move {
            let entries = entries(&mut tx, ids).await;
            (tx, entries)
        })
        .await
    }
}

async fn projection(tx: &mut Tx, id: EntryId) -> Result<Option<Projection>> {
    let Some(Entry { owner, path, content: Some(content), .. }) = reachable(tx, id).await? else {
        return Ok(None);
    };
    let mut tags = taggings::taggings(tx, &[id]).await?.remove(&id).unwrap_or_default();
    tags.retain(|tagging| tagging.state != TagState::Rejected);
    let name = path.name().unwrap_or_default().to_owned();
    Ok(Some(Projection { entry: id, owner, name, path, size: content.size, tags }))
}

async fn entries(tx: &mut Tx, ids: &[EntryId]) -> Result<Vec<Entry>> {
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        found.extend(reachable(tx, *id).await?);
    }
    Ok(found)
}

async fn reachable(tx: &mut Tx, id: EntryId) -> Result<Option<Entry>> {
    match path_of(tx, id).await? {
        Some(path) => entry_by_id(tx, id.0, path).await.map(Some),
        None => Ok(None),
    }
}

/// From the entry up to the root; none if the way ends in the trash.
async fn path_of(tx: &mut Tx, id: EntryId) -> Result<Option<LogicalPath>> {
    let mut names = Vec::new();
    let mut next = id.0;
    while next > ROOT {
        if names.len() > PATH_DEPTH_MAX {
            return Err(CatalogError::invariant(format!("the way up from entry {id} has no end")));
        }
        let row = sqlx::query("SELECT parent, name FROM entries WHERE id = ?")
            .bind(next)
            .fetch_optional(&mut **tx)
            .await?;
        let Some(row) = row else { return Ok(None) };
        names.push(row.name("name")?);
        next = row.number("parent")?;
    }
    if next < ROOT || names.is_empty() {
        return Ok(None);
    }
    names.reverse();
    let path = format!("/{}", names.join("/")).parse();
    path.map(Some).map_err(|error| CatalogError::invariant(format!("entry {id}: {error}")))
}

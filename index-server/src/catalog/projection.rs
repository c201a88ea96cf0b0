//! What derived stores show of a file, and the way from a number back to a path.

use super::{
    Catalog, CatalogError, Entry, EntryId, LogicalPath, PATH_DEPTH_MAX, Result, TagState, Tagging, Tx,
    UserName,
    dialect::{sql, values},
    extents::ROWS_PER_STATEMENT,
    row::Columns,
    taggings,
    tree::{ENTRY_COLUMNS, ROOT, below, entry},
};
use std::collections::HashMap;

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

    /// Several files as they are now; those that are a folder, in the trash or gone are not among them.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn projections(&self, entries: &[EntryId]) -> Result<Vec<Projection>> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        self.read(move |mut tx| async move {
            let projections = projections(&mut tx, entries).await;
            (tx, projections)
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
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.read(move |mut tx| async move {
            let entries = entries(&mut tx, ids).await;
            (tx, entries)
        })
        .await
    }
}

async fn projection(tx: &mut Tx, id: EntryId) -> Result<Option<Projection>> {
    Ok(projections(tx, &[id]).await?.pop())
}

async fn projections(tx: &mut Tx, ids: &[EntryId]) -> Result<Vec<Projection>> {
    let files = entries(tx, ids).await?;
    let mut tags = HashMap::new();
    for ids in ids.chunks(ROWS_PER_STATEMENT) {
        tags.extend(taggings::taggings(tx, ids).await?);
    }
    let project = |file: Entry| {
        let size = file.content?.size;
        let mut tags = tags.remove(&file.id).unwrap_or_default();
        tags.retain(|tagging| tagging.state != TagState::Rejected);
        let name = file.path.name().unwrap_or_default().to_owned();
        Some(Projection { entry: file.id, owner: file.owner, name, path: file.path, size, tags })
    };
    Ok(files.into_iter().filter_map(project).collect())
}

/// The entries that can be reached from the root, in the order of `ids`.
async fn entries(tx: &mut Tx, ids: &[EntryId]) -> Result<Vec<Entry>> {
    let mut rows = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(ROWS_PER_STATEMENT) {
        let mut select = sqlx::query(sql(format!(
            "SELECT {ENTRY_COLUMNS} FROM entries e LEFT JOIN contents c ON c.id = e.content WHERE e.id IN {}",
            values(ids.len(), 1)
        )));
        for id in ids {
            select = select.bind(id.0);
        }
        for row in select.fetch_all(&mut **tx).await? {
            rows.insert(row.number::<i64>("id")?, row);
        }
    }
    let mut folders = Folders::default();
    let mut found = Vec::with_capacity(rows.len());
    for id in ids {
        let Some(row) = rows.get(&id.0) else { continue };
        let Some(folder) = folders.path(tx, row.number("parent")?).await? else { continue };
        found.push(entry(row, below(&folder, &row.name("name")?)?)?);
    }
    Ok(found)
}

async fn reachable(tx: &mut Tx, id: EntryId) -> Result<Option<Entry>> {
    Ok(entries(tx, &[id]).await?.pop())
}

/// The paths of folders, each looked up once: files that are looked at together mostly lie together.
#[derive(Default)]
struct Folders(HashMap<i64, Option<LogicalPath>>);

impl Folders {
    /// From the folder up to the root; none if the way ends in the trash.
    async fn path(&mut self, tx: &mut Tx, folder: i64) -> Result<Option<LogicalPath>> {
        let mut names: Vec<(i64, String)> = Vec::new();
        let mut next = folder;
        let known = loop {
            match self.0.get(&next) {
                Some(known) => break known.clone(),
                None if next == ROOT => break Some(LogicalPath::root()),
                None if next < ROOT => break None,
                None => {}
            }
            if names.len() > PATH_DEPTH_MAX {
                return Err(CatalogError::invariant(format!("the way up from folder {folder} has no end")));
            }
            let row = sqlx::query("SELECT parent, name FROM entries WHERE id = ?")
                .bind(next)
                .fetch_optional(&mut **tx)
                .await?;
            let Some(row) = row else { break None };
            names.push((next, row.name("name")?));
            next = row.number("parent")?;
        };
        let mut path = known;
        for (id, name) in names.into_iter().rev() {
            path = path.map(|above| below(&above, &name)).transpose()?;
            self.0.insert(id, path.clone());
        }
        Ok(path)
    }
}

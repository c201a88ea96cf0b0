//! Folders and the way through them.

use super::{
    Catalog, CatalogError, ContentId, EntryId, LogicalPath, PathError, Result, Tx, UserName, dialect::sql,
    now_ms, row::Columns, search::folded,
};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

/// The parent of what lies in the root; the root itself has no row.
pub(super) const ROOT: i64 = 0;
pub(super) const FOLDER: i64 = 0;
pub(super) const FILE: i64 = 1;

/// A file or folder in somebody's tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Stays the same through moves and new versions; 0 for the root.
    pub id: EntryId,
    /// Whose it is.
    pub owner: UserName,
    /// Where it is.
    pub path: LogicalPath,
    /// Unix milliseconds.
    pub created_ms: i64,
    /// Unix milliseconds.
    pub modified_ms: i64,
    /// Of a file its content; a folder has none.
    pub content: Option<Content>,
}

/// One version of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Changes with every upload.
    pub id: ContentId,
    /// In bytes.
    pub size: u64,
    /// Of the whole content.
    pub blake3: [u8; 32],
    /// As uploaded or guessed.
    pub media_type: String,
    /// Unix milliseconds.
    pub created_ms: i64,
}

impl Entry {
    /// True for a folder and the root.
    pub fn is_folder(&self) -> bool {
        self.content.is_none()
    }
}

pub(super) const ENTRY_COLUMNS: &str = "e.id, e.owner, e.parent, e.name, e.kind, e.created_ms, e.modified_ms, \
     c.id AS content_id, c.size, c.blake3, c.media_type, c.created_ms AS content_created_ms";

/// What is needed of an entry to walk through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) id: i64,
    pub(super) kind: i64,
}

/// Names of a path that one statement follows; longer ones are walked.
const JOINED_MAX: usize = 16;

const ROOT_SPOT: Spot = Spot { id: ROOT, kind: FOLDER };

impl Catalog {
    /// What is at `path`.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`].
    pub async fn stat(&self, owner: &UserName, path: &LogicalPath) -> Result<Entry> {
        if (1..=JOINED_MAX).contains(&path.segments().count()) {
            return self
                .look(move |mut tx| async move {
                    let entry = entry_by_path(&mut tx, owner, path).await;
                    (tx, entry)
                })
                .await;
        }
        self.read(move |mut tx| async move {
            let entry = entry_at(&mut tx, owner, path).await;
            (tx, entry)
        })
        .await
    }

    /// Makes the folder `path`; with `parents` also those above it, and then one that is there already is no error.
    ///
    /// # Errors
    /// [`CatalogError::Exists`], [`CatalogError::NotFound`] (of the parent), [`CatalogError::NotAFolder`].
    pub async fn mkdir(&self, owner: &UserName, path: &LogicalPath, parents: bool) -> Result<Entry> {
        self.write(move |mut tx| async move {
            let made = make_folder(&mut tx, owner, path, parents).await;
            (tx, made)
        })
        .await
    }
}

/// Keeps the tree of `owner` from being rearranged until the end of the transaction; others may add to it meanwhile.
pub(super) async fn share_tree(tx: &mut Tx, owner: &UserName) -> Result<()> {
    lock_user(tx, owner, tx.dialect().for_share()).await
}

/// Keeps everybody else from changing the tree of `owner` until the end of the transaction.
pub(super) async fn own_tree(tx: &mut Tx, owner: &UserName) -> Result<()> {
    lock_user(tx, owner, tx.dialect().for_update()).await
}

async fn lock_user(tx: &mut Tx, owner: &UserName, lock: &str) -> Result<()> {
    let row = sqlx::query(sql(format!("SELECT name FROM users WHERE name = ?{lock}")))
        .bind(owner.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    row.map(drop).ok_or(CatalogError::NotFound("user"))
}

pub(super) async fn child(tx: &mut Tx, owner: &UserName, parent: i64, name: &str) -> Result<Option<Spot>> {
    let row = sqlx::query("SELECT id, kind FROM entries WHERE owner = ? AND parent = ? AND name = ?")
        .bind(owner.as_str())
        .bind(parent)
        .bind(name.as_bytes())
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|row| Ok(Spot { id: row.number("id")?, kind: row.number("kind")? })).transpose()
}

/// The entry at `path`; the root is one too.
pub(super) async fn find(tx: &mut Tx, owner: &UserName, path: &LogicalPath) -> Result<Option<Spot>> {
    let names: Vec<&str> = path.segments().collect();
    let mut spot = ROOT_SPOT;
    for names in names.chunks(JOINED_MAX) {
        if spot.kind != FOLDER {
            return Ok(None);
        }
        let (tables, condition) = way(names.len());
        let select = format!("SELECT e.id, e.kind FROM {tables} WHERE {condition}");
        let row = along(sqlx::query(sql(select)), owner, spot.id, names).fetch_optional(&mut **tx).await?;
        let Some(row) = row else { return Ok(None) };
        spot = Spot { id: row.number("id")?, kind: row.number("kind")? };
    }
    Ok(Some(spot))
}

/// The tables and the condition that lead from a folder down over `names` names to the entry `e`, one after the other: neither
/// database shall choose another order. Only folders have anything below them.
fn way(names: usize) -> (String, String) {
    let table = |place: usize| if place + 1 == names { "e".to_owned() } else { format!("e{place}") };
    let tables: Vec<String> = (0..names).map(|place| format!("entries {}", table(place))).collect();
    let conditions: Vec<String> = (0..names)
        .map(|place| {
            let (here, above) = (table(place), place.checked_sub(1).map(table));
            let parent = above.map_or("?".to_owned(), |above| format!("{above}.id"));
            format!("{here}.owner = ? AND {here}.parent = {parent} AND {here}.name = ?")
        })
        .collect();
    (tables.join(" CROSS JOIN "), conditions.join(" AND "))
}

type Statement<'q> = sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments>;

/// Binds the marks of [`way`].
fn along<'q>(query: Statement<'q>, owner: &'q UserName, from: i64, names: &[&'q str]) -> Statement<'q> {
    names.iter().enumerate().fold(query, |query, (place, name)| {
        let query = query.bind(owner.as_str());
        let query = if place == 0 { query.bind(from) } else { query };
        query.bind(name.as_bytes())
    })
}

/// The entry at a path of 1 to [`JOINED_MAX`] names, with its content.
async fn entry_by_path(tx: &mut Tx, owner: &UserName, path: &LogicalPath) -> Result<Entry> {
    let names: Vec<&str> = path.segments().collect();
    let (tables, condition) = way(names.len());
    let select = format!(
        "SELECT {ENTRY_COLUMNS} FROM {tables} LEFT JOIN contents c ON c.id = e.content WHERE {condition}"
    );
    let row = along(sqlx::query(sql(select)), owner, ROOT, &names).fetch_optional(&mut **tx).await?;
    entry(&row.ok_or(CatalogError::NotFound("file or folder"))?, path.clone())
}

/// The number of the folder at `path`.
pub(super) async fn folder(tx: &mut Tx, owner: &UserName, path: &LogicalPath) -> Result<i64> {
    match find(tx, owner, path).await? {
        Some(Spot { id, kind: FOLDER }) => Ok(id),
        Some(_) => Err(CatalogError::NotAFolder),
        None => Err(CatalogError::NotFound("folder")),
    }
}

/// The number of the folder at `path`, made with those above it if missing.
pub(super) async fn folder_made(tx: &mut Tx, owner: &UserName, path: &LogicalPath) -> Result<i64> {
    match find(tx, owner, path).await? {
        Some(Spot { id, kind: FOLDER }) => return Ok(id),
        Some(_) => return Err(CatalogError::NotAFolder),
        None => {}
    }
    let mut parent = ROOT;
    for name in path.segments() {
        parent = match child(tx, owner, parent, name).await? {
            Some(Spot { id, kind: FOLDER }) => id,
            Some(_) => return Err(CatalogError::NotAFolder),
            None => insert_folder(tx, owner, parent, name).await?,
        };
    }
    Ok(parent)
}

async fn make_folder(tx: &mut Tx, owner: &UserName, path: &LogicalPath, parents: bool) -> Result<Entry> {
    share_tree(tx, owner).await?;
    let Some((above, name)) = path.split() else {
        return if parents { root_entry(tx, owner).await } else { Err(CatalogError::Exists("the root")) };
    };
    let parent =
        if parents { folder_made(tx, owner, &above).await? } else { folder(tx, owner, &above).await? };
    let id = match child(tx, owner, parent, name).await? {
        Some(Spot { id, kind: FOLDER }) if parents => id,
        Some(_) => return Err(CatalogError::Exists("the name")),
        None => insert_folder(tx, owner, parent, name).await?,
    };
    entry_by_id(tx, id, path.clone()).await
}

async fn insert_folder(tx: &mut Tx, owner: &UserName, parent: i64, name: &str) -> Result<i64> {
    let (owner, name, folded, now) = (owner.as_str(), name.as_bytes(), folded(name), now_ms());
    let insert = "INSERT INTO entries (owner, parent, name, name_folded, kind, created_ms, modified_ms) VALUES (?, ?, ?, ?, ?, ?, ?)";
    tx.insert(insert, |query| {
        query.bind(owner).bind(parent).bind(name).bind(folded).bind(FOLDER).bind(now).bind(now)
    })
    .await
}

async fn entry_at(tx: &mut Tx, owner: &UserName, path: &LogicalPath) -> Result<Entry> {
    match find(tx, owner, path).await? {
        Some(spot) if spot.id == ROOT => root_entry(tx, owner).await,
        Some(spot) => entry_by_id(tx, spot.id, path.clone()).await,
        None => Err(CatalogError::NotFound("file or folder")),
    }
}

async fn root_entry(tx: &mut Tx, owner: &UserName) -> Result<Entry> {
    let row = sqlx::query("SELECT created_ms FROM users WHERE name = ?")
        .bind(owner.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    let created_ms = row.ok_or(CatalogError::NotFound("user"))?.number("created_ms")?;
    let (id, path) = (EntryId(ROOT), LogicalPath::root());
    Ok(Entry { id, owner: owner.clone(), path, created_ms, modified_ms: created_ms, content: None })
}

pub(super) async fn entry_by_id(tx: &mut Tx, id: i64, path: LogicalPath) -> Result<Entry> {
    let row = sqlx::query(sql(format!(
        "SELECT {ENTRY_COLUMNS} FROM entries e LEFT JOIN contents c ON c.id = e.content WHERE e.id = ?"
    )))
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?;
    entry(&row.ok_or(CatalogError::NotFound("file or folder"))?, path)
}

/// Reads [`ENTRY_COLUMNS`].
pub(super) fn entry(row: &AnyRow, path: LogicalPath) -> Result<Entry> {
    let content = match row.maybe_number("content_id")? {
        Some(id) => Some(Content {
            id,
            size: row.number("size")?,
            blake3: row.digest("blake3")?,
            media_type: row.name("media_type")?,
            created_ms: row.number("content_created_ms")?,
        }),
        None => None,
    };
    Ok(Entry {
        id: row.number("id")?,
        owner: row.user("owner")?,
        path,
        created_ms: row.number("created_ms")?,
        modified_ms: row.number("modified_ms")?,
        content,
    })
}

/// The path of a row of the database, which was checked before it was written.
pub(super) fn below(folder: &LogicalPath, name: &str) -> Result<LogicalPath> {
    folder.join(name).map_err(|error: PathError| CatalogError::invariant(error.to_string()))
}

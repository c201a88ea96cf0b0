//! The one transaction that makes an upload a file.

use super::{
    Catalog, CatalogError, Content, ContentId, Entry, EntryId, LogicalPath, Result, Tx, UserName,
    dialect::sql,
    extents::{check_extents, insert_extents},
    idempotency, now_ms,
    outbox::{self, Scope, Topic},
    purge::drop_content,
    row::{Columns, signed},
    search::folded,
    tree::{FILE, FOLDER, folder, folder_made, share_tree},
};
use asterism_proto::{ExtentId, NodeId};
use serde::{Deserialize, Serialize};

/// An upload whose shards are durable on their nodes.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// Whose it becomes.
    pub owner: UserName,
    /// Where it goes.
    pub path: LogicalPath,
    /// Bytes in all; the sum of the extents.
    pub size: u64,
    /// Of the whole content.
    pub blake3: [u8; 32],
    /// At most 255 bytes are kept.
    pub media_type: String,
    /// In order, without gaps; none for an empty file.
    pub extents: Vec<NewExtent>,
    /// Whether a file that is there may be replaced.
    pub replace: super::Replace,
    /// If the client named its request: it happens once, however often it is sent.
    pub idempotency: Option<super::Idempotency>,
    /// Make the folders above it if they are missing.
    pub create_parents: bool,
}

/// A run of a file's bytes, and how it is coded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewExtent {
    /// Fresh: never used before.
    pub id: ExtentId,
    /// Counts from 0.
    pub seq: u32,
    /// Where it begins in the file.
    pub file_offset: u64,
    /// Its length; never 0.
    pub bytes: u64,
    /// Its placement group.
    pub group: u32,
    /// Data shards.
    pub data: u8,
    /// Parity shards.
    pub parity: u8,
    /// Size of a full cell.
    pub cell_bytes: u32,
    /// Slots whose shard could not be written.
    pub short_slots: Vec<u8>,
    /// The node that each slot was written to; empty if that is as the group says.
    pub nodes: Vec<NodeId>,
}

/// What may happen to a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    /// Nothing: the upload is refused.
    Never,
    /// The upload becomes its new version.
    Any,
    /// The same, but only if it is still the version with this hash.
    IfBlake3([u8; 32]),
}

/// What a commit made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// The file as it is now.
    pub entry: Entry,
    /// False if it is a new version of a file that was there.
    pub created: bool,
}

impl Catalog {
    /// Makes an upload visible, all at once: the file, its extents, what is known to be short, what is to be tagged, and the removal of
    /// the version that it replaces.
    ///
    /// # Errors
    /// [`CatalogError::Exists`], [`CatalogError::IsAFolder`], [`CatalogError::NotAFolder`], [`CatalogError::NotFound`] (of the parent or
    /// the user), [`CatalogError::Precondition`], [`CatalogError::Conflict`] (the idempotency key was used for something else).
    /// After [`CatalogError::OutcomeUnknown`] the upload's shards must stay.
    pub async fn commit_file(&self, file: &NewFile) -> Result<Committed> {
        check_extents(file.size, &file.extents)?;
        let operation = ExtentId::random(); // Any 16 random bytes.
        let (file, operation) = (file, operation.as_bytes());
        let outcome = self
            .write(move |mut tx| async move {
                let committed = commit(&mut tx, file, operation).await;
                (tx, committed)
            })
            .await;
        match outcome {
            Err(CatalogError::OutcomeUnknown(trouble)) => match self.outcome_of(operation).await {
                Ok(Some(committed)) => Ok(committed),
                Ok(None) => Err(CatalogError::Unavailable(trouble)),
                Err(_) => Err(CatalogError::OutcomeUnknown(trouble)),
            },
            outcome => outcome,
        }
    }

    /// What an operation committed, once that is certain.
    async fn outcome_of(&self, operation: &[u8; 16]) -> Result<Option<Committed>> {
        self.write(move |mut tx| async move {
            let found = committed_by(&mut tx, operation).await;
            (tx, found)
        })
        .await
    }
}

/// Waits, by its lock, for a commit that the database may still be working on.
async fn committed_by(tx: &mut Tx, operation: &[u8; 16]) -> Result<Option<Committed>> {
    let lock = tx.dialect().for_update();
    let row = sqlx::query(sql(format!("SELECT response_json FROM operations WHERE id = ?{lock}")))
        .bind(&operation[..])
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|row| idempotency::committed(&row)).transpose()
}

async fn commit(tx: &mut Tx, file: &NewFile, operation: &[u8; 16]) -> Result<Committed> {
    if let Some(request) = &file.idempotency
        && let Some(known) = idempotency::find(tx, &file.owner, &request.key).await?
    {
        return if known.request_hash == request.request_hash {
            Ok(known.committed)
        } else {
            Err(CatalogError::Conflict("the idempotency key was used for another request"))
        };
    }
    let committed = place(tx, file).await?;
    let json = serde_json::to_vec(&committed).map_err(|error| CatalogError::invariant(error.to_string()))?;
    sqlx::query("INSERT INTO operations (id, response_json, created_ms) VALUES (?, ?, ?)")
        .bind(&operation[..])
        .bind(&json[..])
        .bind(now_ms())
        .execute(&mut **tx)
        .await?;
    if let Some(request) = &file.idempotency {
        idempotency::insert(tx, &file.owner, request, &json).await?;
    }
    Ok(committed)
}

async fn place(tx: &mut Tx, file: &NewFile) -> Result<Committed> {
    let owner = &file.owner;
    let (above, name) = file.path.split().ok_or(CatalogError::IsAFolder)?;
    share_tree(tx, owner).await?;
    let parent = if file.create_parents {
        folder_made(tx, owner, &above).await?
    } else {
        folder(tx, owner, &above).await?
    };
    let old = occupant(tx, owner, parent, name).await?;
    may_replace(file.replace, old.as_ref())?;
    let now = now_ms();
    let content = insert_content(tx, file, now).await?;
    insert_extents(tx, content.id, &file.extents).await?;
    let id = match &old {
        Some(old) => {
            point_to(tx, old.id, content.id, now).await?;
            drop_content(tx, old.content).await?;
            old.id
        }
        None => insert_file(tx, owner, parent, name, content.id, now).await?,
    };
    let id = EntryId(id);
    let to_do = [(Topic::Tag, id, Scope::Entry, Some(content.id)), (Topic::Graph, id, Scope::Entry, None)];
    outbox::push_all(tx, &to_do).await?;
    let entry = Entry {
        id,
        owner: owner.clone(),
        path: file.path.clone(),
        created_ms: old.as_ref().map_or(now, |old| old.created_ms),
        modified_ms: now,
        content: Some(content),
    };
    Ok(Committed { entry, created: old.is_none() })
}

/// The file that has the name now.
struct Occupant {
    id: i64,
    content: ContentId,
    blake3: [u8; 32],
    created_ms: i64,
}

/// Locks what has the name, so that of two uploads to one path the second sees the first.
async fn occupant(tx: &mut Tx, owner: &UserName, parent: i64, name: &str) -> Result<Option<Occupant>> {
    let lock = tx.dialect().for_update();
    let select = format!(
        "SELECT id, kind, content, created_ms FROM entries WHERE owner = ? AND parent = ? AND name = ?{lock}"
    );
    let row = sqlx::query(sql(select))
        .bind(owner.as_str())
        .bind(parent)
        .bind(name.as_bytes())
        .fetch_optional(&mut **tx)
        .await?;
    let Some(row) = row else { return Ok(None) };
    if row.number::<i64>("kind")? == FOLDER {
        return Err(CatalogError::IsAFolder);
    }
    let content: ContentId = row.number("content")?;
    let hash =
        sqlx::query("SELECT blake3 FROM contents WHERE id = ?").bind(content.0).fetch_one(&mut **tx).await?;
    let (id, created_ms) = (row.number("id")?, row.number("created_ms")?);
    Ok(Some(Occupant { id, content, blake3: hash.digest("blake3")?, created_ms }))
}

fn may_replace(replace: Replace, old: Option<&Occupant>) -> Result<()> {
    match (replace, old) {
        (Replace::Never, Some(_)) => Err(CatalogError::Exists("the file")),
        (Replace::IfBlake3(expected), old) if old.is_none_or(|old| old.blake3 != expected) => {
            Err(CatalogError::Precondition)
        }
        _ => Ok(()),
    }
}

async fn insert_content(tx: &mut Tx, file: &NewFile, now: i64) -> Result<Content> {
    let (size, hash) = (signed(file.size)?, &file.blake3[..]);
    let media_type = &file.media_type[..file.media_type.floor_char_boundary(255)];
    let insert = "INSERT INTO contents (size, blake3, media_type, created_ms) VALUES (?, ?, ?, ?)";
    let id = tx
        .insert(insert, |query| query.bind(size).bind(hash).bind(media_type.as_bytes()).bind(now))
        .await
        .map(ContentId)?;
    let (blake3, media_type) = (file.blake3, media_type.to_owned());
    Ok(Content { id, size: file.size, blake3, media_type, created_ms: now })
}

async fn insert_file(
    tx: &mut Tx,
    owner: &UserName,
    parent: i64,
    name: &str,
    content: ContentId,
    now: i64,
) -> Result<i64> {
    let (owner, name, folded) = (owner.as_str(), name.as_bytes(), folded(name));
    let insert = "INSERT INTO entries (owner, parent, name, name_folded, kind, content, created_ms, modified_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    tx.insert(insert, |query| {
        let query = query.bind(owner).bind(parent).bind(name).bind(folded);
        query.bind(FILE).bind(content.0).bind(now).bind(now)
    })
    .await
}

async fn point_to(tx: &mut Tx, entry: i64, content: ContentId, now: i64) -> Result<()> {
    sqlx::query("UPDATE entries SET content = ?, modified_ms = ? WHERE id = ?")
        .bind(content.0)
        .bind(now)
        .bind(entry)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

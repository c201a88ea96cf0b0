//! Which file carries which tag, by whose word.

use super::{
    Catalog, CatalogError, ContentId, EntryId, Result, Tag, TagCount, TagState, Tagging, Tx, UserName,
    dialect::{sql, values},
    outbox::{self, Scope, Topic},
    page_limit,
    row::Columns,
    tags::is_label,
};
use sqlx::any::AnyRow;
use std::collections::{BTreeSet, HashMap};

/// What a person gives to one file; far more than a person can read.
pub const TAGS_PER_FILE_MAX: i64 = 500;
/// The source of what a person gave.
const BY_HAND: &str = "user";

impl Catalog {
    /// `user` says that the file carries `tag`.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`] of the file; [`CatalogError::Conflict`]: it has too many.
    pub async fn add_user_tag(&self, entry: EntryId, tag: &Tag, user: &UserName) -> Result<()> {
        self.write(move |mut tx| async move {
            let done = add(&mut tx, entry, tag, user).await;
            (tx, done)
        })
        .await
    }

    /// `user` says that the file does not carry `tag`: one given by hand goes, one that a tagger found is rejected.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`]: it did not carry it.
    pub async fn remove_tag(&self, entry: EntryId, tag: &Tag, user: &UserName) -> Result<()> {
        self.write(move |mut tx| async move {
            let done = remove(&mut tx, entry, tag, user).await;
            (tx, done)
        })
        .await
    }

    /// The tags of each of `entries`, rejected ones too, surest first; at most [`super::PAGE_MAX`] entries.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn taggings(&self, entries: &[EntryId]) -> Result<HashMap<EntryId, Vec<Tagging>>> {
        self.read(move |mut tx| async move {
            let all = taggings(&mut tx, entries).await;
            (tx, all)
        })
        .await
    }

    /// The tags of `owner`'s files whose names begin with `prefix`, the most frequent first.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn tag_names(
        &self,
        owner: &UserName,
        prefix: &str,
        kind: Option<&str>,
        limit: u32,
    ) -> Result<Vec<TagCount>> {
        if kind.is_some_and(|kind| !is_label(kind)) {
            return Ok(Vec::new());
        }
        let prefix = &prefix.to_lowercase();
        self.read(move |mut tx| async move {
            let names = names(&mut tx, owner, prefix.as_bytes(), kind, limit).await;
            (tx, names)
        })
        .await
    }
}

/// The content of the file, which stays its content until the end of the transaction.
pub(super) async fn lock_file(tx: &mut Tx, entry: EntryId) -> Result<Option<ContentId>> {
    let lock = tx.dialect().for_update();
    let row = sqlx::query(sql(format!("SELECT content FROM entries WHERE id = ?{lock}")))
        .bind(entry.0)
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|row| row.maybe_number("content")).transpose().map(Option::flatten)
}

/// The numbers of the tags, new ones made. In one order for all, so that two taggers wait for each other rather than deadlock.
pub(super) async fn tag_ids<'t>(
    tx: &mut Tx,
    tags: impl Iterator<Item = &'t Tag>,
) -> Result<HashMap<&'t Tag, i64>> {
    let mut ids = HashMap::new();
    for tag in tags.collect::<BTreeSet<_>>() {
        let (kind, name) = (tag.kind(), tag.name().as_bytes());
        let id = match tag_id(tx, tag).await? {
            Some(id) => id,
            None => {
                tx.insert("INSERT INTO tags (kind, name) VALUES (?, ?)", |query| query.bind(kind).bind(name))
                    .await?
            }
        };
        ids.insert(tag, id);
    }
    Ok(ids)
}

async fn tag_id(tx: &mut Tx, tag: &Tag) -> Result<Option<i64>> {
    let row = sqlx::query("SELECT id FROM tags WHERE name = ? AND kind = ?")
        .bind(tag.name().as_bytes())
        .bind(tag.kind())
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|row| row.number("id")).transpose()
}

async fn add(tx: &mut Tx, entry: EntryId, tag: &Tag, user: &UserName) -> Result<()> {
    lock_file(tx, entry).await?.ok_or(CatalogError::NotFound("file"))?;
    let row = sqlx::query("SELECT COUNT(*) AS held FROM taggings WHERE entry = ?")
        .bind(entry.0)
        .fetch_one(&mut **tx)
        .await?;
    if row.number::<i64>("held")? >= TAGS_PER_FILE_MAX {
        return Err(CatalogError::Conflict("the file has too many tags already"));
    }
    let id = tag_ids(tx, std::iter::once(tag)).await?[tag];
    let confirm = tx.dialect().or_set("entry, tag", &["state", "by_user"]);
    sqlx::query(sql(format!(
        "INSERT INTO taggings (entry, tag, source, version, score, evidence, state, by_user) VALUES (?, ?, ?, ?, ?, ?, ?, ?){confirm}"
    )))
    .bind(entry.0)
    .bind(id)
    .bind(BY_HAND)
    .bind("")
    .bind(1.0)
    .bind(&b""[..])
    .bind(TagState::Confirmed as i64)
    .bind(user.as_str())
    .execute(&mut **tx)
    .await?;
    outbox::push(tx, Topic::Graph, entry, Scope::Entry, None).await
}

async fn remove(tx: &mut Tx, entry: EntryId, tag: &Tag, user: &UserName) -> Result<()> {
    lock_file(tx, entry).await?.ok_or(CatalogError::NotFound("file"))?;
    let id = tag_id(tx, tag).await?.ok_or(CatalogError::NotFound("tag of this file"))?;
    let gone = sqlx::query("DELETE FROM taggings WHERE entry = ? AND tag = ? AND source = ?")
        .bind(entry.0)
        .bind(id)
        .bind(BY_HAND)
        .execute(&mut **tx)
        .await?;
    let rejected =
        sqlx::query("UPDATE taggings SET state = ?, by_user = ? WHERE entry = ? AND tag = ? AND state <> ?")
            .bind(TagState::Rejected as i64)
            .bind(user.as_str())
            .bind(entry.0)
            .bind(id)
            .bind(TagState::Rejected as i64)
            .execute(&mut **tx)
            .await?;
    if gone.rows_affected() + rejected.rows_affected() == 0 {
        return Err(CatalogError::NotFound("tag of this file"));
    }
    outbox::push(tx, Topic::Graph, entry, Scope::Entry, None).await
}

pub(super) async fn taggings(tx: &mut Tx, entries: &[EntryId]) -> Result<HashMap<EntryId, Vec<Tagging>>> {
    let mut all: HashMap<EntryId, Vec<Tagging>> = HashMap::new();
    if entries.is_empty() {
        return Ok(all);
    }
    let mut query = sqlx::query(sql(format!(
        "SELECT g.entry, t.kind, t.name, g.source, g.version, g.score, g.evidence, g.state, g.by_user \
         FROM taggings g JOIN tags t ON t.id = g.tag WHERE g.entry IN {} ORDER BY g.score DESC, t.kind, t.name",
        values(entries.len(), 1)
    )));
    for entry in entries {
        query = query.bind(entry.0);
    }
    for row in &query.fetch_all(&mut **tx).await? {
        all.entry(row.number("entry")?).or_default().push(tagging(row)?);
    }
    Ok(all)
}

fn tag(row: &AnyRow) -> Result<Tag> {
    Ok(Tag { kind: row.text("kind")?, name: row.name("name")? })
}

fn tagging(row: &AnyRow) -> Result<Tagging> {
    Ok(Tagging {
        tag: tag(row)?,
        source: row.text("source")?,
        version: row.text("version")?,
        score: row.real("score")?,
        evidence: row.name("evidence")?,
        state: row.number("state")?,
        by_user: row
            .maybe_text("by_user")?
            .map(|user| user.parse())
            .transpose()
            .map_err(|_| CatalogError::invariant("by_user"))?,
    })
}

async fn names(
    tx: &mut Tx,
    owner: &UserName,
    prefix: &[u8],
    kind: Option<&str>,
    limit: u32,
) -> Result<Vec<TagCount>> {
    // A range of the index, so that no character of the prefix means anything but itself. No UTF-8 text has the byte 0xff.
    let beyond = [prefix, &[0xff]].concat();
    let by_index = tx.dialect().by_index("entries_in_order");
    let of_kind = if kind.is_some() { "AND t.kind = ?" } else { "" };
    let select = sql(format!(
        "WITH RECURSIVE gone (id) AS (\
           SELECT e.id FROM trash t CROSS JOIN entries e ON e.id = t.entry AND e.kind = 0 WHERE t.owner = ? \
           UNION ALL SELECT e.id FROM gone CROSS JOIN entries e{by_index} ON e.owner = ? AND e.parent = gone.id AND e.kind = 0) \
         SELECT t.kind, t.name, COUNT(*) AS files FROM tags t JOIN taggings g ON g.tag = t.id JOIN entries e ON e.id = g.entry \
         WHERE t.name >= ? AND t.name < ? {of_kind} AND g.state <> 2 AND e.owner = ? \
         AND e.parent >= 0 AND e.parent NOT IN (SELECT id FROM gone) \
         GROUP BY t.kind, t.name ORDER BY files DESC, t.name, t.kind LIMIT ?"
    ));
    let mut query = sqlx::query(select).bind(owner.as_str()).bind(owner.as_str()).bind(prefix).bind(beyond);
    if let Some(kind) = kind {
        query = query.bind(kind);
    }
    let rows = query.bind(owner.as_str()).bind(i64::from(page_limit(limit))).fetch_all(&mut **tx).await?;
    rows.iter().map(|row| Ok(TagCount { tag: tag(row)?, files: row.number("files")? })).collect()
}

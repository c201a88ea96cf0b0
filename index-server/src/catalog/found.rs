//! What taggers found, into the catalog: many files in one transaction, with the rows of the outbox that are done by it.

use super::{
    Catalog, CatalogError, ContentId, EntryId, Result, TAGS_PER_FILE_MAX, Tx, WeightedTag,
    dialect::{sql, values},
    outbox::{self, Scope, Topic},
    taggings::{lock_file, tag_ids},
    tags::is_label,
};

/// Longest evidence kept.
const EVIDENCE_BYTES_MAX: usize = 500;
/// Taggings of one `INSERT`.
const ROWS_MAX: usize = 100;

/// What a tagger found in one version of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundTags {
    /// The file.
    pub entry: EntryId,
    /// The version that was looked at.
    pub content: ContentId,
    /// What it found.
    pub tags: Vec<WeightedTag>,
}

impl Catalog {
    /// Replaces what `source` found in earlier looks at these files, each of them once. What people confirmed or rejected stays, and
    /// a file that has another content by now is left alone. The rows `done` of the outbox go in the same transaction. Gives the
    /// files that were changed.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn set_found(
        &self,
        source: &str,
        version: &str,
        files: &[FoundTags],
        done: &[i64],
    ) -> Result<Vec<EntryId>> {
        let too_many = files.iter().any(|file| file.tags.len() as i64 > TAGS_PER_FILE_MAX);
        if !is_label(source) || !is_label(version) || too_many {
            return Err(CatalogError::invariant("not what a tagger may say"));
        }
        self.write(move |mut tx| async move {
            let set = set_found(&mut tx, (source, version), files, done).await;
            (tx, set)
        })
        .await
    }

    /// The same for one file, whatever the outbox says; false if it has another content by now.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn set_automatic(
        &self,
        entry: EntryId,
        content: ContentId,
        source: &str,
        version: &str,
        tags: &[WeightedTag],
    ) -> Result<bool> {
        let file = FoundTags { entry, content, tags: tags.to_vec() };
        Ok(!self.set_found(source, version, &[file], &[]).await?.is_empty())
    }
}

async fn set_found(tx: &mut Tx, by: (&str, &str), files: &[FoundTags], done: &[i64]) -> Result<Vec<EntryId>> {
    let mut ordered: Vec<&FoundTags> = files.iter().collect();
    // Files before tags, and both in order: whoever else locks them waits, and nobody deadlocks.
    ordered.sort_by_key(|file| file.entry);
    let mut current = Vec::with_capacity(ordered.len());
    for file in ordered {
        if lock_file(tx, file.entry).await? == Some(file.content) {
            current.push(file);
        }
    }
    let ids = tag_ids(tx, current.iter().flat_map(|file| &file.tags).map(|found| &found.tag)).await?;
    for file in &current {
        sqlx::query("DELETE FROM taggings WHERE entry = ? AND source = ? AND state = 0")
            .bind(file.entry.0)
            .bind(by.0)
            .execute(&mut **tx)
            .await?;
        for tags in file.tags.chunks(ROWS_MAX) {
            let tags: Vec<(&WeightedTag, i64)> = tags.iter().map(|found| (found, ids[&found.tag])).collect();
            insert(tx, file.entry, by, &tags).await?;
        }
    }
    let shown: Vec<_> = current.iter().map(|file| (Topic::Graph, file.entry, Scope::Entry, None)).collect();
    outbox::push_all(tx, &shown).await?;
    outbox::delete(tx, done).await?;
    Ok(current.into_iter().map(|file| file.entry).collect())
}

async fn insert(
    tx: &mut Tx,
    entry: EntryId,
    (source, version): (&str, &str),
    tags: &[(&WeightedTag, i64)],
) -> Result<()> {
    let keep = tx.dialect().or_keep("entry, tag", "tag");
    let mut insert = sqlx::query(sql(format!(
        "INSERT INTO taggings (entry, tag, source, version, score, evidence, state) VALUES {}{keep}",
        values(7, tags.len())
    )));
    for (found, id) in tags {
        let evidence = &found.evidence.as_bytes()[..found.evidence.floor_char_boundary(EVIDENCE_BYTES_MAX)];
        let score = if found.score.is_finite() { found.score.clamp(0.0, 1.0) } else { 0.0 };
        insert =
            insert.bind(entry.0).bind(*id).bind(source).bind(version).bind(score).bind(evidence).bind(0i64);
    }
    insert.execute(&mut **tx).await?;
    Ok(())
}

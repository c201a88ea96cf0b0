//! What derived stores still have to learn, committed with the change itself.
//!
//! A row says *what* is out of date, not how it changed: who handles it looks at the present state, so order does not matter and
//! handling a row twice changes nothing.

use super::{
    Catalog, ContentId, EntryId, Result, Tx,
    dialect::{sql, values},
    extents::ROWS_PER_STATEMENT,
    page_limit,
    row::Columns,
};

/// Longest error kept with a failing row.
const ERROR_BYTES_MAX: usize = 1024;

/// Whose work a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Content waits for the tagger.
    Tag,
    /// The tag graph's picture of an entry is out of date.
    Graph,
}

impl Topic {
    /// As it stands in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Graph => "graph",
        }
    }
}

/// How far a row reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The entry alone.
    Entry,
    /// The folder and all below it; see [`Catalog::files_below`].
    Subtree,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Given back to [`Catalog::outbox_done`] or [`Catalog::outbox_failed`].
    pub seq: i64,
    /// What it is about; it may be gone by now.
    pub entry: EntryId,
    /// How far it reaches.
    pub scope: Scope,
    /// For [`Topic::Tag`] the version to be tagged.
    pub content: Option<ContentId>,
    /// How often it has failed.
    pub attempts: u32,
}

pub(super) async fn push(
    tx: &mut Tx,
    topic: Topic,
    entry: EntryId,
    scope: Scope,
    content: Option<ContentId>,
) -> Result<()> {
    push_all(tx, &[(topic, entry, scope, content)]).await
}

/// Rows for several topics or entries, in one statement.
pub(super) async fn push_all(tx: &mut Tx, rows: &[(Topic, EntryId, Scope, Option<ContentId>)]) -> Result<()> {
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let marks = vec!["(?, ?, ?, ?, 0, 0)"; rows.len()].join(", ");
        let mut insert = sqlx::query(sql(format!(
            "INSERT INTO outbox (topic, entry, scope, content, attempts, not_before_ms) VALUES {marks}"
        )));
        for (topic, entry, scope, content) in rows {
            insert = insert
                .bind(topic.as_str())
                .bind(entry.0)
                .bind(i64::from(*scope == Scope::Subtree))
                .bind(content.map(|content| content.0));
        }
        insert.execute(&mut **tx).await?;
    }
    Ok(())
}

impl Catalog {
    /// The oldest rows of `topic` that are due.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn outbox_pending(&self, topic: Topic, now_ms: i64, limit: u32) -> Result<Vec<OutboxRow>> {
        self.look(move |mut tx| async move {
            let rows = pending(&mut tx, topic, now_ms, limit).await;
            (tx, rows)
        })
        .await
    }

    /// These rows are done; they go.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn outbox_done(&self, seqs: &[i64]) -> Result<()> {
        self.write(move |mut tx| async move {
            let done = delete(&mut tx, seqs).await;
            (tx, done)
        })
        .await
    }

    /// This row failed; it comes back at `not_before_ms`. The others go on meanwhile.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn outbox_failed(&self, seq: i64, error: &str, not_before_ms: i64) -> Result<()> {
        let error = &error.as_bytes()[..error.len().min(ERROR_BYTES_MAX)];
        self.write(move |mut tx| async move {
            let update =
                "UPDATE outbox SET attempts = attempts + 1, last_error = ?, not_before_ms = ? WHERE seq = ?";
            let done = sqlx::query(update).bind(error).bind(not_before_ms).bind(seq).execute(&mut *tx).await;
            (tx, done.map(drop).map_err(Into::into))
        })
        .await
    }

    /// How many rows of `topic` wait, and the newest error among them.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn outbox_count(&self, topic: Topic) -> Result<(u64, Option<String>)> {
        self.look(move |mut tx| async move {
            let counted = count(&mut tx, topic).await;
            (tx, counted)
        })
        .await
    }
}

async fn pending(tx: &mut Tx, topic: Topic, now_ms: i64, limit: u32) -> Result<Vec<OutboxRow>> {
    let rows = sqlx::query(
        "SELECT seq, entry, scope, content, attempts FROM outbox WHERE topic = ? AND not_before_ms <= ? ORDER BY seq LIMIT ?",
    )
    .bind(topic.as_str())
    .bind(now_ms)
    .bind(i64::from(page_limit(limit)))
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|row| {
            let scope = if row.number::<i64>("scope")? == 0 { Scope::Entry } else { Scope::Subtree };
            let (seq, entry) = (row.number("seq")?, row.number("entry")?);
            Ok(OutboxRow {
                seq,
                entry,
                scope,
                content: row.maybe_number("content")?,
                attempts: row.number("attempts")?,
            })
        })
        .collect()
}

pub(super) async fn delete(tx: &mut Tx, seqs: &[i64]) -> Result<()> {
    for seqs in seqs.chunks(ROWS_PER_STATEMENT) {
        let list = values(seqs.len(), 1);
        let mut delete = sqlx::query(sql(format!("DELETE FROM outbox WHERE seq IN {list}")));
        for seq in seqs {
            delete = delete.bind(*seq);
        }
        delete.execute(&mut **tx).await?;
    }
    Ok(())
}

async fn count(tx: &mut Tx, topic: Topic) -> Result<(u64, Option<String>)> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS waiting, (SELECT last_error FROM outbox WHERE topic = ? AND attempts > 0 \
         ORDER BY seq DESC LIMIT 1) AS newest_error FROM outbox WHERE topic = ?",
    )
    .bind(topic.as_str())
    .bind(topic.as_str())
    .fetch_one(&mut **tx)
    .await?;
    let error = row.maybe_bytes("newest_error")?;
    Ok((row.number("waiting")?, error.map(|error| String::from_utf8_lossy(&error).into_owned())))
}

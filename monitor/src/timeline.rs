//! The transition log: what moved from where to where, why, by whom and when. Append-only and hash-chained.

mod chain;
#[cfg(test)]
mod tests;

use crate::{state::NodeState, text::one_line};
use chain::{GENESIS, Hash};
use serde::Serialize;
use sqlx::{Row, SqliteConnection, SqlitePool, sqlite::SqliteRow};
use std::collections::BTreeMap;

/// Most rows that one question can be answered with.
pub const PAGE_MAX: u32 = 1000;
const CAUSE_CHARS_MAX: usize = 1000;
const ACTOR_CHARS_MAX: usize = 128;

/// What a transition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A node went from one state to another.
    Node,
    /// Somebody asked for an act that left the node as it was: it was refused, or it failed.
    Act,
}

impl Kind {
    /// As it stands in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Act => "act",
        }
    }
}

/// What is to be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it happened, in milliseconds since 1970; for people, never for order.
    pub unix_ms: i64,
    /// What it is about.
    pub kind: Kind,
    /// The node's name.
    pub subject: String,
    /// Where it was.
    pub from: String,
    /// Where it is now.
    pub to: String,
    /// Why: a sentence.
    pub cause: String,
    /// A person, or `monitor`.
    pub actor: String,
    /// What machines want to know.
    pub detail: Detail,
}

/// What goes into the log beside the sentences, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// The request that an act came with.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub request: String,
    /// The numbers of the proof that a stop was granted or refused with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofNumbers>,
}

/// The index-server's count of what stands without a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProofNumbers {
    /// Whether the cluster stands.
    pub granted: bool,
    /// How many groups were counted; 0 if the proof failed.
    pub groups_counted: u32,
    /// How many extents with missing shards were counted.
    pub short_extents_counted: u64,
    /// How many groups would fall below the floor.
    pub groups_below_floor: u32,
    /// The worst margin without the node.
    pub worst_margin: i32,
    /// How many files would be touched.
    pub files_touched: u64,
    /// Of the index-server, when it counted.
    pub epoch: u64,
}

/// One row of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Its place in the log, from 1.
    pub seq: u64,
    /// When it happened, in milliseconds since 1970; for people, never for order.
    pub unix_ms: i64,
    /// `node` or `act`.
    pub kind: String,
    /// The node's name.
    pub subject: String,
    /// Where it was.
    pub from: String,
    /// Where it came.
    pub to: String,
    /// Why.
    pub cause: String,
    /// Who.
    pub actor: String,
    /// A JSON object.
    pub detail: String,
}

/// Why the log cannot be written, read or believed.
#[derive(Debug, thiserror::Error)]
pub enum TimelineError {
    /// The database does not work.
    #[error("the transition log is not usable")]
    Database(#[from] sqlx::Error),
    /// A row is not the one that was written, or one is missing.
    #[error("the transition log was changed at entry {seq}")]
    Broken {
        /// The first row that does not fit.
        seq: u64,
    },
}

/// The log; clones share it.
#[derive(Clone)]
pub struct Timeline {
    pool: SqlitePool,
}

impl Timeline {
    /// The log in `pool`.
    pub fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }

    /// Appends `entries` durably, all or none.
    ///
    /// # Errors
    /// The database cannot be written; then nothing is.
    pub async fn append(&self, entries: &[Entry]) -> Result<(), TimelineError> {
        // IMMEDIATE: the tip that is read must still be the tip when the row is hung on it.
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let (mut seq, mut prev) = tip(&mut transaction).await?;
        for entry in entries {
            seq += 1;
            let row = row(entry, seq);
            let hash = chain::link(&prev, &row);
            insert(&mut transaction, &row, &prev, &hash).await?;
            prev = hash;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// At most `limit` rows behind `after`, oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn after(&self, after: u64, limit: u32) -> Result<Vec<Transition>, TimelineError> {
        let rows = sqlx::query("SELECT * FROM transitions WHERE seq > ? ORDER BY seq LIMIT ?")
            .bind(i64::try_from(after).unwrap_or(i64::MAX))
            .bind(limit.min(PAGE_MAX))
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
    }

    /// The last `limit` rows, newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn newest(&self, limit: u32) -> Result<Vec<Transition>, TimelineError> {
        let rows = sqlx::query("SELECT * FROM transitions ORDER BY seq DESC LIMIT ?")
            .bind(limit.min(PAGE_MAX))
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
    }

    /// The last state of every node in the log, with when and why it came there.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn last_states(&self) -> Result<BTreeMap<String, (NodeState, i64, String)>, TimelineError> {
        let rows = sqlx::query(
            "SELECT * FROM transitions WHERE seq IN
                 (SELECT MAX(seq) FROM transitions WHERE kind = 'node' GROUP BY subject)",
        )
        .fetch_all(&self.pool)
        .await?;
        let mut states = BTreeMap::new();
        for row in &rows {
            let row = read(row)?;
            if let Ok(state) = row.to.parse() {
                states.insert(row.subject, (state, row.unix_ms, row.cause));
            }
        }
        Ok(states)
    }

    /// Walks the whole chain; gives the number of rows.
    ///
    /// # Errors
    /// The database cannot be read, or a row was changed, put in or taken out.
    pub async fn verify(&self) -> Result<u64, TimelineError> {
        let (mut last, mut prev) = (0, GENESIS);
        loop {
            let rows = sqlx::query("SELECT * FROM transitions WHERE seq > ? ORDER BY seq LIMIT ?")
                .bind(last as i64)
                .bind(PAGE_MAX)
                .fetch_all(&self.pool)
                .await?;
            if rows.is_empty() {
                return Ok(last);
            }
            for row in &rows {
                let transition = read(row)?;
                let hash = chain::link(&prev, &transition);
                let stands =
                    row.try_get::<&[u8], _>("prev")? == prev && row.try_get::<&[u8], _>("hash")? == hash;
                if !stands || transition.seq != last + 1 {
                    return Err(TimelineError::Broken { seq: transition.seq });
                }
                (last, prev) = (transition.seq, hash);
            }
        }
    }
}

fn row(entry: &Entry, seq: u64) -> Transition {
    Transition {
        seq,
        unix_ms: entry.unix_ms,
        kind: entry.kind.as_str().into(),
        subject: entry.subject.clone(),
        from: entry.from.clone(),
        to: entry.to.clone(),
        cause: one_line(&entry.cause, CAUSE_CHARS_MAX),
        actor: one_line(&entry.actor, ACTOR_CHARS_MAX),
        detail: serde_json::to_string(&entry.detail).unwrap_or_default(),
    }
}

async fn tip(connection: &mut SqliteConnection) -> Result<(u64, Hash), TimelineError> {
    let row = sqlx::query("SELECT seq, hash FROM transitions ORDER BY seq DESC LIMIT 1")
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok((0, GENESIS)) };
    let seq = row.try_get::<i64, _>("seq")? as u64;
    let hash = row.try_get::<&[u8], _>("hash")?.try_into().map_err(|_| TimelineError::Broken { seq })?;
    Ok((seq, hash))
}

async fn insert(
    connection: &mut SqliteConnection,
    row: &Transition,
    prev: &Hash,
    hash: &Hash,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO transitions (seq, unix_ms, kind, subject, from_state, to_state, cause, actor, detail, prev, hash)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(row.seq as i64)
    .bind(row.unix_ms)
    .bind(&row.kind)
    .bind(&row.subject)
    .bind(&row.from)
    .bind(&row.to)
    .bind(&row.cause)
    .bind(&row.actor)
    .bind(&row.detail)
    .bind(&prev[..])
    .bind(&hash[..])
    .execute(connection)
    .await
    .map(|_| ())
}

fn read(row: &SqliteRow) -> Result<Transition, sqlx::Error> {
    Ok(Transition {
        seq: row.try_get::<i64, _>("seq")? as u64,
        unix_ms: row.try_get("unix_ms")?,
        kind: row.try_get("kind")?,
        subject: row.try_get("subject")?,
        from: row.try_get("from_state")?,
        to: row.try_get("to_state")?,
        cause: row.try_get("cause")?,
        actor: row.try_get("actor")?,
        detail: row.try_get("detail")?,
    })
}

//! What people are told: stored, read or unread per person, acknowledged, silenced, and grouped under what says it all.

mod list;
mod silence;
#[cfg(test)]
mod tests;
mod text;
mod watch;
mod webhook;

use crate::{board::unix_ms, text::one_line};
pub use list::{Filter, Message};
use sqlx::{Row, SqliteConnection, SqlitePool, SqliteTransaction};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};
use tokio::sync::watch as channel;

pub use silence::{NewSilence, Silence, SilenceError};
pub use watch::Change;
pub use webhook::{PAYLOAD_BYTES_MAX, Taken, WebhookError};

/// Messages kept; beyond it the oldest that have ended go.
pub const KEPT_MAX: i64 = 10_000;
/// Messages that have ended go after this long.
const KEPT_MS: i64 = 90 * 24 * 3600 * 1000;
/// Open messages of one source; further ones are dropped with a count.
pub const OPEN_MAX: usize = 2_000;
const PERSON_CHARS_MAX: usize = 128;

/// The labels of an alert, in order.
pub type Labels = BTreeMap<String, String>;

/// Where a message comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The own rules.
    Monitor,
    /// An Alertmanager's webhook.
    Alertmanager,
    /// A Grafana's webhook.
    Grafana,
}

impl Source {
    /// As it stands in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Alertmanager => "alertmanager",
            Self::Grafana => "grafana",
        }
    }
}

/// An alert that fires.
#[derive(Clone, Debug, PartialEq)]
pub struct Firing {
    /// Of the rule.
    pub name: String,
    /// `critical`, `warning`, `info`, or what another system says.
    pub severity: String,
    /// With the name, which alert it is.
    pub labels: Labels,
    /// What made it fire.
    pub value: Option<f64>,
    /// What is the case.
    pub summary: String,
    /// What to do.
    pub advice: String,
    /// A page about it.
    pub runbook: String,
    /// Since when, in milliseconds since 1970.
    pub started_ms: i64,
    /// Another alert, by name and labels, that says all that this one says.
    pub under: Option<(String, Labels)>,
}

/// The files that a message touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// How many.
    pub count: u64,
    /// Whose, those with most files first.
    pub owners: Vec<String>,
    /// Their most frequent tags.
    pub tags: Vec<String>,
}

/// Why messages cannot be stored or read.
#[derive(Debug, thiserror::Error)]
#[error("the messages are not usable")]
pub struct MessagesError(#[from] sqlx::Error);

type Result<T> = std::result::Result<T, MessagesError>;

/// All messages; clones share them.
#[derive(Clone)]
pub struct Messages {
    pool: SqlitePool,
    changes: Arc<channel::Sender<u64>>,
}

impl Messages {
    /// The messages in `pool`.
    pub fn new(pool: SqlitePool) -> Self {
        Self { pool, changes: Arc::new(channel::Sender::new(0)) }
    }

    /// Tells of every change.
    pub fn changes(&self) -> channel::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Makes the open messages of `source` those of `firing`: opens what is new, ends what is gone, all or nothing.
    /// Gives how many were dropped because there are too many.
    ///
    /// # Errors
    /// The database cannot be written; then nothing is.
    pub async fn reconcile(&self, source: Source, firing: &[Firing]) -> Result<usize> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let open = open_keys(&mut transaction, source).await?;
        let wanted: HashSet<(String, String)> = firing.iter().map(key).collect();
        let mut changed = false;
        for (key, id) in &open {
            if !wanted.contains(key) {
                end(&mut transaction, *id, unix_ms()).await?;
                changed = true;
            }
        }
        let room = OPEN_MAX.saturating_sub(open.keys().filter(|key| wanted.contains(*key)).count());
        let new: Vec<&Firing> = firing.iter().filter(|firing| !open.contains_key(&key(firing))).collect();
        for firing in new.iter().take(room) {
            insert(&mut transaction, source, firing).await?;
            changed = true;
        }
        changed |= group(&mut transaction, source, firing).await?;
        prune(&mut transaction).await?;
        transaction.commit().await?;
        if changed {
            self.changed();
        }
        Ok(new.len().saturating_sub(room))
    }

    /// Opens or ends single alerts of `source`, as a webhook brings them; `bool` says whether it fires. Gives how many were dropped.
    ///
    /// # Errors
    /// The database cannot be written; then nothing is.
    pub async fn take(&self, source: Source, alerts: &[(Firing, bool)]) -> Result<usize> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let mut open = open_keys(&mut transaction, source).await?;
        let mut dropped = 0;
        for (firing, fires) in alerts {
            let key = key(firing);
            match (open.get(&key).copied(), *fires) {
                (Some(id), false) => {
                    end(&mut transaction, id, unix_ms()).await?;
                    open.remove(&key);
                }
                (None, true) if open.len() >= OPEN_MAX => dropped += 1,
                (None, true) => {
                    let id = insert(&mut transaction, source, firing).await?;
                    open.insert(key, id);
                }
                // It is told again and again while it fires.
                (Some(_), true) | (None, false) => {}
            }
        }
        prune(&mut transaction).await?;
        transaction.commit().await?;
        self.changed();
        Ok(dropped)
    }

    /// Notes which files a message touches.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn set_files(&self, id: i64, files: &Files) -> Result<()> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("UPDATE messages SET files = ?, owners = ?, tags = ? WHERE id = ?")
            .bind(i64::try_from(files.count).unwrap_or(i64::MAX))
            .bind(text::words(&files.owners))
            .bind(text::words(&files.tags))
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        touch(&mut transaction, id).await?;
        transaction.commit().await?;
        self.changed();
        Ok(())
    }

    /// Marks a message as read or unread by `person`, or as acknowledged or not; gives whether there is such a message.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn mark(
        &self,
        id: i64,
        person: &str,
        read: Option<bool>,
        acknowledged: Option<bool>,
    ) -> Result<bool> {
        let person = one_line(person, PERSON_CHARS_MAX);
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        if !touch(&mut transaction, id).await? {
            return Ok(false);
        }
        // Who acknowledges a message has read it.
        if read == Some(true) || (read.is_none() && acknowledged == Some(true)) {
            sqlx::query("INSERT OR IGNORE INTO message_reads (message, person, read_ms) VALUES (?, ?, ?)")
                .bind(id)
                .bind(&person)
                .bind(unix_ms())
                .execute(&mut *transaction)
                .await?;
        } else if read == Some(false) {
            sqlx::query("DELETE FROM message_reads WHERE message = ? AND person = ?")
                .bind(id)
                .bind(&person)
                .execute(&mut *transaction)
                .await?;
        }
        if let Some(acknowledged) = acknowledged {
            sqlx::query("UPDATE messages SET acknowledged_by = ?, acknowledged_ms = ? WHERE id = ?")
                .bind(acknowledged.then_some(&person))
                .bind(acknowledged.then(unix_ms))
                .bind(id)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        self.changed();
        Ok(true)
    }
}

fn key(firing: &Firing) -> (String, String) {
    (firing.name.clone(), text::labels(&firing.labels))
}

async fn open_keys(
    connection: &mut SqliteConnection,
    source: Source,
) -> Result<std::collections::HashMap<(String, String), i64>> {
    let rows = sqlx::query("SELECT id, name, labels FROM messages WHERE source = ? AND ended_ms IS NULL")
        .bind(source.as_str())
        .fetch_all(connection)
        .await?;
    let key = |row: &sqlx::sqlite::SqliteRow| {
        Ok(((row.try_get("name")?, row.try_get("labels")?), row.try_get("id")?))
    };
    Ok(rows.iter().map(key).collect::<std::result::Result<_, sqlx::Error>>()?)
}

async fn insert(connection: &mut SqliteConnection, source: Source, firing: &Firing) -> Result<i64> {
    let changed = next_change(connection).await?;
    let inserted = sqlx::query(
        "INSERT INTO messages (source, name, severity, labels, value, summary, advice, runbook, started_ms, changed)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(source.as_str())
    .bind(&firing.name)
    .bind(&firing.severity)
    .bind(text::labels(&firing.labels))
    .bind(firing.value.filter(|value| value.is_finite()))
    .bind(&firing.summary)
    .bind(&firing.advice)
    .bind(&firing.runbook)
    .bind(firing.started_ms)
    .bind(changed)
    .execute(connection)
    .await?;
    Ok(inserted.last_insert_rowid())
}

async fn end(connection: &mut SqliteConnection, id: i64, now_ms: i64) -> Result<()> {
    let changed = next_change(connection).await?;
    sqlx::query("UPDATE messages SET ended_ms = MAX(?, started_ms), changed = ? WHERE id = ?")
        .bind(now_ms)
        .bind(changed)
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Hangs open messages under those that say it all, and takes them out from under those that have ended.
async fn group(connection: &mut SqliteTransaction<'_>, source: Source, firing: &[Firing]) -> Result<bool> {
    let open = open_keys(connection, source).await?;
    let mut changed = false;
    for firing in firing {
        let Some(id) = open.get(&key(firing)) else { continue };
        let parent = firing
            .under
            .as_ref()
            .and_then(|(name, labels)| open.get(&(name.clone(), text::labels(labels))).copied());
        let moved = sqlx::query("UPDATE messages SET parent = ? WHERE id = ? AND parent IS NOT ?")
            .bind(parent)
            .bind(id)
            .bind(parent)
            .execute(&mut **connection)
            .await?;
        if moved.rows_affected() > 0 {
            touch(connection, *id).await?;
            changed = true;
        }
    }
    Ok(changed)
}

/// Notes that a message has changed; gives whether there is one.
async fn touch(connection: &mut SqliteConnection, id: i64) -> Result<bool> {
    let changed = next_change(connection).await?;
    let touched = sqlx::query("UPDATE messages SET changed = ? WHERE id = ?")
        .bind(changed)
        .bind(id)
        .execute(connection)
        .await?;
    Ok(touched.rows_affected() > 0)
}

async fn next_change(connection: &mut SqliteConnection) -> Result<i64> {
    Ok(sqlx::query_scalar("SELECT COALESCE(MAX(changed), 0) + 1 FROM messages").fetch_one(connection).await?)
}

async fn prune(connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query("DELETE FROM messages WHERE ended_ms < ?")
        .bind(unix_ms() - KEPT_MS)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "DELETE FROM messages WHERE ended_ms IS NOT NULL AND id <=
             (SELECT id FROM messages WHERE ended_ms IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET ?)",
    )
    .bind(KEPT_MAX)
    .execute(connection)
    .await?;
    Ok(())
}

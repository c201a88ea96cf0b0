//! Silences: alerts that nobody wants to be told of for a while. One that begins later is a maintenance window.

use super::{Labels, Messages, MessagesError, Result, text};
use crate::{board::unix_ms, text::one_line};
use sqlx::{Row, sqlite::SqliteRow};

/// At most so many at a time.
const SILENCES_MAX: i64 = 500;
/// None lasts longer: what is silenced for ever is a rule that should go.
const LASTING_MS_MAX: i64 = 90 * 24 * 3600 * 1000;
const TEXT_CHARS_MAX: usize = 500;
const LABELS_MAX: usize = 16;

/// A silence that somebody wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewSilence {
    /// Of the alert; empty for all.
    pub name: String,
    /// Labels that must be so.
    pub labels: Labels,
    /// When it begins, in milliseconds since 1970.
    pub begins_ms: i64,
    /// When it ends.
    pub ends_ms: i64,
    /// Who wants it.
    pub author: String,
    /// Why.
    pub reason: String,
}

/// A silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Its number.
    pub id: i64,
    /// What it is.
    pub silence: NewSilence,
}

/// Why a silence is not taken.
#[derive(Debug, thiserror::Error)]
pub enum SilenceError {
    /// It makes no sense.
    #[error("{0}")]
    Invalid(&'static str),
    /// The database does not work.
    #[error(transparent)]
    Messages(#[from] MessagesError),
}

impl From<sqlx::Error> for SilenceError {
    fn from(error: sqlx::Error) -> Self {
        Self::Messages(error.into())
    }
}

impl Silence {
    /// Whether it holds at `now_ms`.
    pub fn holds_at(&self, now_ms: i64) -> bool {
        (self.silence.begins_ms..self.silence.ends_ms).contains(&now_ms)
    }

    /// Whether it is about this alert.
    pub fn covers(&self, name: &str, labels: &Labels) -> bool {
        let NewSilence { name: wanted, labels: must, .. } = &self.silence;
        (wanted.is_empty() || wanted == name)
            && must.iter().all(|(label, value)| labels.get(label) == Some(value))
    }
}

impl Messages {
    /// All silences that have not ended.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn silences(&self) -> Result<Vec<Silence>> {
        let rows = sqlx::query("SELECT * FROM silences WHERE ends_ms > ? ORDER BY id")
            .bind(unix_ms())
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.iter().map(read).collect::<std::result::Result<_, _>>()?)
    }

    /// Adds a silence; gives its number.
    ///
    /// # Errors
    /// It would silence everything, has no end worth the name, or there are too many; or the database cannot be written.
    pub async fn add_silence(&self, silence: &NewSilence) -> std::result::Result<i64, SilenceError> {
        check(silence)?;
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM silences WHERE ends_ms <= ?")
            .bind(unix_ms())
            .execute(&mut *transaction)
            .await?;
        let there: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM silences").fetch_one(&mut *transaction).await?;
        if there >= SILENCES_MAX {
            return Err(SilenceError::Invalid("there are too many silences; end some first"));
        }
        let added = sqlx::query(
            "INSERT INTO silences (name, labels, begins_ms, ends_ms, author, reason) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(&silence.name)
        .bind(text::labels(&silence.labels))
        .bind(silence.begins_ms)
        .bind(silence.ends_ms)
        .bind(one_line(&silence.author, TEXT_CHARS_MAX))
        .bind(one_line(&silence.reason, TEXT_CHARS_MAX))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        self.changed();
        Ok(added.last_insert_rowid())
    }

    /// Ends a silence; gives whether there was one.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn end_silence(&self, id: i64) -> Result<bool> {
        let gone = sqlx::query("DELETE FROM silences WHERE id = ?").bind(id).execute(&self.pool).await?;
        self.changed();
        Ok(gone.rows_affected() > 0)
    }
}

fn check(silence: &NewSilence) -> std::result::Result<(), SilenceError> {
    let long = |text: &str| text.chars().count() > TEXT_CHARS_MAX;
    if silence.name.is_empty() && silence.labels.is_empty() {
        return Err(SilenceError::Invalid(
            "a silence names an alert or a label; everything at once cannot be silenced",
        ));
    }
    if silence.labels.len() > LABELS_MAX
        || long(&silence.name)
        || silence.labels.iter().any(|(label, value)| long(label) || long(value))
    {
        return Err(SilenceError::Invalid("a silence has at most 16 labels, and no long ones"));
    }
    if silence.ends_ms <= silence.begins_ms || silence.ends_ms <= unix_ms() {
        return Err(SilenceError::Invalid("a silence ends after it begins, and not in the past"));
    }
    if silence.ends_ms - silence.begins_ms > LASTING_MS_MAX {
        return Err(SilenceError::Invalid("a silence lasts at most 90 days"));
    }
    Ok(())
}

fn read(row: &SqliteRow) -> std::result::Result<Silence, sqlx::Error> {
    Ok(Silence {
        id: row.try_get("id")?,
        silence: NewSilence {
            name: row.try_get("name")?,
            labels: text::read_labels(row.try_get("labels")?),
            begins_ms: row.try_get("begins_ms")?,
            ends_ms: row.try_get("ends_ms")?,
            author: row.try_get("author")?,
            reason: row.try_get("reason")?,
        },
    })
}

//! Reading messages.

use super::{Files, Labels, Messages, Result, Silence, text};
use crate::{
    board::unix_ms,
    rules::{Help, Rule},
};
use sqlx::{QueryBuilder, Row, Sqlite, sqlite::SqliteRow};

/// Most messages in one answer.
pub(super) const PAGE_MAX: u32 = 500;

/// Which messages.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// For whom they are read or unread.
    pub person: String,
    /// Only those that this person has not read.
    pub unread: bool,
    /// Only those that still fire.
    pub open: bool,
    /// Those hung under another one too, and those of which nobody wants to be told.
    pub all: bool,
    /// Only those with a smaller id.
    pub before: Option<i64>,
    /// Only those that changed after this; the oldest change first then.
    pub changed_after: Option<i64>,
    /// Only this one.
    pub id: Option<i64>,
    /// At most so many; 0 is as many as can be.
    pub limit: u32,
}

/// A message as one person sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its number.
    pub id: i64,
    /// `monitor`, `alertmanager` or `grafana`.
    pub source: String,
    /// Of the alert.
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
    /// When it began, in milliseconds since 1970.
    pub started_ms: i64,
    /// When it ended, if it has.
    pub ended_ms: Option<i64>,
    /// The files it touches; `None` while nobody could be asked, and of alerts that touch none.
    pub files: Option<Files>,
    /// The message that says it all.
    pub parent: Option<i64>,
    /// How many messages hang under this one.
    pub children: u64,
    /// Whether the person has read it.
    pub read: bool,
    /// Who took it on.
    pub acknowledged_by: Option<String>,
    /// When.
    pub acknowledged_ms: Option<i64>,
    /// Whether nobody wants to be told of it now.
    pub silenced: bool,
    /// Grows with every change of any message.
    pub changed: i64,
}

impl Message {
    /// The act that may help while it fires, and the node's name.
    pub fn help(&self) -> Option<(Help, String)> {
        let help = Rule::named(&self.name)?.helps?;
        let node = self.labels.get("node").filter(|_| self.ended_ms.is_none())?;
        Some((help, node.clone()))
    }
}

impl Messages {
    /// The messages that `filter` lets through, the newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn list(&self, filter: &Filter) -> Result<Vec<Message>> {
        let now_ms = unix_ms();
        let silences = self.silences_at(now_ms).await?;
        let limit = if filter.limit == 0 { PAGE_MAX } else { filter.limit.min(PAGE_MAX) };
        let rows = select(filter).build().fetch_all(&self.pool).await?;
        let mut messages = Vec::new();
        for row in &rows {
            let mut message = read(row)?;
            message.silenced = silences.iter().any(|silence| silence.covers(&message.name, &message.labels));
            if message.silenced && !filter.all && filter.id.is_none() {
                continue;
            }
            messages.push(message);
            if messages.len() == limit as usize {
                break;
            }
        }
        Ok(messages)
    }

    /// How many messages `person` has not read.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn unread(&self, person: &str) -> Result<usize> {
        let filter = Filter { person: person.into(), unread: true, ..Filter::default() };
        Ok(self.list(&filter).await?.len())
    }

    /// The number of the last change.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn last_change(&self) -> Result<i64> {
        Ok(sqlx::query_scalar("SELECT COALESCE(MAX(changed), 0) FROM messages").fetch_one(&self.pool).await?)
    }

    /// The silences that hold at `now_ms`.
    async fn silences_at(&self, now_ms: i64) -> Result<Vec<Silence>> {
        let mut silences = self.silences().await?;
        silences.retain(|silence| silence.holds_at(now_ms));
        Ok(silences)
    }
}

/// Silenced rows are filtered afterwards, so that a little more is read than is wanted.
const READ_MAX: i64 = super::KEPT_MAX + 4 * super::OPEN_MAX as i64;

fn select(filter: &Filter) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(
        "SELECT m.*, r.read_ms, (SELECT COUNT(*) FROM messages c WHERE c.parent = m.id) AS children
         FROM messages m LEFT JOIN message_reads r ON r.message = m.id AND r.person = ",
    );
    query.push_bind(filter.person.clone()).push(" WHERE TRUE");
    if filter.unread {
        query.push(" AND r.read_ms IS NULL");
    }
    if filter.open {
        query.push(" AND m.ended_ms IS NULL");
    }
    if !filter.all && filter.id.is_none() && filter.changed_after.is_none() {
        query.push(" AND m.parent IS NULL");
    }
    if let Some(before) = filter.before {
        query.push(" AND m.id < ").push_bind(before);
    }
    if let Some(id) = filter.id {
        query.push(" AND m.id = ").push_bind(id);
    }
    match filter.changed_after {
        Some(after) => query.push(" AND m.changed > ").push_bind(after).push(" ORDER BY m.changed"),
        None => query.push(" ORDER BY m.id DESC"),
    };
    query.push(" LIMIT ").push_bind(READ_MAX);
    query
}

fn read(row: &SqliteRow) -> std::result::Result<Message, sqlx::Error> {
    let files = row.try_get::<Option<i64>, _>("files")?;
    Ok(Message {
        id: row.try_get("id")?,
        source: row.try_get("source")?,
        name: row.try_get("name")?,
        severity: row.try_get("severity")?,
        labels: text::read_labels(row.try_get("labels")?),
        value: row.try_get("value")?,
        summary: row.try_get("summary")?,
        advice: row.try_get("advice")?,
        runbook: row.try_get("runbook")?,
        started_ms: row.try_get("started_ms")?,
        ended_ms: row.try_get("ended_ms")?,
        files: files
            .map(|count| {
                Ok::<_, sqlx::Error>(Files {
                    count: count as u64,
                    owners: text::read_words(row.try_get("owners")?),
                    tags: text::read_words(row.try_get("tags")?),
                })
            })
            .transpose()?,
        parent: row.try_get("parent")?,
        children: row.try_get::<i64, _>("children")? as u64,
        read: row.try_get::<Option<i64>, _>("read_ms")?.is_some(),
        acknowledged_by: row.try_get("acknowledged_by")?,
        acknowledged_ms: row.try_get("acknowledged_ms")?,
        silenced: false,
        changed: row.try_get("changed")?,
    })
}

//! What a channel has still to be told.

use crate::messages::{Filter, Message, Messages, MessagesError, OPEN_MAX};
use sqlx::SqlitePool;

/// A channel knows that a message began, or that it ended too.
const BEGAN: i64 = 1;
const ENDED: i64 = 2;

/// Messages of which the channel does not know yet how they stand, oldest first. What is hung under another one is not told; a
/// channel that is new begins with what fires now.
const DUE: &str = "SELECT m.id FROM messages m
    LEFT JOIN deliveries d ON d.message = m.id AND d.channel = ?
    WHERE m.parent IS NULL
      AND COALESCE(d.said, 0) < CASE WHEN m.ended_ms IS NULL THEN 1 ELSE 2 END
      AND (m.ended_ms IS NULL OR d.said IS NOT NULL
           OR m.id >= (SELECT first FROM channels WHERE name = ?))
    ORDER BY m.id LIMIT ?";

/// The deliveries of one channel.
pub(super) struct Pending {
    pool: SqlitePool,
    channel: String,
}

impl Pending {
    pub(super) fn new(pool: SqlitePool, channel: &str) -> Self {
        Self { pool, channel: channel.to_owned() }
    }

    /// The oldest message that is to be told; what is silenced is passed over for now.
    pub(super) async fn next(&self, messages: &Messages) -> Result<Option<Message>, MessagesError> {
        sqlx::query(
            "INSERT OR IGNORE INTO channels (name, first) SELECT ?, COALESCE(MAX(id), 0) + 1 FROM messages",
        )
        .bind(&self.channel)
        .execute(&self.pool)
        .await?;
        let due: Vec<i64> = sqlx::query_scalar(DUE)
            .bind(&self.channel)
            .bind(&self.channel)
            .bind(OPEN_MAX as i64)
            .fetch_all(&self.pool)
            .await?;
        for id in due {
            let found = messages.list(&Filter { id: Some(id), ..Filter::default() }).await?;
            if let Some(message) = found.into_iter().find(|message| !message.silenced) {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// The channel has taken it.
    pub(super) async fn done(&self, message: &Message) -> Result<(), MessagesError> {
        let said = if message.ended_ms.is_some() { ENDED } else { BEGAN };
        // It may have been pruned meanwhile; then there is nothing to note.
        sqlx::query(
            "INSERT OR REPLACE INTO deliveries (channel, message, said)
             SELECT ?, id, ? FROM messages WHERE id = ?",
        )
        .bind(&self.channel)
        .bind(said)
        .bind(message.id)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

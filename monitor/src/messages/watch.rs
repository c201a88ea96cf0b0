//! Changes as they happen.

use super::{Filter, Messages, MessagesError};
use futures::{Stream, TryStreamExt, stream};
use tokio::sync::watch;

/// A message that began, ended or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Number of the change.
    pub changed: i64,
    /// Of the message.
    pub id: i64,
    /// Of the alert.
    pub name: String,
    /// How bad it is.
    pub severity: String,
    /// Whether it still fires.
    pub firing: bool,
    /// What is the case.
    pub summary: String,
}

struct Watching {
    messages: Messages,
    changes: watch::Receiver<u64>,
    after: i64,
}

impl Messages {
    /// Every message that changed after number `after`, and then those that change; without end. Two changes of one
    /// message in a row may come as one.
    pub fn watch(&self, after: i64) -> impl Stream<Item = Result<Change, MessagesError>> + Send + use<> {
        let mut changes = self.changes();
        changes.mark_changed();
        let watching = Watching { messages: self.clone(), changes, after };
        let rounds = stream::try_unfold(watching, |mut watching| async move {
            if watching.changes.changed().await.is_err() {
                return Ok(None);
            }
            let filter = Filter { changed_after: Some(watching.after), all: true, ..Filter::default() };
            let changed = watching.messages.list(&filter).await?;
            watching.after = changed.last().map_or(watching.after, |message| message.changed);
            let changed = changed.into_iter().map(|message| {
                Ok(Change {
                    changed: message.changed,
                    id: message.id,
                    name: message.name,
                    severity: message.severity,
                    firing: message.ended_ms.is_none(),
                    summary: message.summary,
                })
            });
            Ok::<_, MessagesError>(Some((stream::iter(changed), watching)))
        });
        rounds.try_flatten()
    }
}

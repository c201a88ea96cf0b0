//! What the page is told without asking: numbered, kept for a while, and filtered by who may see it.

use crate::catalog::UserName;
use serde::Serialize;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::broadcast;

/// Events kept for those that come back.
const KEPT: usize = 1024;

/// Everything the page is told; the TypeScript union mirrors it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A file was stored or replaced.
    FileStored {
        /// Of the file.
        path: String,
    },
    /// A file's tags changed: the tagger's are there, or a person gave or took some.
    FileTagged {
        /// Of the file.
        path: String,
        /// Names of those that came.
        tags: Vec<String>,
    },
    /// A file or folder is no longer there.
    FileRemoved {
        /// Where it was.
        path: String,
    },
    /// A node's state changed.
    NodeChanged {
        /// Its name.
        node: String,
        /// State before.
        from: String,
        /// State now.
        to: String,
    },
    /// The margins changed.
    GroupsChanged {
        /// Of all groups and short extents.
        worst_margin: Option<i32>,
        /// Extents that lack shards.
        short_extents: u64,
    },
    /// A message to people began, ended or changed.
    MessageChanged {
        /// Its number.
        message: i64,
        /// Of the alert.
        name: String,
        /// How bad it is.
        severity: String,
        /// Whether it still fires.
        firing: bool,
        /// What is the case.
        summary: String,
    },
    /// Some events are gone: load everything anew.
    Resync,
}

/// An event with its number.
#[derive(Clone, Debug, Serialize)]
pub struct Numbered {
    /// Grows by one.
    pub seq: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// Who may see it; none is everyone.
    #[serde(skip)]
    owner: Option<UserName>,
}

impl Numbered {
    /// Whether `user` may see it.
    pub fn is_for(&self, user: &UserName) -> bool {
        self.owner.as_ref().is_none_or(|owner| owner == user)
    }
}

/// The stream of events of this process; clones share it.
#[derive(Clone)]
pub struct Events(Arc<Inner>);

struct Inner {
    kept: Mutex<(u64, VecDeque<Numbered>)>,
    sender: broadcast::Sender<Numbered>,
}

impl Default for Events {
    fn default() -> Self {
        let (sender, _) = broadcast::channel(KEPT);
        Self(Arc::new(Inner { kept: Mutex::default(), sender }))
    }
}

impl Events {
    /// Tells the owner of a file.
    pub fn publish(&self, owner: &UserName, event: Event) {
        self.push(Some(owner.clone()), event);
    }

    /// Tells everyone.
    pub fn publish_to_all(&self, event: Event) {
        self.push(None, event);
    }

    /// What came after number `since` (none: only what comes from now on), and all that comes. If some of it is
    /// gone, or the number is of another process's life, it begins with [`Event::Resync`].
    pub fn subscribe(&self, since: Option<u64>) -> (Vec<Numbered>, broadcast::Receiver<Numbered>) {
        let kept = self.lock();
        let receiver = self.0.sender.subscribe();
        let (last, events) = &*kept;
        let Some(since) = since else { return (Vec::new(), receiver) };
        let first = last + 1 - events.len() as u64;
        let missed = if since > *last || since + 1 < first {
            vec![Numbered { seq: *last, event: Event::Resync, owner: None }]
        } else {
            events.iter().filter(|event| event.seq > since).cloned().collect()
        };
        (missed, receiver)
    }

    /// What a subscriber is told that was too slow.
    pub fn resync(&self) -> Numbered {
        Numbered { seq: self.lock().0, event: Event::Resync, owner: None }
    }

    fn push(&self, owner: Option<UserName>, event: Event) {
        let mut kept = self.lock();
        kept.0 += 1;
        let numbered = Numbered { seq: kept.0, event, owner };
        if kept.1.len() == KEPT {
            kept.1.pop_front();
        }
        kept.1.push_back(numbered.clone());
        // Sent under the lock, so that a new subscriber neither misses nor repeats one. No receiver is no fault.
        let _nobody_listens = self.0.sender.send(numbered);
    }

    fn lock(&self) -> MutexGuard<'_, (u64, VecDeque<Numbered>)> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removed(path: &str) -> Event {
        Event::FileRemoved { path: path.into() }
    }

    #[test]
    fn who_comes_back_gets_what_was_missed_or_is_told_to_reload() {
        let (events, ada) = (Events::default(), "ada".parse().unwrap());
        (0..5).for_each(|number| events.publish(&ada, removed(&number.to_string())));
        let missed =
            |since| events.subscribe(since).0.iter().map(|event| event.event.clone()).collect::<Vec<_>>();
        assert_eq!(missed(None), []);
        assert_eq!(missed(Some(3)), [removed("3"), removed("4")]);
        assert_eq!(missed(Some(5)), []);
        assert_eq!(missed(Some(9)), [Event::Resync], "a number from before a restart");
        (0..2000).for_each(|number| events.publish(&ada, removed(&number.to_string())));
        assert_eq!(missed(Some(5)), [Event::Resync]);
    }

    #[test]
    fn files_are_news_for_their_owner_alone() {
        let events = Events::default();
        let (ada, bob) = ("ada".parse().unwrap(), "bob".parse().unwrap());
        events.publish(&ada, removed("/x"));
        events.publish_to_all(Event::Resync);
        let seen = |user| events.subscribe(Some(0)).0.iter().filter(|event| event.is_for(user)).count();
        assert_eq!((seen(&ada), seen(&bob)), (2, 1));
    }

    #[test]
    fn on_the_wire_an_event_is_flat() {
        let event = Numbered { seq: 7, event: removed("/a"), owner: None };
        assert_eq!(serde_json::to_string(&event).unwrap(), r#"{"seq":7,"type":"file_removed","path":"/a"}"#);
    }
}

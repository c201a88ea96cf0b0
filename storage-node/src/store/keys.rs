//! One change of a shard at a time: who puts or deletes it holds its key from the first look to the last note.

use crate::shard::ShardKey;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// The keys that are held.
#[derive(Default)]
pub(super) struct Keys {
    held: Mutex<HashSet<ShardKey>>,
    freed: Notify,
}

/// Keys that nobody else changes until this is dropped.
pub(super) struct Held {
    keys: Vec<ShardKey>,
    all: Arc<Keys>,
}

impl Keys {
    /// Waits until nobody holds any of `keys`, and takes them all at once, so that no two can wait for each other.
    pub(super) async fn hold(self: &Arc<Self>, mut keys: Vec<ShardKey>) -> Held {
        keys.sort_unstable();
        keys.dedup();
        loop {
            // Listening before looking: what is freed in between is not missed.
            let mut freed = std::pin::pin!(self.freed.notified());
            freed.as_mut().enable();
            if self.try_hold(&keys) {
                return Held { keys, all: Arc::clone(self) };
            }
            freed.await;
        }
    }

    fn try_hold(&self, keys: &[ShardKey]) -> bool {
        let mut held = self.lock();
        if keys.iter().any(|key| held.contains(key)) {
            return false;
        }
        held.extend(keys);
        true
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<ShardKey>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.all.lock();
        for key in &self.keys {
            held.remove(key);
        }
        drop(held);
        self.all.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use asterism_proto::ExtentId;
    use std::time::Duration;

    fn key(extent: u8) -> ShardKey {
        ShardKey::new(ExtentId::from_bytes([extent; 16]), 0).unwrap()
    }

    #[tokio::test]
    async fn whoever_wants_a_held_key_waits_and_others_do_not() {
        let keys = Arc::new(Keys::default());
        let first = keys.hold(vec![key(2), key(1), key(2)]).await;
        drop(keys.hold(vec![key(3)]).await);
        let waiting = tokio::spawn({
            let keys = Arc::clone(&keys);
            async move { drop(keys.hold(vec![key(3), key(1)]).await) }
        });
        tokio::task::yield_now().await;
        // Who waits for all of its keys holds none of them.
        drop(keys.hold(vec![key(3)]).await);
        assert!(!waiting.is_finished());
        drop(first);
        tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap().unwrap();
    }
}

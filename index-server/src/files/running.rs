//! Uploads that are under way, by the epoch in which they began: what they have written is no file yet, and no orphan either.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The uploads of one process; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Running(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    epoch: u64,
    /// How many began in which epoch.
    begun: BTreeMap<u64, usize>,
}

/// An upload is under way as long as this lives: until its commit has an outcome, or it was given up.
#[derive(Debug)]
pub struct Ticket {
    running: Running,
    epoch: u64,
}

impl Running {
    /// An upload begins.
    pub fn begin(&self) -> Ticket {
        let mut state = self.lock();
        let epoch = state.epoch;
        *state.begun.entry(epoch).or_default() += 1;
        Ticket { running: self.clone(), epoch }
    }

    /// Uploads begin in this epoch from now on.
    pub fn advance(&self, epoch: u64) {
        let mut state = self.lock();
        state.epoch = state.epoch.max(epoch);
    }

    /// The epoch in which the oldest upload began that is under way.
    pub fn oldest(&self) -> Option<u64> {
        self.lock().begun.keys().next().copied()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.running.lock();
        if let Some(count) = state.begun.get_mut(&self.epoch) {
            *count -= 1;
            if *count == 0 {
                state.begun.remove(&self.epoch);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_upload_counts_until_it_ends() {
        let running = Running::default();
        assert_eq!(running.oldest(), None);
        let (first, second) = (running.begin(), running.begin());
        running.advance(3);
        let third = running.begin();
        drop(first);
        assert_eq!(running.oldest(), Some(0));
        drop(second);
        assert_eq!(running.oldest(), Some(3));
        running.advance(2);
        drop(third);
        assert_eq!((running.oldest(), running.begin().epoch), (None, 3));
    }
}

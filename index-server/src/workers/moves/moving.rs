//! How fast shards are moved, and who is told to look.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// Weight of the newest measurement.
const SMOOTHING: f64 = 0.3;
/// Time that may pass unused and is made up for: one pause of the worker.
const CREDIT: Duration = Duration::from_millis(500);

/// The limit and the measured speed of moves; clones share it.
#[derive(Clone)]
pub struct Moving {
    /// Told when something is to be moved.
    pub wake: Arc<Notify>,
    /// Bytes per second.
    limit: u64,
    measured: Arc<AtomicU64>,
    /// When all that was moved so far is paid for.
    due: Arc<Mutex<Instant>>,
}

impl Moving {
    /// At most so many bytes per second.
    pub fn new(limit: u64) -> Self {
        let due = Arc::new(Mutex::new(Instant::now()));
        Self { wake: Arc::default(), limit: limit.max(1), measured: Arc::default(), due }
    }

    /// Bytes per second that can be counted on, and whether they were measured.
    pub fn speed(&self) -> (u64, bool) {
        match self.measured.load(Ordering::Relaxed) {
            0 => (self.limit, false),
            measured => (measured, true),
        }
    }

    /// Waits until what was moved before is paid for, and takes `bytes` on credit.
    pub(super) async fn spend(&self, bytes: u64) {
        let start = {
            let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
            let start;
            (start, *due) = schedule(*due, Instant::now(), bytes, self.limit);
            start
        };
        sleep_until(start).await;
    }

    /// So many bytes were moved in this time.
    pub(super) fn note(&self, bytes: u64, took: Duration) {
        if bytes == 0 || took.is_zero() {
            return;
        }
        let now = bytes as f64 / took.as_secs_f64();
        let before = self.measured.load(Ordering::Relaxed);
        let speed = if before == 0 { now } else { SMOOTHING * now + (1.0 - SMOOTHING) * before as f64 };
        self.measured.store((speed as u64).max(1), Ordering::Relaxed);
    }
}

/// When so many bytes may begin to move, and when they are paid for.
fn schedule(due: Instant, now: Instant, bytes: u64, limit: u64) -> (Instant, Instant) {
    let start = due.max(now.checked_sub(CREDIT).unwrap_or(now));
    (start, start + Duration::from_secs_f64(bytes as f64 / limit as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_limit_is_moved() {
        let began = Instant::now() + Duration::from_secs(10);
        let (mut due, mut last) = (began, began);
        for _ in 0..20 {
            (last, due) = schedule(due, began.max(last), 500, 1000);
        }
        assert_eq!(due - began, Duration::from_secs(10), "10,000 bytes at 1,000 a second");
        assert_eq!(due - last, Duration::from_millis(500), "the last ones begin before they are paid for");
        // After a long pause no more than a moment is made up for.
        let later = due + Duration::from_secs(60);
        assert_eq!(schedule(due, later, 1000, 1000), (later - CREDIT, later + CREDIT));
    }

    #[test]
    fn the_speed_is_the_limit_until_it_is_measured() {
        let moving = Moving::new(1000);
        assert_eq!(moving.speed(), (1000, false));
        moving.note(900, Duration::from_secs(1));
        moving.note(0, Duration::from_secs(1));
        assert_eq!(moving.speed(), (900, true));
    }
}

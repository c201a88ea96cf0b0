//! How fast something may be done: a token bucket that is paid afterwards, so that the first piece never waits.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// Time that may pass unused and is made up for: one pause of a worker.
const CREDIT: Duration = Duration::from_millis(500);

/// The limits of one kind of work; clones share what is left of them.
#[derive(Clone)]
pub struct Pace {
    bytes_per_second: u64,
    pieces_per_second: Option<u64>,
    /// When all that was done so far is paid for.
    due: Arc<Mutex<Instant>>,
}

impl Pace {
    /// At most so many bytes, and so many pieces if that is said, per second.
    pub fn new(bytes_per_second: u64, pieces_per_second: Option<u64>) -> Self {
        let due = Arc::new(Mutex::new(Instant::now()));
        let pieces_per_second = pieces_per_second.map(|pieces| pieces.max(1));
        Self { bytes_per_second: bytes_per_second.max(1), pieces_per_second, due }
    }

    /// Bytes per second.
    pub fn bytes_per_second(&self) -> u64 {
        self.bytes_per_second
    }

    /// Waits until what was done before is paid for, and takes this on credit.
    pub(super) async fn spend(&self, bytes: u64, pieces: u64) {
        let start = {
            let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
            let start;
            (start, *due) = schedule(*due, Instant::now(), self.price(bytes, pieces));
            start
        };
        sleep_until(start).await;
    }

    /// The tighter limit counts.
    fn price(&self, bytes: u64, pieces: u64) -> Duration {
        let seconds = |amount: u64, limit: u64| Duration::from_secs_f64(amount as f64 / limit as f64);
        let by_pieces = self.pieces_per_second.map_or(Duration::ZERO, |limit| seconds(pieces, limit));
        seconds(bytes, self.bytes_per_second).max(by_pieces)
    }
}

/// When something may begin, and when it is paid for.
fn schedule(due: Instant, now: Instant, price: Duration) -> (Instant, Instant) {
    let start = due.max(now.checked_sub(CREDIT).unwrap_or(now));
    (start, start + price)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_limit_is_done() {
        let began = Instant::now() + Duration::from_secs(10);
        let (mut due, mut last) = (began, began);
        let price = Pace::new(1000, None).price(500, 1);
        for _ in 0..20 {
            (last, due) = schedule(due, began.max(last), price);
        }
        assert_eq!(due - began, Duration::from_secs(10), "10,000 bytes at 1,000 a second");
        assert_eq!(due - last, Duration::from_millis(500), "the last ones begin before they are paid for");
        // After a long pause no more than a moment is made up for.
        let later = due + Duration::from_secs(60);
        assert_eq!(schedule(due, later, price * 2), (later - CREDIT, later + CREDIT));
    }

    #[test]
    fn the_tighter_limit_counts() {
        let pace = Pace::new(1000, Some(10));
        assert_eq!(pace.price(500, 1), Duration::from_millis(500));
        assert_eq!(pace.price(500, 20), Duration::from_secs(2));
    }
}

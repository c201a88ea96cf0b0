//! How fast shards are moved, and who is told to look.

use crate::workers::Pace;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// Weight of the newest measurement.
const SMOOTHING: f64 = 0.3;

/// The limit and the measured speed of moves; clones share it.
#[derive(Clone)]
pub struct Moving {
    /// Told when something is to be moved.
    pub wake: Arc<Notify>,
    pace: Pace,
    measured: Arc<AtomicU64>,
}

impl Moving {
    /// At most so many bytes per second.
    pub fn new(limit: u64) -> Self {
        Self { wake: Arc::default(), pace: Pace::new(limit, None), measured: Arc::default() }
    }

    /// Bytes per second that can be counted on, and whether they were measured.
    pub fn speed(&self) -> (u64, bool) {
        match self.measured.load(Ordering::Relaxed) {
            0 => (self.pace.bytes_per_second(), false),
            measured => (measured, true),
        }
    }

    /// Waits until what was moved before is paid for, and takes `bytes` on credit.
    pub(super) async fn spend(&self, bytes: u64) {
        self.pace.spend(bytes, 1).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_is_the_limit_until_it_is_measured() {
        let moving = Moving::new(1000);
        assert_eq!(moving.speed(), (1000, false));
        moving.note(900, Duration::from_secs(1));
        moving.note(0, Duration::from_secs(1));
        assert_eq!(moving.speed(), (900, true));
    }
}

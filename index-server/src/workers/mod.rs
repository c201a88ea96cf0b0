//! Work in the background: one owner at a time by lease, each worker with a visible state and an end.

mod census;
mod deletion;
mod graph;
mod leader;
mod moves;
mod repair;
mod state;
mod tagging;
#[cfg(test)]
pub(crate) mod tests;
mod trash;

pub(crate) use leader::LEASE;
pub use leader::{Workers, count_queues};
pub use moves::Moving;
pub use state::{Report, WorkerState};

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A worker that is not woken looks for work this often.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Unix milliseconds, for rows that wait; no order rests on it.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// When a row that failed `attempts` times is tried again: from two seconds up to ten minutes later.
fn retry_at(attempts: u32) -> i64 {
    now_ms() + (2_000i64 << attempts.min(9)).min(600_000)
}

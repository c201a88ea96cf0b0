//! Work in the background: one owner at a time by lease, each worker with a visible state and an end.

mod census;
mod deletion;
mod fsck;
mod graph;
mod leader;
mod moves;
mod orphans;
mod pace;
mod repair;
mod scrub;
mod state;
mod tagging;
#[cfg(test)]
pub(crate) mod tests;
mod trash;

pub use fsck::{Asked, Difference, Fsck, FsckReport};
pub(crate) use leader::LEASE;
pub use leader::{Scrubbing, Workers};
pub use moves::Moving;
pub use orphans::Allowance;
pub use pace::Pace;
pub(crate) use scrub::WALK as SCRUB;
pub use state::{Job, Report, Roster, WorkerState};

use asterism_service::world::unix_ms as now_ms;
use std::time::Duration;

/// A worker that is not woken looks for work this often.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// When a row that failed `attempts` times is tried again: from two seconds up to ten minutes later.
fn retry_at(attempts: u32) -> i64 {
    now_ms() + (2_000i64 << attempts.min(9)).min(600_000)
}

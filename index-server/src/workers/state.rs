//! What a worker shows of itself.

use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;
use utoipa::ToSchema;

/// Weight of the newest measurement in a rate.
const SMOOTHING: f64 = 0.3;
/// Below this a rate is shown as none.
const RATE_LEAST: f64 = 0.001;

/// Every kind of work that is done in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Rebuilds shards that are missing or damaged.
    Repair,
    /// Counts what nodes that came back hold.
    Census,
    /// Reads every shard now and then.
    Scrub,
    /// Removes shards that must go.
    Deletion,
    /// Sets aside what nothing names.
    Orphans,
    /// Purges what has lain in the trash long enough.
    Trash,
    /// Brings shards to where they should lie.
    Moves,
    /// Compares everything with everything when it is asked to.
    Fsck,
    /// Tags new content.
    Tagging,
    /// Brings the tag graph up to date.
    Graph,
}

impl Job {
    const ALL: [Self; 10] = [
        Self::Repair,
        Self::Census,
        Self::Scrub,
        Self::Deletion,
        Self::Orphans,
        Self::Trash,
        Self::Moves,
        Self::Fsck,
        Self::Tagging,
        Self::Graph,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Repair => "repair",
            Self::Census => "census",
            Self::Scrub => "scrub",
            Self::Deletion => "deletion",
            Self::Orphans => "orphans",
            Self::Trash => "trash",
            Self::Moves => "moves",
            Self::Fsck => "fsck",
            Self::Tagging => "tagging",
            Self::Graph => "graph",
        }
    }
}

/// The states of all workers; clones share them.
#[derive(Clone)]
pub struct Roster(Arc<[WorkerState]>);

impl Default for Roster {
    fn default() -> Self {
        Self(Job::ALL.iter().map(|job| WorkerState::new(job.name())).collect())
    }
}

impl Roster {
    /// The state of one of them.
    pub fn of(&self, job: Job) -> &WorkerState {
        // One for each, in the order of their declaration.
        &self.0[job as usize]
    }

    /// All of them, in the order in which they are shown.
    pub fn iter(&self) -> impl Iterator<Item = &WorkerState> {
        self.0.iter()
    }

    /// All of them as the API shows them.
    pub fn reports(&self) -> Vec<Report> {
        self.iter().map(WorkerState::report).collect()
    }
}

/// A worker's state; clones share it.
#[derive(Clone)]
pub struct WorkerState(Arc<Mutex<Inner>>);

struct Inner {
    name: &'static str,
    queue: u64,
    done: u64,
    rate: f64,
    measured: Instant,
    done_then: u64,
    last_error: Option<String>,
}

/// A worker as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Report {
    /// Of the worker.
    pub name: &'static str,
    /// Pieces of work that wait.
    pub queue: u64,
    /// Pieces per second, lately.
    pub rate: f64,
    /// What failed last, if nothing has succeeded since.
    pub last_error: Option<String>,
    /// Until the queue is empty at this rate.
    pub eta_seconds: Option<f64>,
}

impl WorkerState {
    /// A worker that has not done anything yet.
    pub fn new(name: &'static str) -> Self {
        let inner = Inner {
            name,
            queue: 0,
            done: 0,
            rate: 0.0,
            measured: Instant::now(),
            done_then: 0,
            last_error: None,
        };
        Self(Arc::new(Mutex::new(inner)))
    }

    /// How much waits.
    pub fn set_queue(&self, queue: u64) {
        self.lock().queue = queue;
    }

    /// Some pieces were done.
    pub fn succeeded(&self, pieces: u64) {
        let mut inner = self.lock();
        inner.done += pieces;
        inner.last_error = None;
    }

    /// A piece failed.
    pub fn failed(&self, error: impl ToString) {
        self.lock().last_error = Some(error.to_string());
    }

    /// Pieces done since the start.
    pub fn done(&self) -> u64 {
        self.lock().done
    }

    /// Measures the rate since the last call.
    pub fn measure(&self) {
        let mut inner = self.lock();
        let seconds = inner.measured.elapsed().as_secs_f64();
        if seconds > 0.0 {
            let now = (inner.done - inner.done_then) as f64 / seconds;
            inner.rate = SMOOTHING * now + (1.0 - SMOOTHING) * inner.rate;
        }
        inner.done_then = inner.done;
        inner.measured = Instant::now();
    }

    /// As the API shows it.
    pub fn report(&self) -> Report {
        let inner = self.lock();
        let rate = if inner.rate < RATE_LEAST { 0.0 } else { inner.rate };
        let eta_seconds = match inner.queue {
            0 => None,
            queue => (rate > 0.0).then(|| queue as f64 / rate),
        };
        Report {
            name: inner.name,
            queue: inner.queue,
            rate,
            last_error: inner.last_error.clone(),
            eta_seconds,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_finds_its_own_state() {
        let roster = Roster::default();
        for job in Job::ALL {
            assert_eq!(roster.of(job).report().name, job.name());
        }
    }

    #[test]
    fn an_error_is_shown_until_something_succeeds() {
        let state = WorkerState::new("repair");
        state.set_queue(3);
        state.failed("node is down");
        assert_eq!(state.report().last_error.as_deref(), Some("node is down"));
        assert_eq!(state.report().eta_seconds, None, "no rate, no promise");
        state.succeeded(1);
        assert_eq!(state.report().last_error, None);
    }
}

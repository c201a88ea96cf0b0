//! Where the store's work on the disk is done.

use super::error::error;
use asterism_proto::{ShardError, ShardErrorKind};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Work on files at one time. Many waiting for a sync share one commit of the file system's journal.
const CONCURRENCY: usize = 32;

/// Where the store's work on the disk is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// On blocking threads, so many at a time.
    Threads(usize),
    /// At once, in the task that asks: for disks that never block, such as a simulated one.
    Inline,
}

impl Default for Work {
    fn default() -> Self {
        Self::Threads(CONCURRENCY)
    }
}

/// What a caller is told whose work ended without an answer.
pub(super) fn broken() -> ShardError {
    error(ShardErrorKind::Unavailable, "the work on the disk broke off")
}

/// Does work, wherever that is; clones share the places.
#[derive(Clone)]
pub(super) struct Workers {
    /// None: inline.
    places: Option<Arc<Semaphore>>,
}

impl Workers {
    pub(super) fn new(work: Work) -> Self {
        let places = match work {
            Work::Threads(count) => Some(Arc::new(Semaphore::new(count.max(1)))),
            Work::Inline => None,
        };
        Self { places }
    }

    /// Does `work` when there is a place. Once begun, it runs to its end even if nobody waits.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ShardError> {
        let Some(places) = &self.places else { return Ok(work()) };
        let place = Arc::clone(places).acquire_owned().await.map_err(|_| broken())?;
        let running = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(place);
            result
        });
        running.await.map_err(|_| broken())
    }

    /// Begins `work` without waiting, also when all places are taken: others wait for it to be done.
    pub(super) fn start(&self, work: impl FnOnce() + Send + 'static) {
        match &self.places {
            Some(_) => drop(tokio::task::spawn_blocking(work)),
            // After the tasks that are ready now: what they have for it is taken along.
            None => drop(tokio::spawn(async move { work() })),
        }
    }
}

//! The parent's side: a few worker processes that tag files, and are replaced when a file kills them.

mod child;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::tag::Tag;
use crate::wire::Request;
use child::Child;

/// A worker without work ends after this long: its dictionaries are memory that a quiet server can use better.
const IDLE: Duration = Duration::from_secs(60);

/// Why a file has no tags from its content; [`crate::tag_by_name`] still has some to give.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    /// The worker died on this file or answered nonsense; trying again would do the same.
    #[error("the tagger crashed on this file ({how})")]
    Crashed {
        /// What became of the worker.
        how: String,
    },
    /// The worker took too long over this file and was killed.
    #[error("the tagger took longer than {limit:?} over this file")]
    Timeout {
        /// The pool's time limit.
        limit: Duration,
    },
    /// No worker could be started; nothing is wrong with the file, so try again later.
    #[error("no tagger worker could be started")]
    Unavailable(#[source] io::Error),
}

/// Worker processes, started when needed, killed when they misbehave, ended when idle or when the pool is dropped.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    slots: Semaphore,
    timeout: Duration,
    idle_for: Duration,
    keeper: OnceLock<AbortHandle>,
}

#[derive(Debug)]
struct Shared {
    command: Vec<String>,
    /// Longest idle first: the last one is taken, so that the others may end.
    parked: Mutex<Vec<Parked>>,
    changed: Notify,
}

#[derive(Debug)]
struct Parked {
    child: Child,
    until: Instant,
}

impl Pool {
    /// At most `workers` processes of `command` (a program's absolute path and its arguments), which must call
    /// [`crate::worker::run`]; each may take `timeout` over a file.
    pub fn new(command: Vec<String>, workers: usize, timeout: Duration) -> Self {
        let shared = Shared { command, parked: Mutex::default(), changed: Notify::new() };
        let slots = Semaphore::new(workers.clamp(1, Semaphore::MAX_PERMITS));
        Self { shared: Arc::new(shared), slots, timeout, idle_for: IDLE, keeper: OnceLock::new() }
    }

    /// Ends workers that had nothing to do for this long, instead of a minute.
    #[must_use]
    pub const fn with_idle_time(mut self, idle_for: Duration) -> Self {
        self.idle_for = idle_for;
        self
    }

    /// The tags of a file, from a worker. Waits for a free one without a limit; dropping the future kills the worker.
    pub async fn tag(&self, request: &Request) -> Result<Vec<Tag>, TagError> {
        let _slot =
            self.slots.acquire().await.map_err(|closed| TagError::Unavailable(io::Error::other(closed)))?;
        let mut child = match self.shared.take() {
            Some(child) => child,
            None => Child::start(&self.shared.command).map_err(TagError::Unavailable)?,
        };
        match timeout(self.timeout, child.ask(request)).await {
            Ok(Ok(tags)) => {
                self.park(child).await;
                Ok(tags)
            }
            Ok(Err(error)) => {
                let how = child.kill().await;
                tracing::warn!(%error, how, "a tagger worker crashed");
                Err(TagError::Crashed { how })
            }
            Err(_) => {
                let how = child.kill().await;
                tracing::warn!(limit = ?self.timeout, how, "a tagger worker hung");
                Err(TagError::Timeout { limit: self.timeout })
            }
        }
    }

    /// The process ids of the workers that wait for work.
    pub fn idle_workers(&self) -> Vec<u32> {
        self.shared.parked().iter().filter_map(|parked| parked.child.id()).collect()
    }

    async fn park(&self, child: Child) {
        if child.is_worn_out() {
            return child.end().await;
        }
        let until = Instant::now() + self.idle_for;
        self.shared.parked().push(Parked { child, until });
        self.shared.changed.notify_one();
        self.keeper.get_or_init(|| tokio::spawn(end_idle_workers(Arc::clone(&self.shared))).abort_handle());
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.get() {
            keeper.abort();
        }
    }
}

impl Shared {
    /// The worker that worked last, unless it died meanwhile.
    fn take(&self) -> Option<Child> {
        loop {
            let mut child = self.parked().pop()?.child;
            if child.is_alive() {
                return Some(child);
            }
        }
    }

    /// One that has been idle for too long.
    fn take_expired(&self, now: Instant) -> Option<Child> {
        let mut parked = self.parked();
        let expired = parked.first().is_some_and(|parked| parked.until <= now);
        expired.then(|| parked.remove(0).child)
    }

    fn next_expiry(&self) -> Option<Instant> {
        self.parked().first().map(|parked| parked.until)
    }

    fn parked(&self) -> MutexGuard<'_, Vec<Parked>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs as long as the pool.
async fn end_idle_workers(shared: Arc<Shared>) {
    loop {
        match shared.next_expiry() {
            Some(expiry) => sleep_until(expiry).await,
            None => shared.changed.notified().await,
        }
        while let Some(child) = shared.take_expired(Instant::now()) {
            child.end().await;
        }
    }
}

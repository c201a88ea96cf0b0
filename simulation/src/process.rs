//! A process of the simulated cluster, as far as others can tell: where it runs, who it is, and whether it still does.

use asterism_service::Peer;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio_util::sync::CancellationToken;

/// A machine of the simulated cluster: 0 has the index-server, the others a storage node each.
pub type Host = usize;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// One run of one process; clones are the same.
#[derive(Clone, Debug)]
pub struct Process {
    /// Where it runs.
    pub host: Host,
    /// What its certificate would say.
    pub peer: Peer,
    number: u64,
    death: CancellationToken,
}

impl Process {
    /// A process that has just started.
    pub fn start(host: Host, peer: Peer) -> Self {
        Self { host, peer, number: NEXT.fetch_add(1, Ordering::Relaxed), death: CancellationToken::new() }
    }

    /// It ends here and now: what is left of it in memory sends nothing and hears nothing any more.
    pub fn die(&self) {
        self.death.cancel();
    }

    /// Whether it has ended.
    pub fn is_dead(&self) -> bool {
        self.death.is_cancelled()
    }

    /// What `work` answers to somebody outside; none if the process ends before.
    pub async fn outlives<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.death.cancelled() => None,
            answer = work => Some(answer),
        }
    }
}

impl PartialEq for Process {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Process {}

/// Shared by all who look at one cluster.
pub(crate) type Shared<T> = Arc<std::sync::Mutex<T>>;

pub(crate) fn lock<T>(shared: &Shared<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

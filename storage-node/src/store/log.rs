//! The log that small records are appended to, many of them with one sync.
//!
//! Whoever has records stages them. The first to do so becomes the leader: it writes everything that is staged as one batch,
//! syncs it once, notes it in the index and tells those who wait; meanwhile others stage the next batch. There is no thread that
//! only waits for work.

use super::{
    Shared,
    error::error,
    header::{Body, HEADER_BYTES, Record},
    index::Entry,
    segment::LogHeader,
};
use crate::{
    disk::DiskFile,
    shard::{Shard, ShardKey},
};
use asterism_proto::{ShardError, ShardErrorKind};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::oneshot;

/// A batch holds no more, unless one member alone does; who waits for a small record should not wait for all.
const BATCH_BYTES: usize = 4 << 20;
/// Batches in doubt until the disk takes something again; then a person must look at it.
const DOUBTS_MAX: usize = 1024;

/// One record to be appended.
pub(super) enum Staged {
    /// A shard: room for its header, then its cells.
    Put { shard: Shard, sequence: u64, bytes: Vec<u8> },
    /// A tombstone against the record in `target`.
    Remove { key: ShardKey, epoch: u64, sequence: u64, target: u64, forget: bool },
}

impl Staged {
    pub(super) fn stored_bytes(&self) -> usize {
        match self {
            Self::Put { bytes, .. } => bytes.len().next_multiple_of(HEADER_BYTES),
            Self::Remove { .. } => HEADER_BYTES,
        }
    }
}

/// What was in the index before, for each record.
pub(super) type Before = Vec<Option<Entry>>;

/// Records of one caller, which are durable together.
pub(super) struct Member {
    pub(super) records: Vec<Staged>,
    /// The log is closed after this.
    pub(super) seal: bool,
    done: oneshot::Sender<Result<Before, ShardError>>,
}

impl Member {
    /// Tells who waits, if anybody still does.
    pub(super) fn answer(self, result: Result<Before, ShardError>) {
        let _ = self.done.send(result);
    }

    fn stored_bytes(&self) -> usize {
        self.records.iter().map(Staged::stored_bytes).sum()
    }

    /// Whether it must find room on a full disk.
    pub(super) fn is_must(&self) -> bool {
        self.records.iter().all(|record| matches!(record, Staged::Remove { .. }))
    }
}

/// The log that grows now.
pub(super) struct Active {
    pub(super) header: LogHeader,
    pub(super) file: Arc<dyn DiskFile>,
    /// Where the next batch begins.
    pub(super) end: u64,
    /// Up to here blocks are written, so that a batch changes bytes alone.
    pub(super) allocated: u64,
    pub(super) records: Vec<Record>,
}

#[derive(Default)]
struct State {
    active: Option<Active>,
    staged: VecDeque<Member>,
    leading: bool,
    /// What must be durable before anything else is acknowledged.
    doubts: Vec<(Body, u64)>,
}

/// The log and who waits for it.
pub(super) struct Log {
    state: Mutex<State>,
    next_sequence: AtomicU64,
}

impl Log {
    /// A log whose first record comes after `sequence`, and begins with `doubts`.
    pub(super) fn new(sequence: u64, doubts: Vec<(Body, u64)>) -> Self {
        let state = State { doubts, ..State::default() };
        Self { state: Mutex::new(state), next_sequence: AtomicU64::new(sequence + 1) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next sequence number: later than all before.
    pub(super) fn next_sequence(&self) -> u64 {
        self.next_sequence.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes what must be durable before anything else is acknowledged.
    pub(super) fn doubt(&self, body: Body, sequence: u64) {
        self.lock().doubts.push((body, sequence));
    }

    /// Whether something is in doubt.
    pub(super) fn is_in_doubt(&self) -> bool {
        !self.lock().doubts.is_empty()
    }

    /// Fails if so much is in doubt that nothing more should be taken in.
    pub(super) fn check(&self) -> Result<(), ShardError> {
        if self.lock().doubts.len() < DOUBTS_MAX {
            return Ok(());
        }
        Err(error(
            ShardErrorKind::Io,
            "the disk has failed too often; it needs a look, and the node a restart",
        ))
    }

    /// Whether the caller must lead.
    fn stage(&self, member: Member) -> bool {
        let mut state = self.lock();
        state.staged.push_back(member);
        !std::mem::replace(&mut state.leading, true)
    }

    /// What is to be written next; the leader's work ends when there is nothing.
    fn next_batch(&self) -> Option<Batch> {
        let mut state = self.lock();
        let (mut members, mut bytes) = (Vec::new(), 0);
        while let Some(next) = state.staged.front() {
            bytes += next.stored_bytes();
            if !members.is_empty() && bytes > BATCH_BYTES {
                break;
            }
            members.extend(state.staged.pop_front());
        }
        if members.is_empty() {
            state.leading = false;
            return None;
        }
        Some(Batch { active: state.active.take(), doubts: state.doubts.clone(), members })
    }

    /// Gives the log back after a batch, and takes doubts away that are durable now.
    pub(super) fn put_back(&self, active: Option<Active>, settled: usize) {
        let mut state = self.lock();
        state.active = active;
        state.doubts.drain(..settled);
    }

    /// A leader that broke off must not keep others from leading.
    fn stand_down(&self) {
        self.lock().leading = false;
    }
}

/// What is written and synced at once.
pub(super) struct Batch {
    pub(super) active: Option<Active>,
    pub(super) doubts: Vec<(Body, u64)>,
    pub(super) members: Vec<Member>,
}

struct Leading<'a>(&'a Log);

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stand_down();
        }
    }
}

impl Shared {
    /// Appends records; they are durable and in the index on return. Gives back what the index held before of each.
    pub(super) async fn append(self: &Arc<Self>, records: Vec<Staged>) -> Result<Before, ShardError> {
        self.log.check()?;
        self.append_or_seal(records, false).await
    }

    /// Closes the log; the next record begins another.
    pub(super) async fn seal(self: &Arc<Self>) -> Result<(), ShardError> {
        self.append_or_seal(Vec::new(), true).await.map(drop)
    }

    /// Makes durable what is in doubt, if anything is.
    pub(super) async fn settle_doubts(self: &Arc<Self>) -> Result<(), ShardError> {
        if self.log.is_in_doubt() { self.append(Vec::new()).await.map(drop) } else { Ok(()) }
    }

    async fn append_or_seal(
        self: &Arc<Self>,
        records: Vec<Staged>,
        seal: bool,
    ) -> Result<Before, ShardError> {
        let (done, written) = oneshot::channel();
        if self.log.stage(Member { records, seal, done }) {
            let shared = Arc::clone(self);
            self.workers.start(move || shared.lead());
        }
        written.await.map_err(|_| super::work::broken())?
    }

    fn lead(self: &Arc<Self>) {
        let leading = Leading(&self.log);
        while let Some(batch) = self.log.next_batch() {
            self.write_batch(batch);
        }
        drop(leading);
        self.tend();
    }
}

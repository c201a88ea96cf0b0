//! The logs that there are: how much of each lives, which can be compacted, and the open files of those being read.

use super::{
    header::{HEADER_BYTES, Location},
    log_index::LogIndex,
    segment::{LOG_HEADER_BYTES, is_solo},
};
use crate::disk::{BLOCK_BYTES, DiskFile};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Open at one time for reading; more would not fit where a process may have 1024.
const OPEN_MAX: usize = 128;
/// Logs left small by restarts are brought together when there are so many.
const SMALL_COUNT: usize = 8;
/// A log is small below this part of what one may have.
const SMALL_PART: u64 = 16;

/// What is known of a log.
#[derive(Clone, Debug, Default)]
pub(super) struct LogState {
    /// What it takes, without what was given back.
    pub(super) bytes: u64,
    /// Of shards that count, and of tombstones whose targets are there.
    pub(super) live_bytes: u64,
    /// Logs that it took the place of.
    pub(super) replaces: Vec<u64>,
    /// Its first block is broken, so it may have taken the place of any.
    pub(super) headless: bool,
    /// It grows no more.
    pub(super) sealed: bool,
    /// A sync of it failed.
    pub(super) poisoned: bool,
    /// Something in it was not understood.
    pub(super) damaged: bool,
    /// It could not be compacted; tried again after a restart.
    pub(super) stuck: bool,
}

impl LogState {
    fn can_be_compacted(&self) -> bool {
        let copied = match self.live_bytes {
            0 => 0,
            live => LOG_HEADER_BYTES + live.next_multiple_of(BLOCK_BYTES as u64),
        };
        self.sealed && !self.stuck && (self.poisoned || copied * 2 < self.bytes)
    }
}

/// Sums over all logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LogTotals {
    pub(super) logs: u64,
    pub(super) live_bytes: u64,
    pub(super) dead_bytes: u64,
    pub(super) poisoned: u64,
}

#[derive(Default)]
struct Table {
    logs: BTreeMap<u64, LogState>,
    /// Of logs that grow no more, not yet written.
    indexes: Vec<LogIndex>,
    /// For each segment the logs of the tombstones against records in it, one for each.
    tombstones: BTreeMap<u64, Vec<u64>>,
}

impl Table {
    fn change(&mut self, log: u64, bytes: i64) {
        if let Some(log) = self.logs.get_mut(&log) {
            log.live_bytes = log.live_bytes.saturating_add_signed(bytes);
        }
    }

    fn release(&mut self, target: u64) {
        for log in self.tombstones.remove(&target).unwrap_or_default() {
            self.change(log, -(HEADER_BYTES as i64));
        }
    }
}

/// All logs of a directory.
pub(super) struct Segments {
    table: Mutex<Table>,
    open: Mutex<BTreeMap<u64, Arc<dyn DiskFile>>>,
    next: AtomicU64,
    small_bytes: u64,
}

impl Segments {
    /// Of the logs that were found, which have at most `log_bytes`; the highest number in use is `last`.
    pub(super) fn new(logs: BTreeMap<u64, LogState>, last: u64, log_bytes: u64) -> Self {
        let table = Table { logs, ..Table::default() };
        let (table, next) = (Mutex::new(table), AtomicU64::new(last + 1));
        Self { table, open: Mutex::default(), next, small_bytes: log_bytes / SMALL_PART }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that no segment has had.
    pub(super) fn next_id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes a new log.
    pub(super) fn add(&self, id: u64, log: LogState) {
        self.table().logs.insert(id, log);
    }

    /// Forgets a log; gives back what it was.
    pub(super) fn remove(&self, id: u64) -> Option<LogState> {
        self.open_files().remove(&id);
        let mut table = self.table();
        table.release(id);
        table.logs.remove(&id)
    }

    /// Changes what is known of a log.
    pub(super) fn update(&self, id: u64, change: impl FnOnce(&mut LogState)) {
        if let Some(log) = self.table().logs.get_mut(&id) {
            change(log);
        }
    }

    /// Whether something in a log was not understood.
    pub(super) fn is_damaged(&self, id: u64) -> bool {
        self.table().logs.get(&id).is_some_and(|log| log.damaged)
    }

    /// The logs that a log took the place of and that count no more. One whose name could not be made durable has not taken it yet.
    pub(super) fn gone_for(&self, id: u64) -> Vec<u64> {
        let table = self.table();
        let replaces = table.logs.get(&id).map(|log| log.replaces.as_slice()).unwrap_or_default();
        replaces.iter().copied().filter(|old| !table.logs.contains_key(old)).collect()
    }

    /// Notes that records came to count, or no longer do.
    pub(super) fn count(&self, changes: impl IntoIterator<Item = (Location, i64)>) {
        let mut table = self.table();
        for (location, bytes) in changes {
            if !is_solo(location) {
                table.change(location.segment, bytes);
            }
        }
    }

    /// Notes tombstones: which segment each is against, and in which log it lies.
    pub(super) fn count_tombstones(&self, tombstones: impl IntoIterator<Item = (u64, u64)>) {
        let mut table = self.table();
        for (target, log) in tombstones {
            table.tombstones.entry(target).or_default().push(log);
            table.change(log, HEADER_BYTES as i64);
        }
    }

    /// Notes that a segment is gone: no tombstone is needed against it.
    pub(super) fn gone(&self, target: u64) {
        self.table().release(target);
    }

    /// Notes that a log took the place of others, with these tombstones. What was dead in them when it was copied may be in it
    /// too.
    pub(super) fn replaced_by(&self, inputs: &[u64], output: u64, tombstones: impl IntoIterator<Item = u64>) {
        let mut table = self.table();
        for logs in table.tombstones.values_mut() {
            logs.retain(|log| !inputs.contains(log));
        }
        for input in inputs {
            let against = table.tombstones.remove(input).unwrap_or_default();
            table.tombstones.entry(output).or_default().extend(against);
        }
        drop(table);
        self.count_tombstones(tombstones.into_iter().map(|target| (target, output)));
    }

    /// Notes that a log grows no more, and what its index says.
    pub(super) fn seal(&self, id: u64, index: LogIndex) {
        let mut table = self.table();
        table.indexes.push(index);
        if let Some(log) = table.logs.get_mut(&id) {
            log.sealed = true;
        }
    }

    /// An index that is still to be written; the caller puts it back if that fails.
    pub(super) fn unwritten_index(&self) -> Option<LogIndex> {
        self.table().indexes.pop()
    }

    /// Logs that one new log should take the place of.
    pub(super) fn candidates(&self) -> Vec<u64> {
        let table = self.table();
        let unwritten = |id: &u64| table.indexes.iter().any(|index| index.header.id == *id);
        let mut usable = table.logs.iter().filter(|(id, _)| !unwritten(id));
        if let Some((id, _)) = usable.clone().find(|(_, log)| log.can_be_compacted()) {
            return vec![*id];
        }
        let small = |log: &LogState| log.sealed && !log.stuck && !log.damaged && log.bytes < self.small_bytes;
        let small: Vec<u64> =
            usable.by_ref().filter(|(_, log)| small(log)).map(|(id, _)| *id).take(SMALL_COUNT).collect();
        if small.len() == SMALL_COUNT { small } else { Vec::new() }
    }

    fn has_unwritten(&self) -> bool {
        !self.table().indexes.is_empty()
    }

    /// Whether there is anything to do for who looks after the logs.
    pub(super) fn needs_tending(&self) -> bool {
        self.has_unwritten() || !self.candidates().is_empty()
    }

    /// Whether a log other than `inputs` may hold dead records that were in the segment `id`.
    pub(super) fn replaced(&self, id: u64, inputs: &[u64]) -> bool {
        let table = self.table();
        let mut others = table.logs.iter().filter(|(other, _)| !inputs.contains(other));
        others.any(|(_, log)| log.headless || log.replaces.contains(&id))
    }

    /// Sums over all logs.
    pub(super) fn totals(&self) -> LogTotals {
        let table = self.table();
        let mut totals = LogTotals::default();
        for log in table.logs.values() {
            totals.logs += 1;
            totals.live_bytes += log.live_bytes;
            totals.dead_bytes += log.bytes.saturating_sub(log.live_bytes);
            totals.poisoned += u64::from(log.poisoned);
        }
        totals
    }

    fn open_files(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<dyn DiskFile>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A log that is open for reading.
    pub(super) fn opened(&self, id: u64) -> Option<Arc<dyn DiskFile>> {
        self.open_files().get(&id).cloned()
    }

    /// Keeps a log open for who reads it next.
    pub(super) fn keep_open(&self, id: u64, file: &Arc<dyn DiskFile>) {
        let mut open = self.open_files();
        if open.len() >= OPEN_MAX {
            // The oldest log: it is the least likely to be read again.
            open.pop_first();
        }
        open.insert(id, Arc::clone(file));
    }
}

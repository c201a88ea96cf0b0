//! Looking after the segments, one small step at a time, when there is something to do: indexes of logs that grow no more,
//! room to give back, logs to compact.

use super::{Shared, index::Entry, log::Staged, segment::file_of};
use crate::{
    disk::{Access, BLOCK_BYTES, Folder},
    shard::ShardKey,
    store::{header::Location, segment::is_solo},
};
use std::{
    ffi::OsString,
    io,
    sync::{Arc, PoisonError, atomic::Ordering},
};

/// Dead records of this size give their room back at once; smaller ones wait for compaction.
const HOLE_BYTES_MIN: u64 = 64 << 10;

/// Something dead that takes room.
pub(super) enum Garbage {
    /// A whole file.
    File { name: OsString, segment: u64, bytes: u64 },
    /// A part of a log.
    Range { location: Location, bytes: u64 },
}

impl Shared {
    /// Begins to look after the segments, unless somebody does or there is nothing to do.
    pub(super) fn tend(self: &Arc<Self>) {
        if !self.needs_tending() || self.tending.swap(true, Ordering::AcqRel) {
            return;
        }
        let shared = Arc::clone(self);
        self.workers.start(move || {
            let more = shared.tend_once();
            shared.tending.store(false, Ordering::Release);
            if more {
                shared.tend();
            }
        });
    }

    fn needs_tending(&self) -> bool {
        self.segments.needs_tending() || !self.lock_garbage().is_empty()
    }

    /// One step; whether it went well, so that the next may be tried.
    pub(super) fn tend_once(&self) -> bool {
        self.take_out_garbage();
        if let Some(index) = self.segments.unwritten_index() {
            return match index.write(&**self.disk()) {
                Ok(()) => true,
                Err(error) => {
                    tracing::warn!(log = index.header.id, %error, "the index of a log could not be written");
                    self.segments.seal(index.header.id, index);
                    false
                }
            };
        }
        // A tombstone may be all that says so until what is in doubt is durable; the next batch sees to that.
        if self.log.is_in_doubt() {
            return false;
        }
        let candidates = self.segments.candidates();
        if candidates.is_empty() {
            return false;
        }
        match self.compact(&candidates) {
            Ok(()) => {
                self.reserve.fill(&**self.disk());
                true
            }
            // There will be room again.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => false,
            Err(error) => {
                tracing::warn!(logs = ?candidates, %error, "logs could not be compacted; they stay as they are");
                candidates.iter().for_each(|id| self.segments.update(*id, |log| log.stuck = true));
                true
            }
        }
    }

    /// Notes what a tombstone has made dead.
    pub(super) fn note_removed(&self, staged: &Staged, before: Option<Entry>) {
        let Staged::Remove { key, forget: true, .. } = staged else { return };
        if let Some(entry) = before {
            self.lock_garbage().extend(garbage(*key, entry));
        }
    }

    fn lock_garbage(&self) -> std::sync::MutexGuard<'_, Vec<Garbage>> {
        self.garbage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives back the room of what is dead.
    pub(super) fn take_out_garbage(&self) {
        let garbage = std::mem::take(&mut *self.lock_garbage());
        for one in garbage {
            match one {
                Garbage::File { name, segment, bytes } => match self.disk().remove(Folder::Segments, &name) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        tracing::warn!(name = %name.display(), %error, "a dead file could not be removed");
                    }
                    _ => {
                        self.room.release(bytes);
                        self.segments.gone(segment);
                    }
                },
                Garbage::Range { location, bytes } => self.punch(location, bytes),
            }
        }
    }

    /// Makes a hole where a dead record lies; its header stays, so that the records behind it are found without a search.
    fn punch(&self, location: Location, bytes: u64) {
        let block = BLOCK_BYTES as u64;
        let from = (location.offset + super::header::HEADER_BYTES as u64).next_multiple_of(block);
        let end = (location.offset + bytes) / block * block;
        if from >= end {
            return;
        }
        let name = super::segment::Name::Log(location.segment).file();
        let file = self.disk().open(Folder::Segments, &name, Access::Write);
        match file.and_then(|file| file.punch(from, end - from)) {
            Ok(()) => {
                self.room.release(end - from);
                self.segments.update(location.segment, |log| log.bytes -= (end - from).min(log.bytes));
            }
            // Compaction gives the room back, too.
            Err(error) => tracing::debug!(log = location.segment, %error, "no hole could be made in a log"),
        }
    }
}

fn garbage(key: ShardKey, entry: Entry) -> Option<Garbage> {
    match is_solo(entry.location) {
        true => {
            let (name, segment) = (file_of(key, entry.location), entry.location.segment);
            Some(Garbage::File { name, segment, bytes: entry.stored_bytes })
        }
        false if entry.stored_bytes >= HOLE_BYTES_MIN => {
            Some(Garbage::Range { location: entry.location, bytes: entry.stored_bytes })
        }
        false => None,
    }
}

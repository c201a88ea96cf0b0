//! One batch of the log: written, synced, noted, answered. Only the leader does this, one batch after another.

use super::{
    Shared,
    block_writer::{BlockWriter, PART_BYTES},
    error::disk,
    header::{self, Body, HEADER_BYTES, Location, Record},
    index::Entry,
    log::{Active, Batch, Before, Member, Staged},
    log_index::LogIndex,
    segment::{LOG_HEADER_BYTES, LogHeader, Name},
    segments::LogState,
};
use crate::disk::{Access, BLOCK_BYTES, DiskFile, Folder};
use asterism_proto::{ShardError, ShardErrorKind};
use std::{io, sync::Arc};

/// Blocks are written ahead of the records in steps of this, so that most batches change no metadata of the file system.
const AHEAD_BYTES: u64 = PART_BYTES as u64;

/// Why a batch could not be made durable.
struct Failure {
    error: ShardError,
    /// Something of it may be on the disk.
    in_doubt: bool,
}

impl Failure {
    fn before(what: &str, error: io::Error) -> Self {
        Self { error: disk(what, error), in_doubt: false }
    }

    fn after(what: &str, error: io::Error) -> Self {
        Self { error: disk(what, error), in_doubt: true }
    }
}

impl Shared {
    pub(super) fn write_batch(self: &Arc<Self>, batch: Batch) {
        let Batch { mut active, doubts, mut members } = batch;
        let mut result = self.write_durably(&mut active, &doubts, &members);
        let no_room = |failure: &Failure| failure.error.kind == ShardErrorKind::Full && !failure.in_doubt;
        if result.as_ref().is_err_and(no_room) {
            // Shards are told; tombstones have room of their own.
            let refused: Vec<Member>;
            (members, refused) = members.into_iter().partition(Member::is_must);
            let full = result.as_ref().err().map(|failure| failure.error.clone());
            for member in refused {
                member.answer(Err(full.clone().unwrap_or_else(super::room::full)));
            }
            if members.is_empty() {
                return self.log.put_back(active, 0);
            }
            self.reserve.spend();
            result = self.write_durably(&mut active, &doubts, &members);
        }
        match result {
            Ok(records) => self.note_batch(active, doubts.len(), members, records),
            Err(failure) => {
                self.log.put_back(active, 0);
                members.into_iter().for_each(|member| member.answer(Err(failure.error.clone())));
            }
        }
    }

    /// Writes and syncs a batch; its records after the doubts. A log that failed is taken away.
    fn write_durably(
        &self,
        active: &mut Option<Active>,
        doubts: &[(Body, u64)],
        members: &[Member],
    ) -> Result<Vec<Record>, Failure> {
        let staged = || members.iter().flat_map(|member| &member.records);
        let count = doubts.len() + staged().count();
        if count == 0 {
            return Ok(Vec::new());
        }
        let bytes = doubts.len() * HEADER_BYTES + staged().map(Staged::stored_bytes).sum::<usize>();
        let bytes = bytes.next_multiple_of(BLOCK_BYTES) as u64;
        let too_small = |log: &Active| {
            log.end + bytes > self.sizes.log_bytes || log.records.len() + count > self.sizes.log_records
        };
        if let Some(full) = active.take_if(|log| too_small(log)) {
            self.close(full);
        }
        let mut log = match active.take() {
            Some(log) => log,
            None => self.begin_log()?,
        };
        let is_new = log.records.is_empty();
        if let Err(error) = self.write_ahead(&mut log, bytes) {
            // Nothing of the batch is there. A log without records is not kept.
            if is_new {
                self.abandon(&log)
            } else {
                *active = Some(log)
            }
            return Err(Failure::before("make room in a log", error));
        }
        let batch = log.end;
        match self.write_records(&mut log, is_new, doubts, staged()) {
            Ok(records) => {
                *active = Some(log);
                Ok(records)
            }
            Err(failure) => {
                if failure.in_doubt {
                    self.log.doubt(Body::Void { segment: log.header.id, batch }, self.log.next_sequence());
                }
                if is_new {
                    self.abandon(&log)
                } else {
                    self.poison(log)
                }
                Err(failure)
            }
        }
    }

    fn begin_log(&self) -> Result<Active, Failure> {
        let owner = self.directory.owner();
        let id = self.segments.next_id();
        let header = LogHeader { cluster: owner.cluster, node: owner.node, id, replaces: Vec::new() };
        let file = self.disk().open(Folder::Segments, &Name::Log(id).file(), Access::CreateDirect);
        let file = file.map_err(|error| Failure::before("make a log", error))?;
        self.segments.add(id, LogState::default());
        Ok(Active { header, file, end: LOG_HEADER_BYTES, allocated: 0, records: Vec::new() })
    }

    /// Writes zeros where the batch will be and some way beyond.
    fn write_ahead(&self, log: &mut Active, bytes: u64) -> io::Result<()> {
        let needed = log.end + bytes;
        if needed <= log.allocated {
            return Ok(());
        }
        let generous = (needed.next_multiple_of(AHEAD_BYTES)).min(self.sizes.log_bytes).max(needed);
        match self.write_zeros(&*log.file, log.allocated, generous) {
            Ok(()) => log.allocated = generous,
            // The last blocks of a disk are used too.
            Err(error) if error.kind() == io::ErrorKind::StorageFull && generous > needed => {
                self.write_zeros(&*log.file, log.allocated, needed)?;
                log.allocated = needed;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn write_zeros(&self, file: &dyn DiskFile, from: u64, to: u64) -> io::Result<()> {
        let mut zeros = self.pool.take();
        zeros.set_length(PART_BYTES.min((to - from) as usize));
        zeros.fill(0);
        let mut at = from;
        while at < to {
            let now = zeros.len().min((to - at) as usize);
            file.write_at(&zeros[..now], at)?;
            at += now as u64;
        }
        Ok(())
    }

    fn write_records<'a>(
        &self,
        log: &mut Active,
        is_new: bool,
        doubts: &[(Body, u64)],
        staged: impl Iterator<Item = &'a Staged>,
    ) -> Result<Vec<Record>, Failure> {
        let writing = |error| Failure::after("write a batch", error);
        let (id, batch, cluster) = (log.header.id, log.end, log.header.cluster);
        let from = if is_new { 0 } else { batch };
        let mut out = BlockWriter::new(Arc::clone(&log.file), self.pool.take(), from);
        if is_new {
            out.push(&log.header.encode()).map_err(writing)?;
        }
        let mut records = Vec::new();
        let mut push = |out: &mut BlockWriter, body: Body, sequence: u64, rest: &[u8]| {
            let location = Location { segment: id, offset: out.position() };
            let record = Record { location, sequence, batch, body };
            records.push(record);
            out.push(&header::encode(&record, cluster))?;
            out.push(rest)?;
            let end = location.offset + record.stored_bytes();
            out.push(&[0; HEADER_BYTES][..(end - out.position()) as usize])
        };
        for (body, sequence) in doubts {
            push(&mut out, *body, *sequence, &[]).map_err(writing)?;
        }
        for one in staged {
            match one {
                Staged::Put { shard, sequence, bytes } => {
                    push(&mut out, Body::Shard(*shard), *sequence, &bytes[HEADER_BYTES..])
                }
                Staged::Remove { key, epoch, sequence, target, .. } => {
                    let body = Body::Tombstone { key: *key, epoch: *epoch, target: *target };
                    push(&mut out, body, *sequence, &[])
                }
            }
            .map_err(writing)?;
        }
        let end = out.finish().map_err(writing)?;
        self.timed_sync(|| log.file.sync()).map_err(|error| Failure::after("sync a log", error))?;
        if is_new {
            let synced = self.timed_sync(|| self.disk().sync_folder(Folder::Segments));
            synced.map_err(|error| Failure::after("sync the folder of segments", error))?;
        }
        self.segments.update(id, |state| state.bytes += end - from);
        // For shards the callers have reserved room.
        let of_shards = records.iter().filter(|record| record.shard().is_some()).map(Record::stored_bytes);
        self.room.take((end - from).saturating_sub(of_shards.sum()));
        log.end = end;
        log.records.extend_from_slice(&records);
        self.metrics.batch_records.observe(records.len() as f64);
        Ok(records)
    }

    /// A log that grows no more: its index is written by who looks after the logs.
    fn close(&self, log: Active) {
        let Active { header, file, end, records, .. } = log;
        // What was written ahead is given back; if that fails it only takes room.
        if let Err(error) = file.set_length(end) {
            tracing::warn!(log = header.id, %error, "a log could not be cut to its length");
        }
        let id = header.id;
        self.segments.seal(id, LogIndex { header, end, damaged: false, records });
    }

    /// A log whose last batch failed: nothing is appended to it, and what was synced before stays readable.
    fn poison(&self, log: Active) {
        let id = log.header.id;
        tracing::error!(log = id, "a log could not be synced; it takes nothing more");
        self.metrics.poisoned.inc();
        self.segments.update(id, |state| state.poisoned = true);
        self.close(log);
    }

    /// A log in which nothing was ever acknowledged.
    fn abandon(&self, log: &Active) {
        self.segments.remove(log.header.id);
        if let Err(error) = self.disk().remove(Folder::Segments, &Name::Log(log.header.id).file()) {
            tracing::warn!(log = log.header.id, %error, "an empty log could not be removed");
        }
    }

    /// Notes what is durable now and tells those who wait.
    fn note_batch(&self, active: Option<Active>, doubts: usize, members: Vec<Member>, records: Vec<Record>) {
        let tombstones = records.iter().filter_map(|one| Some((one.target()?, one.location.segment)));
        self.segments.count_tombstones(tombstones);
        let mut of_members = records.into_iter().skip(doubts);
        let mut counts = Vec::new();
        let mut entries = self.index.write();
        let answers: Vec<Before> = members
            .iter()
            .map(|member| {
                let pairs = member.records.iter().zip(of_members.by_ref());
                pairs.map(|(staged, record)| note(&mut entries, &mut counts, staged, &record)).collect()
            })
            .collect();
        drop(entries);
        self.segments.count(counts);
        let doubt = |location| self.log.doubt(Body::Dead(location), self.log.next_sequence());
        members
            .iter()
            .zip(&answers)
            .flat_map(|(member, before)| moved(&member.records, before))
            .for_each(doubt);
        for (member, before) in members.iter().zip(&answers) {
            member.records.iter().zip(before).for_each(|(staged, before)| self.note_removed(staged, *before));
        }
        let seal = members.iter().any(|member| member.seal);
        let active = match active {
            // Noted first: what compaction finds in a closed log and not in the index is dead.
            Some(log) if seal => {
                self.close(log);
                None
            }
            other => other,
        };
        self.log.put_back(active, doubts);
        members.into_iter().zip(answers).for_each(|(member, before)| member.answer(Ok(before)));
    }
}

/// Notes one record in the index; what was there before.
fn note(
    entries: &mut super::index::Entries,
    counts: &mut Vec<(Location, i64)>,
    staged: &Staged,
    record: &Record,
) -> Option<Entry> {
    let before = match staged {
        Staged::Put { shard, .. } => {
            let entry = Entry::known(record.location, *shard);
            counts.push((entry.location, entry.stored_bytes as i64));
            entries.insert(shard.key(), entry)
        }
        Staged::Remove { key, forget: true, .. } => entries.remove(*key),
        Staged::Remove { .. } => None,
    };
    counts.extend(before.map(|entry| (entry.location, -(entry.stored_bytes as i64))));
    before
}

/// Where records lie that a compaction moved after the tombstones against them were staged: those name the log of before, and are
/// kept only as long as that, or the one that took its place.
fn moved(records: &[Staged], before: &Before) -> Vec<Location> {
    let (mut moved, mut target) = (Vec::new(), None);
    for (staged, before) in records.iter().zip(before) {
        if let Staged::Remove { target: named, .. } = staged {
            target = Some(*named);
        }
        let now = before.as_ref().map(|entry| entry.location);
        moved.extend(now.filter(|now| target.is_some_and(|target| target != now.segment)));
    }
    moved
}

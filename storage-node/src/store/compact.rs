//! Bringing together what lives in logs that are mostly dead.
//!
//! Copy, sync, name, switch, remove. The new log says which ones it takes the place of; from the moment when its name is durable
//! those count no more, whether or not they were removed. Nobody waits meanwhile: readers keep the file that they have open,
//! and find the new one when they come again.

use super::{
    Shared,
    block_writer::BlockWriter,
    header::{self, Body, HEADER_BYTES, Location, Record},
    index,
    log_index::LogIndex,
    records::read_range,
    segment::{LOG_HEADER_BYTES, LogHeader, Name, REPLACES_MAX},
    segments::LogState,
};
use crate::disk::{Access, DiskFile, Folder};
use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    ffi::OsStr,
    io,
    sync::Arc,
};

impl Shared {
    /// Puts what lives in `inputs` into one new log, and removes them.
    pub(super) fn compact(&self, inputs: &[u64]) -> io::Result<()> {
        assert!(inputs.len() <= REPLACES_MAX, "a log can't take the place of so many");
        self.set_replaced_aside(inputs)?;
        let there = self.segment_ids()?;
        // What was removed before stays removed, also what tombstones were kept for.
        self.timed_sync(|| self.disk().sync_folder(Folder::Segments))?;
        let mut living = Vec::new();
        for input in inputs {
            let index = LogIndex::read(&**self.disk(), self.cluster(), *input);
            let index = index.ok_or_else(|| io::Error::other("a log has no index that can be used"))?;
            living.extend(index.records.into_iter().filter(|record| self.is_needed(record, inputs, &there)));
        }
        // Several that are dead go together, or one could leave while another still needs its tombstones.
        if living.is_empty()
            && let [input] = inputs
        {
            // Nothing takes its place: while its file is there, it counts, and so do the tombstones against what it replaced.
            self.remove_log(*input)?;
        } else {
            self.write_compacted(inputs, &living)?;
            for input in inputs {
                if let Err(error) = self.remove_log(*input) {
                    tracing::warn!(log = input, %error, "a log that is not needed could not be removed");
                    self.forget_log(*input);
                }
            }
        }
        self.metrics.compactions.inc();
        Ok(())
    }

    /// What `inputs` took the place of would count again without them: where it could not be removed then, it must go now.
    fn set_replaced_aside(&self, inputs: &[u64]) -> io::Result<()> {
        for old in inputs.iter().flat_map(|input| self.segments.gone_for(*input)) {
            match self.directory.set_aside(Folder::Segments, &Name::Log(old).file()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn segment_ids(&self) -> io::Result<BTreeSet<u64>> {
        let names = self.disk().names(Folder::Segments)?;
        let named = names.iter().filter_map(|name| Name::parse(name));
        Ok(named.filter(|name| !matches!(name, Name::Index(_))).map(|name| name.id()).collect())
    }

    fn is_needed(&self, record: &Record, inputs: &[u64], there: &BTreeSet<u64>) -> bool {
        match &record.body {
            Body::Shard(shard) => {
                self.index.get(shard.key()).is_some_and(|entry| entry.location == record.location)
            }
            // As long as a record may be on the disk that it was written against.
            Body::Tombstone { target, .. }
            | Body::Void { segment: target, .. }
            | Body::Dead(Location { segment: target, .. }) => {
                let still_there = there.contains(target) && !inputs.contains(target);
                still_there || self.segments.replaced(*target, inputs)
            }
        }
    }

    fn write_compacted(&self, inputs: &[u64], living: &[Record]) -> io::Result<()> {
        let owner = self.directory.owner();
        let id = self.segments.next_id();
        let header = LogHeader { cluster: owner.cluster, node: owner.node, id, replaces: inputs.to_vec() };
        let name = Name::Log(id).file();
        let file = self.disk().open(Folder::Temporary, &name, Access::CreateDirect)?;
        let written = self.copy(&header, &file, living).and_then(|(records, end)| {
            self.timed_sync(|| file.sync())?;
            self.disk().rename((Folder::Temporary, &name), (Folder::Segments, &name))?;
            Ok((records, end))
        });
        let (records, end) = match written {
            Ok(written) => written,
            Err(error) => {
                self.forget_unfinished(&name);
                return Err(error);
            }
        };
        let state = LogState { bytes: end, replaces: inputs.to_vec(), sealed: true, ..LogState::default() };
        self.segments.add(id, state);
        self.room.take(end);
        // Without it nobody may rely on the new log yet, and it may stand beside the old ones.
        self.timed_sync(|| self.disk().sync_folder(Folder::Segments))?;
        self.segments.seal(id, LogIndex { header, end, damaged: false, records: records.clone() });
        self.switch(living, &records);
        self.segments.replaced_by(inputs, id, records.iter().filter_map(Record::target));
        Ok(())
    }

    fn forget_unfinished(&self, name: &OsStr) {
        if let Err(error) = self.disk().remove(Folder::Temporary, name) {
            tracing::warn!(name = %name.display(), %error, "unfinished log could not be removed");
        }
    }

    /// Copies records; how they are called in the new log, and where that ends.
    fn copy(
        &self,
        header: &LogHeader,
        to: &Arc<dyn DiskFile>,
        living: &[Record],
    ) -> io::Result<(Vec<Record>, u64)> {
        let mut inputs: BTreeMap<u64, Arc<dyn DiskFile>> = BTreeMap::new();
        let mut out = BlockWriter::new(Arc::clone(to), self.pool.take(), 0);
        out.push(&header.encode())?;
        let mut records = Vec::with_capacity(living.len());
        for record in living {
            let from = record.location;
            let input = match inputs.entry(from.segment) {
                Entry::Occupied(open) => open.into_mut(),
                Entry::Vacant(place) => {
                    let name = Name::Log(from.segment).file();
                    place.insert(self.disk().open(Folder::Segments, &name, Access::Read)?)
                }
            };
            let stored = from.offset..from.offset + record.stored_bytes();
            let bytes = read_range(&**input, &self.pool, stored)?;
            let location = Location { segment: header.id, offset: out.position() };
            let copied = Record { location, batch: LOG_HEADER_BYTES, ..*record };
            // Cells go as they are: a bad one stays a bad one, and is found as before.
            let body = bytes.get(HEADER_BYTES..).ok_or(io::ErrorKind::UnexpectedEof)?;
            out.push(&header::encode(&copied, header.cluster))?;
            out.push(body)?;
            let end = location.offset + record.stored_bytes();
            let missing = end - out.position();
            if missing >= HEADER_BYTES as u64 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            out.push(&[0; HEADER_BYTES][..missing as usize])?;
            records.push(copied);
        }
        let end = out.finish()?;
        self.metrics.compacted_bytes.inc_by(end);
        Ok((records, end))
    }

    /// Points the index to the copies of records that still count.
    fn switch(&self, living: &[Record], copies: &[Record]) {
        let mut counts = Vec::new();
        let mut entries = self.index.write();
        for (old, new) in living.iter().zip(copies) {
            let Some(shard) = old.shard() else { continue };
            if entries.get(shard.key()).is_some_and(|entry| entry.location == old.location) {
                let entry = index::Entry::known(new.location, shard);
                counts.push((entry.location, entry.stored_bytes as i64));
                entries.insert(shard.key(), entry);
            }
        }
        drop(entries);
        self.segments.count(counts);
    }

    fn remove_log(&self, id: u64) -> io::Result<()> {
        let name = Name::Log(id).file();
        // Bytes that were not understood are kept for a person.
        let gone = match self.segments.is_damaged(id) {
            true => self.directory.set_aside(Folder::Segments, &name).map(drop),
            false => self.disk().remove(Folder::Segments, &name),
        };
        if let Err(error) = gone
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        self.forget_log(id);
        match self.disk().remove(Folder::Segments, &Name::Index(id).file()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(log = id, %error, "the index of a log that is gone could not be removed");
            }
            _ => {}
        }
        Ok(())
    }

    fn forget_log(&self, id: u64) {
        if let Some(log) = self.segments.remove(id) {
            self.room.release(log.bytes);
        }
    }
}

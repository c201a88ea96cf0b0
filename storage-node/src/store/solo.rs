//! A large shard on its way to a file of its own: written past the page cache in large parts, while it comes.
//!
//! The file gets its name when all of it is durable. Its first block is written last, because only then the header is known.

use super::{
    Shared,
    aligned::Part,
    block_writer::PART_BYTES,
    error::disk,
    header::{self, Body, HEADER_BYTES, Location, Record},
    records::stored_bytes,
    room::Reservation,
    segment::Name,
};
use crate::{
    disk::{Access, BLOCK_BYTES, DiskFile, Folder},
    shard::{Cell, Shard},
};
use asterism_proto::ShardError;
use std::{
    ffi::{OsStr, OsString},
    io,
    sync::Arc,
};

const BLOCK: u64 = BLOCK_BYTES as u64;
/// Taken at once, so that shards written at the same time do not mix on the disk.
const STEP_BYTES: u64 = 4 << 20;
/// With less left on the disk nothing is taken that may not be needed.
const ROOM_FOR_STEPS_BYTES: u64 = 64 << 20;

/// A file without a shard's name: it is removed unless it gets one.
pub(super) struct Solo {
    shared: Arc<Shared>,
    id: u64,
    name: OsString,
    file: Arc<dyn DiskFile>,
    /// The first block, with room for the header; not written yet.
    first: Part,
    /// What comes next, not yet written.
    part: Part,
    /// Where `part` belongs.
    at: u64,
    /// Room was taken up to here.
    allocated: u64,
    largest_bytes: u64,
    reservation: Option<Reservation>,
    named: bool,
}

impl Shared {
    /// Makes a file for a shard that begins with `bytes` and can become as large as `largest`.
    pub(super) fn begin_solo(self: &Arc<Self>, bytes: &[u8], largest: Shard) -> Result<Solo, ShardError> {
        let id = self.segments.next_id();
        let name = OsString::from(format!("{id:016x}.part"));
        let file = self.disk().open(Folder::Temporary, &name, Access::CreateDirect);
        let file = file.map_err(|error| disk("make a file", error))?;
        let (mut first, mut part) = (self.pool.take(), self.pool.take());
        let (begin, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES));
        first.extend(begin);
        part.extend(rest);
        let largest_bytes = stored_bytes(&largest).next_multiple_of(BLOCK);
        Ok(Solo {
            shared: Arc::clone(self),
            id,
            name,
            file,
            first,
            part,
            at: BLOCK,
            allocated: 0,
            largest_bytes,
            reservation: None,
            named: false,
        })
    }
}

impl Solo {
    /// Adds a cell; the caller writes when a part is full.
    pub(super) fn add(&mut self, cell: &Cell) {
        self.part.extend(&cell.checksum.to_le_bytes());
        self.part.extend(&cell.data);
    }

    /// Whether [`Solo::write`] is due: another cell may not fit.
    pub(super) fn is_part_full(&self) -> bool {
        self.part.len() >= PART_BYTES
    }

    /// Writes the whole blocks of what has come.
    pub(super) fn write(mut self) -> Result<Self, ShardError> {
        let whole = self.part.len() / BLOCK_BYTES * BLOCK_BYTES;
        self.write_part(whole)?;
        Ok(self)
    }

    fn write_part(&mut self, bytes: usize) -> Result<(), ShardError> {
        let room = self.shared.room.reserve(&**self.shared.disk(), bytes as u64)?;
        match &mut self.reservation {
            Some(reservation) => reservation.absorb(room),
            None => self.reservation = Some(room),
        }
        let end = self.at + bytes as u64;
        self.allocate(end);
        self.file.write_at(&self.part[..bytes], self.at).map_err(|error| disk("write a shard", error))?;
        self.part.drop_front(bytes);
        self.at = end;
        Ok(())
    }

    fn allocate(&mut self, needed: u64) {
        if needed <= self.allocated {
            return;
        }
        let to = (needed + STEP_BYTES).min(self.largest_bytes).max(needed);
        let roomy =
            self.shared.disk().space().is_ok_and(|space| space.available_bytes > ROOM_FOR_STEPS_BYTES);
        // Only a help: where the file system cannot, blocks are taken as they are written.
        if roomy && self.file.allocate(self.allocated, to - self.allocated).is_ok() {
            self.allocated = to;
        } else {
            self.allocated = u64::MAX;
        }
    }

    /// Makes the whole shard durable, still without its name.
    pub(super) fn complete(mut self, shard: Shard, sequence: u64) -> Result<Self, ShardError> {
        self.part.fill_block();
        let rest = self.part.len();
        if rest > 0 {
            self.write_part(rest)?;
        }
        let location = Location { segment: self.id, offset: 0 };
        let record = Record { location, sequence, batch: 0, body: Body::Shard(shard) };
        self.first[..HEADER_BYTES].copy_from_slice(&header::encode(&record, self.shared.cluster()));
        self.first.fill_block();
        let room = self.shared.room.reserve(&**self.shared.disk(), BLOCK)?;
        self.reservation.get_or_insert_with(|| self.shared.room.nothing()).absorb(room);
        self.write_first().map_err(|error| disk("write a shard", error))?;
        self.shared.timed_sync(|| self.file.sync()).map_err(|error| disk("sync a shard", error))?;
        Ok(self)
    }

    fn write_first(&self) -> io::Result<()> {
        self.file.write_at(&self.first, 0)?;
        if self.file.length()? != self.at {
            self.file.set_length(self.at)?;
        }
        Ok(())
    }

    /// The shard's file, which can be read.
    pub(super) fn file(&self) -> &dyn DiskFile {
        &*self.file
    }

    /// Its number.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Gives it the name of `shard`, durably. After a failure the name is taken away again, and may come back after a restart.
    pub(super) fn name(mut self, shard: &Shard, sequence: u64) -> Result<(), ShardError> {
        let (shared, name) = (Arc::clone(&self.shared), Name::Solo(shard.key(), self.id).file());
        let renamed = shared.disk().rename((Folder::Temporary, &self.name), (Folder::Segments, &name));
        renamed.map_err(|error| disk("name a shard", error))?;
        self.named = true;
        let synced = shared.timed_sync(|| shared.disk().sync_folder(Folder::Segments));
        if let Err(error) = synced {
            shared.log.doubt(Body::Dead(Location { segment: self.id, offset: 0 }), sequence);
            remove(&shared, Folder::Segments, &name);
            return Err(disk("sync the folder of segments", error));
        }
        if let Some(reservation) = self.reservation.take() {
            reservation.keep();
        }
        Ok(())
    }
}

impl Drop for Solo {
    fn drop(&mut self) {
        if !self.named {
            remove(&self.shared, Folder::Temporary, &self.name);
        }
    }
}

/// What cannot be removed now is set aside at the next start.
fn remove(shared: &Shared, folder: Folder, name: &OsStr) {
    if let Err(error) = shared.disk().remove(folder, name) {
        tracing::warn!(name = %name.display(), %error, "unfinished file could not be removed");
    }
}

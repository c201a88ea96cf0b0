//! Reading: every byte that leaves has been verified against the place it was asked for.

use super::{
    Shared, Store,
    error::{disk, error},
    header::{self, HEADER_BYTES, Location},
    index::{Entry, taken_bytes},
    records::{self, CellFault, place_of, read_range, split_cells, stored_bytes},
    segment::{file_of, is_solo},
};
use crate::{
    disk::{Access, DiskFile, Folder},
    shard::{Cell, Shard, ShardKey},
};
use asterism_proto::{ShardError, ShardErrorKind};
use bytes::Bytes;
use std::{io, ops::Range, sync::Arc};

/// A record of this size comes with its header.
const WHOLE_BYTES_MAX: u64 = 64 << 10;
/// A shard that moves again and again while it is opened is not chased for ever.
const TRIES: usize = 8;

/// An open shard whose header has been verified.
pub struct ShardReader {
    shared: Arc<Shared>,
    file: Arc<dyn DiskFile>,
    location: Location,
    shard: Shard,
    /// All of it, if it is small.
    whole: Option<Bytes>,
}

impl ShardReader {
    /// Opens a shard; past the page cache if what the disk holds is the question.
    pub(super) async fn open(store: &Store, key: ShardKey, direct: bool) -> Result<Self, ShardError> {
        let shared = Arc::clone(&store.shared);
        store.shared.workers.run(move || shared.open(key, direct)).await?
    }

    /// What the shard is.
    pub fn shard(&self) -> Shard {
        self.shard
    }

    /// Reads the next cells of `rest` and takes them off it; `None` at the end.
    ///
    /// # Errors
    /// `Corrupt` if one of them does not verify, or a failure of the disk.
    pub async fn next(&self, rest: &mut Range<u32>) -> Result<Option<Vec<Cell>>, ShardError> {
        let Some(batch) = records::batch(&self.shard, rest) else { return Ok(None) };
        if let Some(whole) = &self.whole {
            let (from, to) = (place_of(&self.shard, batch.start), place_of(&self.shard, batch.end));
            let stored = whole.slice((from as usize).min(whole.len())..(to as usize).min(whole.len()));
            let cells = split_cells(&self.shard, &self.shard.identity(self.shared.cluster()), batch, stored);
            return self.shared.judge(self.shard.key(), cells).map(Some);
        }
        let (file, shard, location) = (Arc::clone(&self.file), self.shard, self.location);
        let shared = Arc::clone(&self.shared);
        self.shared.workers.run(move || shared.read(&*file, location, &shard, batch)).await?.map(Some)
    }

    /// Reads the whole shard, to its end also when something does not verify.
    ///
    /// # Errors
    /// As [`ShardReader::next`], with the number of cells.
    pub async fn verify(&self) -> Result<(), Unverified> {
        let mut rest = 0..self.shard.layout().cells();
        let (mut bad_cells, mut corrupt) = (0, None);
        loop {
            let from = rest.start;
            match self.next(&mut rest).await {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) if error.kind == ShardErrorKind::Corrupt => {
                    bad_cells += self.bad_cells(from..rest.start).await?;
                    corrupt.get_or_insert(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        corrupt.map_or(Ok(()), |error| Err(Unverified { error, bad_cells }))
    }

    /// How many cells of a batch do not verify.
    async fn bad_cells(&self, batch: Range<u32>) -> Result<u32, ShardError> {
        let (file, shard, location) = (Arc::clone(&self.file), self.shard, self.location);
        let shared = Arc::clone(&self.shared);
        let counted = self.shared.workers.run(move || {
            let (identity, base) = (shard.identity(shared.cluster()), location.offset);
            let mut bad = 0;
            for cell in batch {
                match records::read_cells(&*file, &shared.pool, base, &shard, &identity, cell..cell + 1) {
                    Ok(_) => {}
                    Err(CellFault::Bad(_)) => bad += 1,
                    Err(CellFault::Unreadable(error)) => return Err(disk("read a shard", error)),
                }
            }
            Ok(bad)
        });
        counted.await?
    }
}

/// Why a shard is not known to be good.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Unverified {
    /// What is wrong, or what kept it from being read.
    pub error: ShardError,
    /// Cells that do not verify; 0 if the shard as a whole cannot be told or could not be read.
    pub bad_cells: u32,
}

impl From<ShardError> for Unverified {
    fn from(error: ShardError) -> Self {
        Self { error, bad_cells: 0 }
    }
}

fn absent() -> ShardError {
    error(ShardErrorKind::NotFound, "the node does not have the shard")
}

impl Shared {
    fn open(self: &Arc<Self>, key: ShardKey, direct: bool) -> Result<ShardReader, ShardError> {
        let mut tries = TRIES;
        loop {
            let entry = self.index.get(key).ok_or_else(absent)?;
            let opened = self.open_whole(key, entry, direct);
            // Moved by compaction, or deleted, in this moment.
            tries -= 1;
            if opened.is_err() && tries > 0 && self.index.get(key) != Some(entry) {
                continue;
            }
            let (file, shard, whole) = opened?;
            self.index.learn(entry.location, shard);
            return Ok(ShardReader {
                shared: Arc::clone(self),
                file,
                location: entry.location,
                shard,
                whole,
            });
        }
    }

    #[allow(clippy::type_complexity)] // Told apart in the one place that calls.
    fn open_whole(
        &self,
        key: ShardKey,
        entry: Entry,
        direct: bool,
    ) -> Result<(Arc<dyn DiskFile>, Shard, Option<Bytes>), ShardError> {
        let small = entry.stored_bytes <= WHOLE_BYTES_MAX && !is_solo(entry.location);
        let Some(expected) = entry.shard.filter(|_| small) else {
            let (file, shard) = self.open_record(key, entry, direct)?;
            return Ok((file, shard, None));
        };
        let file = self.open_segment(key, entry.location, direct);
        let file = file.map_err(|error| self.not_opened(key, entry, error))?;
        let from = entry.location.offset;
        let bytes = read_range(&*file, &self.pool, from..from + stored_bytes(&expected));
        let bytes = bytes.map_err(|error| disk("read a shard", error))?;
        let shard = self.check_header(key, entry.location, &bytes)?;
        let whole = (shard == expected).then_some(bytes);
        Ok((file, shard, whole))
    }

    /// Opens the file of a record and reads what it says of itself.
    pub(super) fn open_record(
        &self,
        key: ShardKey,
        entry: Entry,
        direct: bool,
    ) -> Result<(Arc<dyn DiskFile>, Shard), ShardError> {
        let location = entry.location;
        let file = self.open_segment(key, location, direct);
        let file = file.map_err(|error| self.not_opened(key, entry, error))?;
        let reading = |error| disk("read a shard", error);
        let header = location.offset..location.offset + HEADER_BYTES as u64;
        let bytes = read_range(&*file, &self.pool, header).map_err(reading)?;
        let shard = self.check_header(key, location, &bytes)?;
        if is_solo(location) {
            let (length, expected) = (file.length().map_err(reading)?, taken_bytes(location, &shard));
            if length != expected {
                let reason = format!("it has {length} bytes on disk, not {expected}");
                return Err(self.corrupt(key, &reason));
            }
        }
        Ok((file, shard))
    }

    fn check_header(&self, key: ShardKey, location: Location, bytes: &[u8]) -> Result<Shard, ShardError> {
        let Some(header) = bytes.first_chunk() else {
            return Err(self.corrupt(key, "it is shorter than a header"));
        };
        let record = header::decode_at(header, self.cluster(), location)
            .map_err(|error| self.corrupt(key, &error.to_string()))?;
        match record.shard() {
            Some(shard) if shard.key() == key => Ok(shard),
            _ => Err(self.corrupt(key, "it is another record")),
        }
    }

    /// The file that holds the record of `key` at `location`.
    pub(super) fn open_segment(
        &self,
        key: ShardKey,
        location: Location,
        direct: bool,
    ) -> io::Result<Arc<dyn DiskFile>> {
        let keep = !direct && !is_solo(location);
        if keep && let Some(open) = self.segments.opened(location.segment) {
            return Ok(open);
        }
        let access = if direct { Access::ReadDirect } else { Access::Read };
        let file = self.disk().open(Folder::Segments, &file_of(key, location), access)?;
        if keep {
            self.segments.keep_open(location.segment, &file);
        }
        Ok(file)
    }

    /// Taken away behind the node's back is damage; anything else proves nothing.
    fn not_opened(&self, key: ShardKey, entry: Entry, error: io::Error) -> ShardError {
        match error.kind() {
            io::ErrorKind::NotFound if self.index.get(key) == Some(entry) => {
                self.corrupt(key, "its file is gone")
            }
            _ => disk("open a shard", error),
        }
    }

    fn read(
        &self,
        file: &dyn DiskFile,
        location: Location,
        shard: &Shard,
        batch: Range<u32>,
    ) -> Result<Vec<Cell>, ShardError> {
        let identity = shard.identity(self.cluster());
        let cells = records::read_cells(file, &self.pool, location.offset, shard, &identity, batch);
        self.judge(shard.key(), cells)
    }

    fn judge<T>(&self, key: ShardKey, read: Result<T, CellFault>) -> Result<T, ShardError> {
        read.map_err(|fault| match fault {
            CellFault::Bad(cell) => self.corrupt(key, &format!("cell {cell} does not verify")),
            CellFault::Unreadable(error) => disk("read a shard", error),
        })
    }

    fn corrupt(&self, key: ShardKey, reason: &str) -> ShardError {
        // Deleted while it was read, and its room given back: that is no damage.
        if self.index.get(key).is_none() {
            return absent();
        }
        self.metrics.corrupt.inc();
        tracing::warn!(shard = %key, reason, "shard does not verify");
        error(ShardErrorKind::Corrupt, format!("shard {key}: {reason}"))
    }
}

//! How a shard lies in its record: the header, then each cell behind its checksum.
//!
//! All cells but the last have one size, so the place of each is known without an index.

use super::{aligned::Pool, header::HEADER_BYTES};
use crate::{
    disk::{BLOCK_BYTES, DiskFile},
    shard::{Cell, Shard},
};
use asterism_erasure::{CELL_BYTES_MAX, CellIdentity, cell_checksum};
use bytes::Bytes;
use std::{io, ops::Range};

/// In front of each cell.
pub(super) const CHECKSUM_BYTES: usize = 8;

/// Everything that a shard takes in its segment.
pub(super) fn stored_bytes(shard: &Shard) -> u64 {
    place_of(shard, shard.layout().cells())
}

/// Where cell `index` begins in its record, with its checksum; the record's end for a cell past the last.
pub(super) fn place_of(shard: &Shard, index: u32) -> u64 {
    HEADER_BYTES as u64 + u64::from(index) * CHECKSUM_BYTES as u64 + shard.layout().cell_start(index)
}

/// Read at once: large enough to keep a disk busy, small enough to hold many of. Four of the largest cells.
const BATCH_BYTES: u64 = (1 << 20) + 64;
/// Cells can be as small as a byte; a message's cells cost memory each.
const BATCH_CELLS_MAX: u32 = 4096;
const _: () = assert!(BATCH_BYTES >= 4 * (CELL_BYTES_MAX + CHECKSUM_BYTES) as u64);
/// Below, a vector costs less than a buffer that is shared.
const SMALL_BYTES: usize = 32 << 10;

/// Why cells could not be read.
#[derive(Debug)]
pub(super) enum CellFault {
    /// This cell does not verify.
    Bad(u32),
    /// The disk failed: proves nothing.
    Unreadable(io::Error),
}

/// Splits the next batch off the cells still to be read; `None` at the end.
pub(super) fn batch(shard: &Shard, rest: &mut Range<u32>) -> Option<Range<u32>> {
    if rest.start >= rest.end {
        return None;
    }
    let full = (shard.layout().full_cell_bytes() + CHECKSUM_BYTES) as u64;
    let cells = u32::try_from(BATCH_BYTES / full).unwrap_or(BATCH_CELLS_MAX).clamp(1, BATCH_CELLS_MAX);
    let batch = rest.start..rest.start.saturating_add(cells).min(rest.end);
    rest.start = batch.end;
    Some(batch)
}

/// Reads a range of a file; fewer bytes only at the file's end.
pub(super) fn read_range(file: &dyn DiskFile, pool: &Pool, range: Range<u64>) -> io::Result<Bytes> {
    let length = (range.end - range.start) as usize;
    if !file.is_direct() && length <= SMALL_BYTES {
        let mut bytes = vec![0; length];
        let found = file.read_at(&mut bytes, range.start)?;
        bytes.truncate(found);
        return Ok(bytes.into());
    }
    let block = BLOCK_BYTES as u64;
    let (from, to) = match file.is_direct() {
        true => (range.start / block * block, range.end.next_multiple_of(block)),
        false => (range.start, range.end),
    };
    let mut part = pool.take();
    part.set_length((to - from) as usize);
    let found = file.read_at(&mut part, from)?;
    part.set_length(found);
    let before = ((range.start - from) as usize).min(found);
    let end = (before + length).min(found);
    Ok(Bytes::from_owner(part).slice(before..end))
}

/// Reads cells of the record that begins at `base`, and verifies each.
pub(super) fn read_cells(
    file: &dyn DiskFile,
    pool: &Pool,
    base: u64,
    shard: &Shard,
    identity: &CellIdentity,
    range: Range<u32>,
) -> Result<Vec<Cell>, CellFault> {
    let (from, to) = (base + place_of(shard, range.start), base + place_of(shard, range.end));
    let stored = read_range(file, pool, from..to).map_err(CellFault::Unreadable)?;
    split_cells(shard, identity, range, stored)
}

/// The cells of a range, whose bytes are `stored`; each is verified.
pub(super) fn split_cells(
    shard: &Shard,
    identity: &CellIdentity,
    range: Range<u32>,
    mut stored: Bytes,
) -> Result<Vec<Cell>, CellFault> {
    range.map(|index| split_cell(shard, identity, index, &mut stored)).collect()
}

fn split_cell(
    shard: &Shard,
    identity: &CellIdentity,
    index: u32,
    stored: &mut Bytes,
) -> Result<Cell, CellFault> {
    let length = shard.layout().cell_bytes(index);
    // Cut while it was open, or cut before.
    if stored.len() < CHECKSUM_BYTES + length {
        return Err(CellFault::Bad(index));
    }
    let checksum = stored.split_to(CHECKSUM_BYTES);
    let checksum = u64::from_le_bytes(std::array::from_fn(|byte| checksum[byte]));
    let data = stored.split_to(length);
    if cell_checksum(identity, index, &data) == checksum {
        Ok(Cell { data, checksum })
    } else {
        Err(CellFault::Bad(index))
    }
}

/// The first cell of the record at `base` that does not verify.
pub(super) fn first_bad_cell(
    file: &dyn DiskFile,
    pool: &Pool,
    base: u64,
    shard: &Shard,
    identity: &CellIdentity,
) -> io::Result<Option<u32>> {
    let mut rest = 0..shard.layout().cells();
    while let Some(batch) = batch(shard, &mut rest) {
        match read_cells(file, pool, base, shard, identity, batch) {
            Ok(_) => {}
            Err(CellFault::Bad(cell)) => return Ok(Some(cell)),
            Err(CellFault::Unreadable(error)) => return Err(error),
        }
    }
    Ok(None)
}

/// The first cell in a record's bytes that does not verify; `bytes` begins with its header.
pub(super) fn first_bad_cell_in(bytes: &[u8], shard: &Shard, identity: &CellIdentity) -> Option<u32> {
    (0..shard.layout().cells()).find(|index| {
        let at = place_of(shard, *index) as usize;
        let end = at + CHECKSUM_BYTES + shard.layout().cell_bytes(*index);
        let Some(stored) = bytes.get(at..end) else { return true };
        let (checksum, data) = stored.split_at(CHECKSUM_BYTES);
        cell_checksum(identity, *index, data).to_le_bytes() != checksum
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::{ShardHead, ShardKey};
    use asterism_erasure::{EXTENT_BYTES_MAX, Policy};
    use asterism_proto::ExtentId;

    fn shard(cell_bytes: usize, extent_bytes: u64) -> Shard {
        let key = ShardKey::new(ExtentId::random(), 0).unwrap();
        let head = ShardHead::new(key, Policy::new(2, 0).unwrap(), cell_bytes, 0).unwrap();
        head.complete(extent_bytes).unwrap()
    }

    #[test]
    fn places_follow_each_other() {
        let shard = shard(100, 450);
        let places: Vec<u64> = (0..=3).map(|cell| place_of(&shard, cell)).collect();
        assert_eq!(places, [128, 236, 344, 344 + 8 + 25]);
        assert_eq!(stored_bytes(&shard), 377);
        assert_eq!(stored_bytes(&self::shard(100, 0)), 128);
    }

    #[test]
    fn batches_cover_every_cell_once_and_stay_small() {
        for cell_bytes in [1, 1000, 65_536, CELL_BYTES_MAX] {
            let shard = shard(cell_bytes, EXTENT_BYTES_MAX / 8 - 7);
            let mut rest = 0..shard.layout().cells();
            let mut covered = 0;
            while let Some(batch) = batch(&shard, &mut rest) {
                assert_eq!(batch.start, covered);
                assert!(batch.len() <= BATCH_CELLS_MAX as usize && !batch.is_empty());
                assert!(place_of(&shard, batch.end) - place_of(&shard, batch.start) <= BATCH_BYTES);
                covered = batch.end;
            }
            assert_eq!(covered, shard.layout().cells());
        }
    }
}

//! How a shard lies in its file: the header, then each cell behind its checksum.
//!
//! All cells but the last have one size, so the place of each is known without an index.

use super::header::HEADER_BYTES;
use crate::shard::{Cell, Shard};
use asterism_erasure::{CELL_BYTES_MAX, CellIdentity, cell_checksum};
use bytes::Bytes;
use std::{fs::File, io, ops::Range, os::unix::fs::FileExt};

/// In front of each cell.
pub(super) const CHECKSUM_BYTES: usize = 8;

/// Everything that a shard takes on the disk.
pub(super) fn stored_bytes(shard: &Shard) -> u64 {
    place_of(shard, shard.layout().cells())
}

/// Where cell `index` begins, with its checksum; the file's end for a cell past the last.
pub(super) fn place_of(shard: &Shard, index: u32) -> u64 {
    HEADER_BYTES as u64 + u64::from(index) * CHECKSUM_BYTES as u64 + shard.layout().cell_start(index)
}

/// Read at once, besides one cell: large enough to keep a disk busy, small enough to hold many of.
const BATCH_BYTES: u64 = 1 << 20;
/// Cells can be as small as a byte; a message's cells cost memory each.
const BATCH_CELLS_MAX: u32 = 4096;
const _: () = assert!(BATCH_BYTES >= CELL_BYTES_MAX as u64);

/// Why cells could not be read.
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

/// Reads cells and verifies each.
pub(super) fn read_cells(
    file: &File,
    shard: &Shard,
    identity: &CellIdentity,
    range: Range<u32>,
) -> Result<Vec<Cell>, CellFault> {
    let (from, to) = (place_of(shard, range.start), place_of(shard, range.end));
    let mut stored = vec![0; (to - from) as usize];
    match file.read_exact_at(&mut stored, from) {
        // Cut while it was open: which cell is missing does not matter.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(CellFault::Bad(range.end.saturating_sub(1)));
        }
        other => other.map_err(CellFault::Unreadable)?,
    }
    let mut stored = Bytes::from(stored);
    range.map(|index| split_cell(shard, identity, index, &mut stored)).collect()
}

fn split_cell(
    shard: &Shard,
    identity: &CellIdentity,
    index: u32,
    stored: &mut Bytes,
) -> Result<Cell, CellFault> {
    let length = shard.layout().cell_bytes(index);
    let checksum = stored.split_to(CHECKSUM_BYTES);
    let checksum = u64::from_le_bytes(std::array::from_fn(|byte| checksum[byte]));
    let data = stored.split_to(length);
    if cell_checksum(identity, index, &data) == checksum {
        Ok(Cell { data, checksum })
    } else {
        Err(CellFault::Bad(index))
    }
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

//! A shard on its way in: each cell is checked before it may touch the disk, the whole before it is named.

use super::error::error;
use crate::shard::{Cell, Shard, ShardHead};
use asterism_erasure::{CellIdentity, EXTENT_BYTES_MAX, cell_checksum};
use asterism_proto::{ClusterId, ShardError, ShardErrorKind};

/// Pure: says of cells whether they may come.
pub(super) struct Incoming {
    head: ShardHead,
    identity: CellIdentity,
    cells: u32,
    shard_bytes: u64,
    /// The largest shard that it can become.
    largest: Shard,
    /// A cell was shorter than a full one, so no other may follow.
    ended: bool,
}

fn invalid(message: String) -> ShardError {
    error(ShardErrorKind::Invalid, message)
}

impl Incoming {
    /// Nothing has come yet.
    pub(super) fn new(head: ShardHead, cluster: ClusterId) -> Result<Self, ShardError> {
        let largest = head.complete(EXTENT_BYTES_MAX).map_err(|error| invalid(error.to_string()))?;
        let identity = head.identity(cluster);
        Ok(Self { head, identity, cells: 0, shard_bytes: 0, largest, ended: false })
    }

    /// The largest shard that it can become.
    pub(super) fn largest(&self) -> Shard {
        self.largest
    }

    /// May this be the next cell?
    pub(super) fn accept(&mut self, cell: &Cell) -> Result<(), ShardError> {
        let index = self.cells;
        let length = cell.data.len();
        if self.ended {
            return Err(invalid(format!("cell {index} follows a short one")));
        }
        if index >= self.largest.layout().cells() {
            return Err(invalid(format!("no shard of this policy has a cell {index}")));
        }
        if length == 0 || length > self.head.cell_bytes() {
            return Err(invalid(format!(
                "cell {index} has {length} of 1 to {} bytes",
                self.head.cell_bytes()
            )));
        }
        if cell_checksum(&self.identity, index, &cell.data) != cell.checksum {
            return Err(invalid(format!("cell {index} does not match its checksum in this place")));
        }
        self.ended = length < self.head.cell_bytes();
        self.cells += 1;
        self.shard_bytes += length as u64;
        Ok(())
    }

    /// All cells are there: is it a whole shard?
    pub(super) fn finish(&self, extent_bytes: u64) -> Result<Shard, ShardError> {
        let shard = self.head.complete(extent_bytes).map_err(|error| invalid(error.to_string()))?;
        let layout = shard.layout();
        // All cells but the last are full: count and sum settle every length.
        if (layout.cells(), layout.shard_bytes()) != (self.cells, self.shard_bytes) {
            return Err(invalid(format!(
                "a shard of {extent_bytes} bytes of content has {} cells of {} bytes together, not {} of {}",
                layout.cells(),
                layout.shard_bytes(),
                self.cells,
                self.shard_bytes
            )));
        }
        Ok(shard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::ShardKey;
    use asterism_erasure::Policy;
    use asterism_proto::ExtentId;

    fn cluster() -> ClusterId {
        ClusterId::from_bytes([9; 16])
    }

    fn head() -> ShardHead {
        let key = ShardKey::new(ExtentId::from_bytes([1; 16]), 1).unwrap();
        ShardHead::new(key, Policy::new(2, 1).unwrap(), 10, 0).unwrap()
    }

    fn cell(index: u32, length: usize) -> Cell {
        let data = vec![index as u8; length];
        let checksum = cell_checksum(&head().identity(cluster()), index, &data);
        Cell { data: data.into(), checksum }
    }

    /// Pushes cells of these lengths, then finishes; the error's message.
    fn check(lengths: &[usize], extent_bytes: u64) -> Result<u64, String> {
        let mut incoming = Incoming::new(head(), cluster()).unwrap();
        for (index, length) in lengths.iter().enumerate() {
            incoming.accept(&cell(index as u32, *length)).map_err(|error| error.message)?;
        }
        let shard = incoming.finish(extent_bytes).map_err(|error| error.message)?;
        Ok(shard.layout().shard_bytes())
    }

    #[test]
    fn a_whole_shard_is_taken() {
        assert_eq!(check(&[10, 10, 3], 45), Ok(23));
        assert_eq!(check(&[10, 10, 3], 46), Ok(23));
        assert_eq!(check(&[10], 20), Ok(10));
        assert_eq!(check(&[1], 1), Ok(1));
        assert_eq!(check(&[], 0), Ok(0));
    }

    #[test]
    fn too_few_too_many_and_wrong_lengths_are_refused() {
        for (lengths, extent_bytes) in
            [(&[10, 10, 3][..], 44), (&[10, 10, 3], 47), (&[10, 10], 45), (&[10, 10, 10, 3], 45), (&[], 1)]
        {
            assert!(check(lengths, extent_bytes).unwrap_err().starts_with("a shard of"), "{lengths:?}");
        }
        assert!(check(&[10, 3, 10], 45).unwrap_err().contains("follows a short one"));
        assert!(check(&[11], 22).unwrap_err().contains("of 1 to 10 bytes"));
        assert!(check(&[0], 0).unwrap_err().contains("of 1 to 10 bytes"));
        assert!(check(&[10], u64::MAX).unwrap_err().contains("an extent has at most"));
    }

    #[test]
    fn a_cell_in_the_wrong_place_is_refused() {
        let mut incoming = Incoming::new(head(), cluster()).unwrap();
        assert!(incoming.accept(&cell(1, 10)).unwrap_err().message.contains("checksum"));
        incoming.accept(&cell(0, 10)).unwrap();
        assert!(incoming.accept(&cell(0, 10)).unwrap_err().message.contains("checksum"));
        let mut flipped = cell(1, 10);
        flipped.checksum ^= 1;
        assert_eq!(incoming.accept(&flipped).unwrap_err().kind, ShardErrorKind::Invalid);
    }
}

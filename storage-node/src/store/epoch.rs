//! The highest epoch that the node has seen, kept so that it survives a power cut and can be raised on a full disk.
//!
//! The file has two slots of fixed size. A raise overwrites the older slot in place and needs no new block; a torn write
//! leaves the other slot standing.

use super::directory::OpenError;
use crc_fast::{CrcAlgorithm, checksum};
use rustix::fs::{Mode, OFlags, openat};
use std::{
    fs::File,
    io,
    os::{fd::BorrowedFd, unix::fs::FileExt},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

const NAME: &str = "epoch";
/// Slots never share a sector.
const SLOT_BYTES: usize = 4096;
const RECORD_BYTES: usize = 16;

/// The highest epoch seen, on disk and in memory.
pub(super) struct Epoch {
    highest: AtomicU64,
    raising: Mutex<Raising>,
}

struct Raising {
    file: File,
    /// Which slot the next raise overwrites: not the one that holds the highest.
    next: usize,
}

impl Epoch {
    /// Makes the file, with epoch 0.
    pub(super) fn create(root: BorrowedFd<'_>) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = File::from(openat(root, NAME, flags, Mode::from_raw_mode(0o600))?);
        let mut bytes = vec![0; 2 * SLOT_BYTES];
        bytes[..RECORD_BYTES].copy_from_slice(&record(0));
        file.write_all_at(&bytes, 0)?;
        file.sync_all()
    }

    /// Opens the file.
    pub(super) fn open(root: BorrowedFd<'_>) -> Result<Self, OpenError> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = openat(root, NAME, flags, Mode::empty()).map_err(OpenError::io("open the epoch file"))?;
        let file = File::from(file);
        let slots = [read_slot(&file, 0), read_slot(&file, 1)];
        let slots = match slots {
            [Ok(first), Ok(second)] => [first, second],
            [Err(error), _] | [_, Err(error)] => return Err(OpenError::io("read the epoch file")(error)),
        };
        let Some(highest) = slots.into_iter().flatten().max() else {
            return Err(OpenError::Damaged("neither copy of the highest epoch can be read".into()));
        };
        let next = usize::from(slots[0] == Some(highest));
        Ok(Self { highest: AtomicU64::new(highest), raising: Mutex::new(Raising { file, next }) })
    }

    /// The highest epoch seen.
    pub(super) fn highest(&self) -> u64 {
        self.highest.load(Ordering::Acquire)
    }

    /// Remembers `epoch` durably, unless it is no higher than one before.
    pub(super) fn raise(&self, epoch: u64) -> io::Result<()> {
        let mut raising = self.raising.lock().unwrap_or_else(PoisonError::into_inner);
        if epoch <= self.highest() {
            return Ok(());
        }
        raising.file.write_all_at(&record(epoch), (raising.next * SLOT_BYTES) as u64)?;
        raising.file.sync_data()?;
        raising.next = 1 - raising.next;
        self.highest.store(epoch, Ordering::Release);
        Ok(())
    }
}

fn record(epoch: u64) -> [u8; RECORD_BYTES] {
    let mut bytes = [0; RECORD_BYTES];
    bytes[..8].copy_from_slice(&epoch.to_le_bytes());
    let crc = checksum(CrcAlgorithm::Crc64Nvme, &epoch.to_le_bytes());
    // Inverted, so that a slot of zeros is never taken for epoch 0.
    bytes[8..].copy_from_slice(&(!crc).to_le_bytes());
    bytes
}

fn read_slot(file: &File, slot: usize) -> io::Result<Option<u64>> {
    let mut bytes = [0; RECORD_BYTES];
    match file.read_exact_at(&mut bytes, (slot * SLOT_BYTES) as u64) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let epoch = u64::from_le_bytes(std::array::from_fn(|index| bytes[index]));
    Ok((bytes == record(epoch)).then_some(epoch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    fn open(dir: &File) -> Result<Epoch, OpenError> {
        Epoch::open(dir.as_fd())
    }

    #[test]
    fn the_highest_epoch_survives() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = File::open(temporary.path()).unwrap();
        Epoch::create(dir.as_fd()).unwrap();
        for (epoch, highest) in [(0, 0), (5, 5), (4, 5), (5, 5), (9, 9)] {
            open(&dir).unwrap().raise(epoch).unwrap();
            assert_eq!(open(&dir).unwrap().highest(), highest);
        }
    }

    #[test]
    fn a_torn_raise_leaves_the_epoch_before() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = File::open(temporary.path()).unwrap();
        Epoch::create(dir.as_fd()).unwrap();
        let epoch = open(&dir).unwrap();
        (1..=6).for_each(|value| epoch.raise(value).unwrap());
        let path = temporary.path().join(NAME);
        let bytes = std::fs::read(&path).unwrap();
        for (slot, left) in [(0, 5), (1, 6)] {
            let mut torn = bytes.clone();
            torn[slot * SLOT_BYTES + 3] ^= 0x10;
            std::fs::write(&path, &torn).unwrap();
            assert_eq!(open(&dir).unwrap().highest(), left);
        }
        std::fs::write(&path, vec![0; 2 * SLOT_BYTES]).unwrap();
        assert!(matches!(open(&dir), Err(OpenError::Damaged(_))));
        std::fs::write(&path, b"").unwrap();
        assert!(matches!(open(&dir), Err(OpenError::Damaged(_))));
    }
}

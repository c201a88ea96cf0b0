//! The highest epoch that the node has seen, kept so that it survives a power cut and can be raised on a full disk.
//!
//! The file has two slots of fixed size. A raise overwrites the older slot in place and needs no new block; a torn write
//! leaves the other slot standing.

use super::directory::OpenError;
use crate::disk::{Access, Disk, DiskFile, Folder};
use crc_fast::{CrcAlgorithm, checksum};
use std::{
    ffi::OsStr,
    io,
    sync::{
        Arc, Mutex, PoisonError,
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
    file: Arc<dyn DiskFile>,
    /// Which slot the next raise overwrites: not the one that holds the highest.
    next: usize,
}

impl Epoch {
    /// Makes the file, with epoch 0; one that was left half made is made good.
    pub(super) fn create(disk: &dyn Disk) -> io::Result<()> {
        let file = match disk.open(Folder::Root, OsStr::new(NAME), Access::Create) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                disk.open(Folder::Root, OsStr::new(NAME), Access::Write)?
            }
            other => other?,
        };
        let mut bytes = vec![0; 2 * SLOT_BYTES];
        bytes[..RECORD_BYTES].copy_from_slice(&record(0));
        file.write_at(&bytes, 0)?;
        file.sync()
    }

    /// Opens the file.
    pub(super) fn open(disk: &dyn Disk) -> Result<Self, OpenError> {
        let file = disk.open(Folder::Root, OsStr::new(NAME), Access::Write);
        let file = file.map_err(OpenError::io("open the epoch file"))?;
        let slots = [read_slot(&*file, 0), read_slot(&*file, 1)];
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
        raising.file.write_at(&record(epoch), (raising.next * SLOT_BYTES) as u64)?;
        raising.file.sync()?;
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

fn read_slot(file: &dyn DiskFile, slot: usize) -> io::Result<Option<u64>> {
    let mut bytes = [0; RECORD_BYTES];
    if file.read_at(&mut bytes, (slot * SLOT_BYTES) as u64)? < RECORD_BYTES {
        return Ok(None);
    }
    let epoch = u64::from_le_bytes(std::array::from_fn(|index| bytes[index]));
    Ok((bytes == record(epoch)).then_some(epoch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SimDisk;

    #[test]
    fn the_highest_epoch_survives_every_cut() {
        for seed in 0..200 {
            let disk = SimDisk::new(seed);
            Epoch::create(&disk).unwrap();
            disk.sync_folder(Folder::Root).unwrap();
            for (epoch, highest) in [(0, 0), (5, 5), (4, 5), (5, 5), (9, 9)] {
                Epoch::open(&disk).unwrap().raise(epoch).unwrap();
                disk.power_cut();
                assert_eq!(Epoch::open(&disk).unwrap().highest(), highest);
            }
            let open = Epoch::open(&disk).unwrap();
            disk.cut_after(1);
            assert!(open.raise(11).is_err());
            disk.power_cut();
            assert!([9, 11].contains(&Epoch::open(&disk).unwrap().highest()), "seed {seed}");
        }
    }

    #[test]
    fn a_torn_raise_leaves_the_epoch_before() {
        let disk = SimDisk::new(1);
        Epoch::create(&disk).unwrap();
        let epoch = Epoch::open(&disk).unwrap();
        (1..=6).for_each(|value| epoch.raise(value).unwrap());
        let name = OsStr::new(NAME);
        for (slot, left) in [(0, 5), (1, 6)] {
            assert!(disk.flip(Folder::Root, name, (slot * SLOT_BYTES + 3) as u64, 4));
            assert_eq!(Epoch::open(&disk).unwrap().highest(), left);
            assert!(disk.flip(Folder::Root, name, (slot * SLOT_BYTES + 3) as u64, 4));
        }
        assert!(disk.overwrite(Folder::Root, name, 0, &[0; 2 * SLOT_BYTES]));
        assert!(matches!(Epoch::open(&disk), Err(OpenError::Damaged(_))));
    }
}

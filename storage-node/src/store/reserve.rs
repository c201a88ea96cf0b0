//! Room that is kept on the disk for what must always work: deletes on a disk that is full.

use crate::disk::{Access, Disk, DiskFile, Folder};
use std::{
    ffi::OsStr,
    io,
    sync::{Arc, Mutex, PoisonError},
};

const NAME: &str = "reserve";
/// Sixteen thousand tombstones, or some hundred batches of deletes.
const BYTES: u64 = 2 << 20;

/// A file that holds the room.
#[derive(Default)]
pub(super) struct Reserve(Mutex<Held>);

#[derive(Default)]
struct Held {
    file: Option<Arc<dyn DiskFile>>,
    whole: bool,
}

impl Reserve {
    /// Takes the room if the disk has it and twice as much again; without it the store works all the same.
    pub(super) fn fill(&self, disk: &dyn Disk) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.whole || disk.space().is_ok_and(|space| space.available_bytes < 3 * BYTES) {
            return;
        }
        match fill(disk, &mut held) {
            Ok(()) => held.whole = true,
            Err(error) => tracing::warn!(%error, "no room could be kept for deletes on a full disk"),
        }
    }

    /// Gives the room back to the file system; whether there was any.
    pub(super) fn spend(&self) -> bool {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.whole = false;
        let Some(file) = &held.file else { return false };
        // Blocks can be used again once it is durable that nobody has them.
        file.length().is_ok_and(|length| length > 0) && file.set_length(0).is_ok() && file.sync().is_ok()
    }
}

fn fill(disk: &dyn Disk, held: &mut Held) -> io::Result<()> {
    if held.file.is_none() {
        let opened = match disk.open(Folder::Root, OsStr::new(NAME), Access::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                disk.open(Folder::Root, OsStr::new(NAME), Access::Create)?
            }
            other => other?,
        };
        held.file = Some(opened);
    }
    match &held.file {
        Some(file) if file.length()? < BYTES => file.allocate(0, BYTES),
        _ => Ok(()),
    }
}

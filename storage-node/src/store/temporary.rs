//! A file without a shard's name: it is removed unless it gets one.

use super::{
    directory::{Directory, remove},
    room::Reservation,
};
use rustix::{
    fs::{Mode, OFlags, openat, renameat},
    io::Errno,
};
use std::{
    fs::File,
    io::{self, Write},
    os::{fd::BorrowedFd, unix::fs::FileExt},
    sync::Arc,
};
use uuid::Uuid;

/// A shard being written.
pub(super) struct Temporary {
    directory: Arc<Directory>,
    name: String,
    file: File,
    /// Holds the bytes written so far; none once they are the shard's.
    reservation: Option<Reservation>,
}

impl Temporary {
    /// Makes an empty file under a name that nothing has.
    pub(super) fn create(directory: Arc<Directory>) -> Result<Self, Errno> {
        let name = Uuid::new_v4().simple().to_string();
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(directory.temporary(), &name, flags, Mode::from_raw_mode(0o600))?;
        Ok(Self { directory, name, file: File::from(file), reservation: None })
    }

    /// Adds bytes at the end, for which there is room.
    pub(super) fn append(&mut self, bytes: &[u8], room: Reservation) -> io::Result<()> {
        match &mut self.reservation {
            Some(reservation) => reservation.absorb(room),
            None => self.reservation = Some(room),
        }
        self.file.write_all(bytes)
    }

    /// Fills in the beginning, which was left empty.
    pub(super) fn write_header(&self, header: &[u8]) -> io::Result<()> {
        self.file.write_all_at(header, 0)
    }

    /// The file itself.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its name in `bucket`; whatever has the name now is replaced.
    pub(super) fn rename(mut self, bucket: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
        renameat(self.directory.temporary(), &self.name, bucket, name)?;
        if let Some(reservation) = self.reservation.take() {
            reservation.keep();
        }
        self.name.clear();
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.name.is_empty() {
            return;
        }
        // What cannot be removed now is set aside at the next start.
        if let Err(error) = remove(self.directory.temporary(), &self.name) {
            tracing::warn!(name = self.name, %error, "unfinished file could not be removed");
        }
    }
}

//! Everything that the store asks of a disk, so that the same store runs on a real one and on a simulated one.
//!
//! - [`RealDisk`]: a directory of the file system.
//! - [`SimDisk`]: in memory, seeded; knows what is durable and what a power cut would take.
//!
//! Names are made from ids alone. A name is in one of four [`Folder`]s; nothing lies deeper.

mod real;
mod sim;

pub use real::RealDisk;
pub use sim::{Fault, Operation, SimDisk};

use std::{
    ffi::{OsStr, OsString},
    fmt, io,
    sync::Arc,
};

/// What a disk that is bypassed by the page cache wants places, lengths and memory to be a multiple of.
pub const BLOCK_BYTES: usize = 4096;

/// Where a file lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Folder {
    /// The node's directory itself.
    Root,
    /// What holds shards.
    Segments,
    /// What is not finished.
    Temporary,
    /// What was not understood, or was damaged and replaced.
    Quarantine,
}

impl Folder {
    /// Those that are made in a new directory.
    pub const PARTS: [Self; 3] = [Self::Segments, Self::Temporary, Self::Quarantine];

    /// Its name below the node's directory; empty for that itself.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "",
            Self::Segments => "segments",
            Self::Temporary => "temporary",
            Self::Quarantine => "quarantine",
        }
    }
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// For reading, through the page cache.
    Read,
    /// For reading from the disk itself where the file system can; places, lengths and memory in blocks then.
    ReadDirect,
    /// For reading and writing what is there.
    Write,
    /// For writing a file that must not be there yet, and reading it.
    Create,
    /// As `Create`, past the page cache where the file system can; places, lengths and memory in blocks then.
    CreateDirect,
}

/// Bytes of the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// In all.
    pub total_bytes: u64,
    /// Still to be had.
    pub available_bytes: u64,
}

/// A directory on some disk.
///
/// A new or changed name is durable after [`Disk::sync_folder`], the bytes of a file after [`DiskFile::sync`].
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    /// Makes a folder; one that is there is left as it is.
    ///
    /// # Errors
    /// The file system fails.
    fn make_folder(&self, folder: Folder) -> io::Result<()>;

    /// Takes the directory for this process until the guard is dropped.
    ///
    /// # Errors
    /// `WouldBlock` if somebody has it.
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>>;

    /// Opens or makes a file. Links are not followed.
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists`, or the file system fails.
    fn open(&self, folder: Folder, name: &OsStr, access: Access) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name, in whole; what had the name is gone.
    ///
    /// # Errors
    /// The file system fails.
    fn rename(&self, from: (Folder, &OsStr), to: (Folder, &OsStr)) -> io::Result<()>;

    /// Removes a name. Who has the file open goes on reading it.
    ///
    /// # Errors
    /// `NotFound`, or the file system fails.
    fn remove(&self, folder: Folder, name: &OsStr) -> io::Result<()>;

    /// Every name in a folder, in no order.
    ///
    /// # Errors
    /// `NotFound` if the folder is gone, or the file system fails.
    fn names(&self, folder: Folder) -> io::Result<Vec<OsString>>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// They may or may not be durable.
    fn sync_folder(&self, folder: Folder) -> io::Result<()>;

    /// How full the file system is.
    ///
    /// # Errors
    /// It does not say.
    fn space(&self) -> io::Result<Space>;
}

/// An open file.
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// Fills `buffer` from `offset` on; fewer bytes only at the file's end.
    ///
    /// # Errors
    /// The disk fails.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// The disk fails; any part may be written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// The file's length.
    ///
    /// # Errors
    /// The disk fails.
    fn length(&self) -> io::Result<u64>;

    /// Cuts or lengthens the file.
    ///
    /// # Errors
    /// The disk fails.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// Takes room for `length` bytes from `offset` on; the file gets longer where it ends before.
    ///
    /// # Errors
    /// There is no room, or the file system cannot.
    fn allocate(&self, offset: u64, length: u64) -> io::Result<()>;

    /// Gives back the whole blocks in a range, which reads as zeros then.
    ///
    /// # Errors
    /// The file system cannot.
    fn punch(&self, offset: u64, length: u64) -> io::Result<()>;

    /// Makes the file's bytes and length durable.
    ///
    /// # Errors
    /// What was not durable may never be: the caller must not try again and believe it.
    fn sync(&self) -> io::Result<()>;

    /// Whether places, lengths and memory must be in blocks.
    fn is_direct(&self) -> bool;
}

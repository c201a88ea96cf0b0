//! A directory of the file system. Each file is opened relative to a descriptor, without following links.

use super::{Access, Disk, DiskFile, Folder, Space};
use rustix::{
    fs::{
        AtFlags, Dir, FallocateFlags, Mode, OFlags, fallocate, fdatasync, fstatvfs, fsync, ftruncate,
        mkdirat, openat, renameat, unlinkat,
    },
    io::{Errno, pread, pwrite},
};
use std::{
    ffi::{OsStr, OsString},
    fs::{DirBuilder, File, TryLockError},
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::DirBuilderExt},
    },
    path::Path,
    sync::{Arc, OnceLock},
};

/// A node's directory.
#[derive(Debug)]
pub struct RealDisk {
    root: OwnedFd,
    /// Opened when they are first asked for.
    parts: [OnceLock<OwnedFd>; 3],
}

impl RealDisk {
    /// Opens the directory `path`, which is there.
    ///
    /// # Errors
    /// It is not there or cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self { root, parts: Default::default() })
    }

    /// Opens the directory `path`; makes it if it is not there.
    ///
    /// # Errors
    /// It cannot be made or opened.
    pub fn open_or_make(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Self::open(path)
    }

    fn folder(&self, folder: Folder) -> io::Result<BorrowedFd<'_>> {
        let place = match folder {
            Folder::Root => return Ok(self.root.as_fd()),
            Folder::Segments => &self.parts[0],
            Folder::Temporary => &self.parts[1],
            Folder::Quarantine => &self.parts[2],
        };
        if let Some(open) = place.get() {
            return Ok(open.as_fd());
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = openat(&self.root, folder.name(), flags, Mode::empty())?;
        Ok(place.get_or_init(|| open).as_fd())
    }
}

impl Disk for RealDisk {
    fn make_folder(&self, folder: Folder) -> io::Result<()> {
        match mkdirat(&self.root, folder.name(), Mode::from_raw_mode(0o700)) {
            Err(Errno::EXIST) => Ok(()),
            other => Ok(other?),
        }
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = File::from(openat(&self.root, "lock", flags, Mode::from_raw_mode(0o600))?);
        match file.try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn open(&self, folder: Folder, name: &OsStr, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let folder = self.folder(folder)?;
        let (flags, direct) = match access {
            Access::Read => (OFlags::RDONLY, false),
            Access::ReadDirect => (OFlags::RDONLY, true),
            Access::Write => (OFlags::RDWR, false),
            Access::Create => (OFlags::RDWR | OFlags::CREATE | OFlags::EXCL, false),
            Access::CreateDirect => (OFlags::RDWR | OFlags::CREATE | OFlags::EXCL, true),
        };
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o600);
        if direct {
            match openat(folder, name, flags | OFlags::DIRECT, mode) {
                Ok(file) => return Ok(Arc::new(RealFile { file: file.into(), direct: true })),
                // This file system has no way past its cache. Linux may have made the file before it said so.
                Err(Errno::INVAL) => {}
                Err(errno) => return Err(errno.into()),
            }
            let flags = flags.difference(OFlags::EXCL);
            return Ok(Arc::new(RealFile { file: openat(folder, name, flags, mode)?.into(), direct: false }));
        }
        Ok(Arc::new(RealFile { file: openat(folder, name, flags, mode)?.into(), direct: false }))
    }

    fn rename(&self, from: (Folder, &OsStr), to: (Folder, &OsStr)) -> io::Result<()> {
        Ok(renameat(self.folder(from.0)?, from.1, self.folder(to.0)?, to.1)?)
    }

    fn remove(&self, folder: Folder, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(self.folder(folder)?, name, AtFlags::empty())?)
    }

    fn names(&self, folder: Folder) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(self.folder(folder)?)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }

    fn sync_folder(&self, folder: Folder) -> io::Result<()> {
        Ok(fsync(self.folder(folder)?)?)
    }

    fn space(&self) -> io::Result<Space> {
        let found = fstatvfs(&self.root)?;
        Ok(Space {
            total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
            available_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        })
    }
}

#[derive(Debug)]
struct RealFile {
    file: File,
    direct: bool,
}

impl DiskFile for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match pread(&self.file, &mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            // Past the cache, the rest after a short read begins inside of a block: that is the file's end.
            if self.direct && !done.is_multiple_of(super::BLOCK_BYTES) {
                break;
            }
        }
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            match pwrite(&self.file, &bytes[done..], offset + done as u64) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                // Past the cache the next place must be a block's: a part of a block is written again.
                Ok(count) if self.direct && count < super::BLOCK_BYTES => {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                Ok(count) if self.direct => done += count / super::BLOCK_BYTES * super::BLOCK_BYTES,
                Ok(count) => done += count,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        retry(|| ftruncate(&self.file, length))
    }

    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        retry(|| fallocate(&self.file, FallocateFlags::empty(), offset, length))
    }

    fn punch(&self, offset: u64, length: u64) -> io::Result<()> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        retry(|| fallocate(&self.file, flags, offset, length))
    }

    fn sync(&self) -> io::Result<()> {
        // Not tried again on any error, an interruption included: what a second try says proves nothing.
        Ok(fdatasync(&self.file)?)
    }

    fn is_direct(&self) -> bool {
        self.direct
    }
}

fn retry(mut act: impl FnMut() -> rustix::io::Result<()>) -> io::Result<()> {
    loop {
        match act() {
            Err(Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

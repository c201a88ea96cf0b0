//! One node's directory: whose it is, that nobody else has it open, and the file descriptors under which all files live.
//!
//! ```text
//! node.json     whose directory this is; written last when a directory is made
//! lock          held exclusively by the process that has it open
//! epoch         the highest epoch seen
//! shards/ab/    the shards whose extent's first byte is 0xab
//! temporary/    shards being written
//! quarantine/   what was found and not understood, or replaced because it was damaged
//! ```
//!
//! Names below the root are made from ids alone, and each is opened relative to a descriptor without following links.

use super::epoch::Epoch;
use asterism_proto::{ClusterId, NodeId};
use asterism_service::durable;
use rustix::{
    fs::{AtFlags, Dir, Mode, OFlags, fsync, mkdirat, openat, renameat, unlinkat},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use std::{
    ffi::{OsStr, OsString},
    fs::{DirBuilder, File, TryLockError},
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::DirBuilderExt},
    },
    path::{Path, PathBuf},
};
use uuid::Uuid;

const FORMAT: u32 = 1;
const IDENTITY: &str = "node.json";
/// A shard's directory is named after its extent's first byte.
pub(super) const BUCKETS: usize = 256;
/// Of a name in quarantine, before what makes it unique; with 4 bytes each they fit what file systems allow.
const KEPT_CHARS_MAX: usize = 48;
/// What a directory that was never finished may hold, and what a fresh file system brings.
const SKELETON: [&str; 7] =
    ["lock", "lost+found", "node.json.tmp", "epoch", "shards", "temporary", "quarantine"];

/// Whose a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The cluster.
    pub cluster: ClusterId,
    /// The node.
    pub node: NodeId,
}

/// Why a directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("another process has the directory open")]
    InUse,
    /// It belongs to someone else.
    #[error(
        "the directory belongs to node {} of cluster {}, not to node {} of cluster {}",
        .found.node, .found.cluster, .expected.node, .expected.cluster
    )]
    Foreign {
        /// Whose it is.
        found: Owner,
        /// Who wanted it.
        expected: Owner,
    },
    /// There are files, but none of ours.
    #[error("the directory is not empty and holds no node.json, so it is not a storage node's; found {0:?}")]
    NotEmpty(String),
    /// There is no directory of a storage node.
    #[error("it holds no node.json, so it is not a storage node's directory")]
    Absent,
    /// A newer version wrote it.
    #[error("the directory has format {0}; this version knows format {FORMAT}")]
    Format(u32),
    /// Something that must be there is gone or broken.
    #[error("the directory is damaged: {0}")]
    Damaged(String),
    /// The file system fails.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What happened.
        source: io::Error,
    },
}

impl OpenError {
    /// Wraps a failure of the file system while doing `what`.
    pub(super) fn io<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source: source.into() }
    }
}

#[derive(Serialize, Deserialize)]
struct IdentityFile {
    format: u32,
    cluster: ClusterId,
    node: NodeId,
}

/// An open directory; nobody else can open it while this lives.
pub(super) struct Directory {
    owner: Owner,
    root: OwnedFd,
    shards: OwnedFd,
    temporary: OwnedFd,
    quarantine: OwnedFd,
    _lock: File,
}

impl Directory {
    /// Opens the directory of `owner`, or makes it where there is nothing yet.
    pub(super) fn open(path: &Path, owner: Owner) -> Result<Self, OpenError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(OpenError::io(format!("make {}", path.display())))?;
        let root = open_root(path)?;
        let lock = lock(root.as_fd())?;
        if !exists(root.as_fd(), IDENTITY)? {
            make(path, root.as_fd(), owner)?;
        }
        let directory = Self::assemble(path, root, lock)?;
        let found = directory.owner;
        if found != owner {
            return Err(OpenError::Foreign { found, expected: owner });
        }
        Ok(directory)
    }

    /// Opens a directory that is there, whoever owns it, and makes nothing but a missing lock file.
    pub(super) fn open_existing(path: &Path) -> Result<Self, OpenError> {
        let root = open_root(path)?;
        if !exists(root.as_fd(), IDENTITY)? {
            return Err(OpenError::Absent);
        }
        let lock = lock(root.as_fd())?;
        Self::assemble(path, root, lock)
    }

    fn assemble(path: &Path, root: OwnedFd, lock: File) -> Result<Self, OpenError> {
        let owner = read_owner(path)?;
        let open = |name: &str| open_part(root.as_fd(), name);
        let (shards, temporary, quarantine) = (open("shards")?, open("temporary")?, open("quarantine")?);
        Ok(Self { owner, shards, temporary, quarantine, root, _lock: lock })
    }

    /// Whose it is.
    pub(super) fn owner(&self) -> Owner {
        self.owner
    }

    /// The directory itself.
    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Where shards are written before they get their name.
    pub(super) fn temporary(&self) -> BorrowedFd<'_> {
        self.temporary.as_fd()
    }

    /// The directory of the shards whose extent begins with `bucket`.
    pub(super) fn bucket(&self, bucket: u8) -> Result<OwnedFd, Errno> {
        open_directory(self.shards.as_fd(), &bucket_name(bucket))
    }

    /// Moves `name` out of `from` into the quarantine, under a name that nothing has.
    pub(super) fn set_aside(&self, from: BorrowedFd<'_>, name: &OsStr) -> Result<String, Errno> {
        // A name can be as long as the file system allows; what is added must still fit.
        let kept: String = name.to_string_lossy().chars().take(KEPT_CHARS_MAX).collect();
        let unique = format!("{kept}.{}", Uuid::new_v4().simple());
        renameat(from, name, &self.quarantine, &unique)?;
        fsync(&self.quarantine)?;
        Ok(unique)
    }

    /// Moves what a crash has left over into the quarantine; nothing is removed.
    pub(super) fn set_leftovers_aside(&self) -> Result<u64, OpenError> {
        let mut count = 0;
        for (place, fd) in [("temporary", self.temporary()), ("the directory", self.root())] {
            for name in names(fd).map_err(OpenError::io(format!("list {place}")))? {
                if place == "temporary" || name == "node.json.tmp" {
                    let moved = self.set_aside(fd, &name);
                    let kept = moved.map_err(OpenError::io(format!("set {} aside", name.display())))?;
                    tracing::warn!(name = %name.display(), kept, "unfinished file from an earlier run set aside");
                    count += 1;
                }
            }
        }
        Ok(count)
    }

    /// How many files are in quarantine.
    pub(super) fn quarantined(&self) -> Result<u64, OpenError> {
        let names = names(self.quarantine.as_fd()).map_err(OpenError::io("list the quarantine"))?;
        Ok(names.len() as u64)
    }

    /// How many files were being written when the directory was last open.
    pub(super) fn unfinished(&self) -> Result<u64, OpenError> {
        Ok(names(self.temporary()).map_err(OpenError::io("list temporary"))?.len() as u64)
    }
}

/// The name of a bucket's directory.
pub(super) fn bucket_name(bucket: u8) -> String {
    format!("{bucket:02x}")
}

/// Everything in a directory but `.` and `..`.
pub(super) fn names(directory: BorrowedFd<'_>) -> Result<Vec<OsString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    Ok(names)
}

fn open_root(path: &Path) -> Result<OwnedFd, OpenError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(OpenError::io(format!("open {}", path.display())))
}

fn open_directory(parent: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
    openat(
        parent,
        name,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

fn open_part(root: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, OpenError> {
    open_directory(root, name).map_err(|errno| match errno {
        Errno::NOENT => OpenError::Damaged(format!("{name} is gone")),
        errno => OpenError::io(format!("open {name}"))(errno),
    })
}

fn lock(root: BorrowedFd<'_>) -> Result<File, OpenError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = openat(root, "lock", flags, Mode::from_raw_mode(0o600));
    let file = File::from(file.map_err(OpenError::io("open the lock file"))?);
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse),
        Err(TryLockError::Error(error)) => Err(OpenError::io("lock the directory")(error)),
    }
}

fn exists(root: BorrowedFd<'_>, name: &str) -> Result<bool, OpenError> {
    match rustix::fs::statat(root, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(OpenError::io(format!("look at {name}"))(errno)),
    }
}

fn read_owner(path: &Path) -> Result<Owner, OpenError> {
    let bytes = std::fs::read(path.join(IDENTITY)).map_err(OpenError::io(format!("read {IDENTITY}")))?;
    let file: IdentityFile = serde_json::from_slice(&bytes)
        .map_err(|error| OpenError::Damaged(format!("{IDENTITY} cannot be understood ({error})")))?;
    match file.format {
        FORMAT => Ok(Owner { cluster: file.cluster, node: file.node }),
        other => Err(OpenError::Format(other)),
    }
}

/// Makes a new directory; a crash at any point leaves one that is made anew next time.
fn make(path: &Path, root: BorrowedFd<'_>, owner: Owner) -> Result<(), OpenError> {
    if let Some(stranger) = stranger(path, root)? {
        return Err(OpenError::NotEmpty(stranger));
    }
    let making = || OpenError::io("make the directory's parts");
    for name in ["shards", "temporary", "quarantine"] {
        make_directory(root, name).map_err(OpenError::io(format!("make {name}")))?;
    }
    let shards = open_part(root, "shards")?;
    for bucket in 0..=u8::MAX {
        make_directory(shards.as_fd(), &bucket_name(bucket)).map_err(making())?;
    }
    fsync(&shards).map_err(making())?;
    Epoch::create(root).map_err(OpenError::io("make the epoch file"))?;
    fsync(root).map_err(making())?;
    let file = IdentityFile { format: FORMAT, cluster: owner.cluster, node: owner.node };
    let mut bytes = serde_json::to_vec_pretty(&file)
        .map_err(|error| OpenError::Damaged(format!("{IDENTITY} cannot be written ({error})")))?;
    bytes.push(b'\n');
    durable::replace(&path.join(IDENTITY), &bytes, 0o600).map_err(OpenError::io(format!("write {IDENTITY}")))
}

fn make_directory(parent: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
    match mkdirat(parent, name, Mode::from_raw_mode(0o700)) {
        Err(Errno::EXIST) => Ok(()),
        other => other,
    }
}

/// Something in a directory without identity that is not a left-over of making it.
fn stranger(path: &Path, root: BorrowedFd<'_>) -> Result<Option<String>, OpenError> {
    let listing = |error| OpenError::io(format!("list {}", path.display()))(error);
    for name in names(root).map_err(listing)? {
        let name = name.to_string_lossy();
        if !SKELETON.contains(&&*name) {
            return Ok(Some(name.into_owned()));
        }
        if matches!(&*name, "shards" | "temporary" | "quarantine")
            && let Some(file) =
                first_file(&path.join(&*name)).map_err(OpenError::io(format!("list {name}")))?
        {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// The first thing below `path` that is not a directory, two levels deep.
fn first_file(path: &Path) -> io::Result<Option<String>> {
    let mut pending: Vec<PathBuf> = vec![path.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() && entry.path().parent() == Some(path) {
                pending.push(entry.path());
            } else {
                return Ok(Some(entry.file_name().to_string_lossy().into_owned()));
            }
        }
    }
    Ok(None)
}

/// Removes `name` from `directory`.
pub(super) fn remove(directory: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
    unlinkat(directory, name, AtFlags::empty())
}

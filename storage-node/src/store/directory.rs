//! One node's directory: whose it is, and that nobody else has it open.
//!
//! ```text
//! node.json     whose directory this is; written last when a directory is made
//! lock          held exclusively by the process that has it open
//! epoch         the highest epoch seen
//! reserve       room that deletes may use on a full disk
//! segments/     shards
//! temporary/    what is being written
//! quarantine/   what was found and not understood, or replaced because it was damaged
//! ```

use super::epoch::Epoch;
use crate::disk::{Access, Disk, Folder};
use asterism_proto::{ClusterId, NodeId};
use serde::{Deserialize, Serialize};
use std::{
    ffi::{OsStr, OsString},
    io,
    sync::Arc,
};
use uuid::Uuid;

const FORMAT: u32 = 2;
const IDENTITY: &str = "node.json";
const IDENTITY_UNFINISHED: &str = "node.json.tmp";
/// No identity is longer.
const IDENTITY_BYTES_MAX: u64 = 4096;
/// Of a name in quarantine, before what makes it unique; with 4 bytes each they fit what file systems allow.
const KEPT_CHARS_MAX: usize = 48;
/// What a directory that was never finished may hold, and what a fresh file system brings.
const SKELETON: [&str; 7] =
    ["lock", "lost+found", IDENTITY_UNFINISHED, "epoch", "segments", "temporary", "quarantine"];

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
    /// Another version wrote it.
    #[error("the directory has format {0}; this version knows format {FORMAT} alone")]
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
    disk: Arc<dyn Disk>,
    /// None for who only looks.
    _lock: Option<Box<dyn Send + Sync>>,
}

impl Directory {
    /// Opens the directory of `owner`, or makes it where there is nothing yet.
    pub(super) fn open(disk: Arc<dyn Disk>, owner: Owner) -> Result<Self, OpenError> {
        let lock = lock(&*disk)?;
        if !exists(&*disk, IDENTITY)? {
            make(&*disk, owner)?;
        }
        let found = read_owner(&*disk)?;
        if found != owner {
            return Err(OpenError::Foreign { found, expected: owner });
        }
        let directory = Self { owner, disk, _lock: Some(lock) };
        directory.check_parts()?;
        Ok(directory)
    }

    /// Opens a directory that is there, whoever owns it, and makes nothing but a missing lock file.
    pub(super) fn open_existing(disk: Arc<dyn Disk>) -> Result<Self, OpenError> {
        if !exists(&*disk, IDENTITY)? {
            return Err(OpenError::Absent);
        }
        let lock = lock(&*disk)?;
        Ok(Self { _lock: Some(lock), ..Self::look(disk)? })
    }

    /// Opens a directory that is there, even if a process has it: what is seen may change meanwhile.
    pub(super) fn look(disk: Arc<dyn Disk>) -> Result<Self, OpenError> {
        if !exists(&*disk, IDENTITY)? {
            return Err(OpenError::Absent);
        }
        let directory = Self { owner: read_owner(&*disk)?, disk, _lock: None };
        directory.check_parts()?;
        Ok(directory)
    }

    fn check_parts(&self) -> Result<(), OpenError> {
        Folder::PARTS.into_iter().try_for_each(|folder| self.names(folder).map(drop))
    }

    /// Whose it is.
    pub(super) fn owner(&self) -> Owner {
        self.owner
    }

    /// Where it lies.
    pub(super) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Every name in a folder, which must be there.
    pub(super) fn names(&self, folder: Folder) -> Result<Vec<OsString>, OpenError> {
        self.disk.names(folder).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => OpenError::Damaged(format!("{} is gone", folder.name())),
            _ => OpenError::io(format!("list {}", folder.name()))(error),
        })
    }

    /// Moves `name` out of `folder` into the quarantine, under a name that nothing has.
    pub(super) fn set_aside(&self, folder: Folder, name: &OsStr) -> io::Result<String> {
        let unique = quarantine_name(name);
        self.disk.rename((folder, name), (Folder::Quarantine, OsStr::new(&unique)))?;
        self.disk.sync_folder(Folder::Quarantine)?;
        Ok(unique)
    }

    /// Keeps a copy of damaged bytes in the quarantine.
    pub(super) fn keep_copy(&self, name: &OsStr, bytes: &[u8]) -> io::Result<String> {
        let unique = quarantine_name(name);
        let file = self.disk.open(Folder::Quarantine, OsStr::new(&unique), Access::Create)?;
        file.write_at(bytes, 0)?;
        file.sync()?;
        self.disk.sync_folder(Folder::Quarantine)?;
        Ok(unique)
    }

    /// Moves what a crash has left over into the quarantine; nothing is removed.
    pub(super) fn set_leftovers_aside(&self) -> Result<u64, OpenError> {
        let mut leftovers: Vec<(Folder, OsString)> = Vec::new();
        leftovers.extend(self.names(Folder::Temporary)?.into_iter().map(|name| (Folder::Temporary, name)));
        let root = self.names(Folder::Root)?.into_iter().filter(|name| name == IDENTITY_UNFINISHED);
        leftovers.extend(root.map(|name| (Folder::Root, name)));
        for (folder, name) in &leftovers {
            let moved = self.set_aside(*folder, name);
            let kept = moved.map_err(OpenError::io(format!("set {} aside", name.display())))?;
            tracing::warn!(name = %name.display(), kept, "unfinished file from an earlier run set aside");
        }
        Ok(leftovers.len() as u64)
    }
}

fn quarantine_name(name: &OsStr) -> String {
    // A name can be as long as the file system allows; what is added must still fit.
    let kept: String = name.to_string_lossy().chars().take(KEPT_CHARS_MAX).collect();
    format!("{kept}.{}", Uuid::new_v4().simple())
}

fn lock(disk: &dyn Disk) -> Result<Box<dyn Send + Sync>, OpenError> {
    disk.lock().map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => OpenError::InUse,
        _ => OpenError::io("lock the directory")(error),
    })
}

fn exists(disk: &dyn Disk, name: &str) -> Result<bool, OpenError> {
    match disk.open(Folder::Root, OsStr::new(name), Access::Read) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(OpenError::io(format!("open {name}"))(error)),
    }
}

fn read_owner(disk: &dyn Disk) -> Result<Owner, OpenError> {
    let reading = || OpenError::io(format!("read {IDENTITY}"));
    let file = disk.open(Folder::Root, OsStr::new(IDENTITY), Access::Read).map_err(reading())?;
    let length = file.length().map_err(reading())?.min(IDENTITY_BYTES_MAX);
    let mut bytes = vec![0; length as usize];
    let found = file.read_at(&mut bytes, 0).map_err(reading())?;
    let file: IdentityFile = serde_json::from_slice(&bytes[..found])
        .map_err(|error| OpenError::Damaged(format!("{IDENTITY} cannot be understood ({error})")))?;
    match file.format {
        FORMAT => Ok(Owner { cluster: file.cluster, node: file.node }),
        other => Err(OpenError::Format(other)),
    }
}

/// Makes a new directory; a crash at any point leaves one that is made anew next time.
fn make(disk: &dyn Disk, owner: Owner) -> Result<(), OpenError> {
    if let Some(stranger) = stranger(disk)? {
        return Err(OpenError::NotEmpty(stranger));
    }
    for folder in Folder::PARTS {
        disk.make_folder(folder).map_err(OpenError::io(format!("make {}", folder.name())))?;
    }
    Epoch::create(disk).map_err(OpenError::io("make the epoch file"))?;
    disk.sync_folder(Folder::Root).map_err(OpenError::io("make the directory's parts"))?;
    let file = IdentityFile { format: FORMAT, cluster: owner.cluster, node: owner.node };
    let mut bytes = serde_json::to_vec_pretty(&file)
        .map_err(|error| OpenError::Damaged(format!("{IDENTITY} cannot be written ({error})")))?;
    bytes.push(b'\n');
    write_identity(disk, &bytes).map_err(OpenError::io(format!("write {IDENTITY}")))
}

fn write_identity(disk: &dyn Disk, bytes: &[u8]) -> io::Result<()> {
    let unfinished = OsStr::new(IDENTITY_UNFINISHED);
    match disk.remove(Folder::Root, unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = disk.open(Folder::Root, unfinished, Access::Create)?;
    file.write_at(bytes, 0)?;
    file.sync()?;
    disk.rename((Folder::Root, unfinished), (Folder::Root, OsStr::new(IDENTITY)))?;
    disk.sync_folder(Folder::Root)
}

/// Something in a directory without identity that is not a left-over of making it.
fn stranger(disk: &dyn Disk) -> Result<Option<String>, OpenError> {
    let root = disk.names(Folder::Root).map_err(OpenError::io("list the directory"))?;
    if let Some(name) = root.iter().find(|name| !SKELETON.iter().any(|known| known == name)) {
        return Ok(Some(name.to_string_lossy().into_owned()));
    }
    for folder in Folder::PARTS {
        match disk.names(folder) {
            Ok(names) => {
                if let Some(name) = names.first() {
                    return Ok(Some(name.to_string_lossy().into_owned()));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(OpenError::io(format!("list {}", folder.name()))(error)),
        }
    }
    Ok(None)
}

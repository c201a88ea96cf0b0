//! What is on the disk: the listing of every bucket, with each shard's header read and checked.

use super::{
    directory::{BUCKETS, Directory, OpenError, bucket_name, names},
    header::{self, HEADER_BYTES},
    records::stored_bytes,
};
use crate::shard::{Shard, ShardKey};
use asterism_proto::{ClusterId, ExtentId};
use rustix::fs::{Mode, OFlags, openat};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::FileExt,
    },
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Headers lie all over the disk: several readers keep it busy.
const THREADS: usize = 8;

/// One name in a bucket.
pub(super) enum Found {
    /// A shard's name.
    Shard {
        key: ShardKey,
        /// Length of its file, as far as it can be told.
        stored_bytes: u64,
        /// What its header says, or what is wrong with it.
        shard: Result<Shard, Fault>,
    },
    /// No shard has such a name in this bucket.
    Stranger(OsString),
}

/// What is wrong with a shard's file.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// It could not be read: proves nothing.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It is not the shard that its name says.
    #[error("{0}")]
    Damaged(String),
}

/// The name of a shard's file.
pub(super) fn file_name(key: ShardKey) -> String {
    key.to_string()
}

/// The bucket of a shard.
pub(super) fn bucket_of(key: ShardKey) -> u8 {
    key.extent().as_bytes()[0]
}

/// The shard that has this name in `bucket`.
fn parse_name(bucket: u8, name: &OsStr) -> Option<ShardKey> {
    let name = name.to_str()?;
    let (extent, slot) = name.split_once('.')?;
    let key = ShardKey::new(extent.parse::<ExtentId>().ok()?, slot.parse().ok()?)?;
    // One shard has one name: upper case, leading zeros and the like name nothing.
    (file_name(key) == name && bucket_of(key) == bucket).then_some(key)
}

/// Opens a shard's file and reads what it says of itself; its length must fit.
pub(super) fn open_shard(
    bucket: BorrowedFd<'_>,
    cluster: ClusterId,
    key: ShardKey,
) -> Result<(File, Shard), Fault> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(openat(bucket, file_name(key), flags, Mode::empty()).map_err(io::Error::from)?);
    let shard = read_shard(&file, cluster, key)?;
    Ok((file, shard))
}

fn read_shard(file: &File, cluster: ClusterId, key: ShardKey) -> Result<Shard, Fault> {
    let mut bytes = [0; HEADER_BYTES];
    match file.read_exact_at(&mut bytes, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(Fault::Damaged("it is shorter than a header".into()));
        }
        other => other?,
    }
    let shard = header::decode(&bytes, cluster, key).map_err(|error| Fault::Damaged(error.to_string()))?;
    let (length, expected) = (file.metadata()?.len(), stored_bytes(&shard));
    if length != expected {
        return Err(Fault::Damaged(format!("it has {length} bytes on disk, not {expected}")));
    }
    Ok(shard)
}

/// Lists one bucket.
pub(super) fn bucket(directory: &Directory, bucket: u8) -> Result<Vec<Found>, OpenError> {
    let fd = match directory.bucket(bucket) {
        Ok(fd) => fd,
        Err(rustix::io::Errno::NOENT) => {
            return Err(OpenError::Damaged(format!("shards/{} is gone", bucket_name(bucket))));
        }
        Err(errno) => return Err(OpenError::io(format!("open shards/{}", bucket_name(bucket)))(errno)),
    };
    let names = names(fd.as_fd()).map_err(OpenError::io(format!("list shards/{}", bucket_name(bucket))))?;
    Ok(names.into_iter().map(|name| look(fd.as_fd(), directory.owner().cluster, bucket, name)).collect())
}

fn look(fd: BorrowedFd<'_>, cluster: ClusterId, bucket: u8, name: OsString) -> Found {
    let Some(key) = parse_name(bucket, &name) else { return Found::Stranger(name) };
    let (stored_bytes, shard) = match open_shard(fd, cluster, key) {
        Ok((_, shard)) => (stored_bytes(&shard), Ok(shard)),
        Err(fault) => (length(fd, &name), Err(fault)),
    };
    Found::Shard { key, stored_bytes, shard }
}

fn length(fd: BorrowedFd<'_>, name: &OsStr) -> u64 {
    let stat = rustix::fs::statat(fd, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
    stat.map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0))
}

/// Calls `work` for every bucket, from several threads; the first error ends it.
pub(super) fn each_bucket<T: Send>(
    work: impl Fn(u8) -> Result<T, OpenError> + Sync,
) -> Result<Vec<T>, OpenError> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Ok(Vec::with_capacity(BUCKETS)));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Ok(bucket) = u8::try_from(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = work(bucket);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    match (&mut *done, result) {
                        (Ok(results), Ok(result)) => results.push(result),
                        (Ok(_), Err(error)) => *done = Err(error),
                        (Err(_), _) => return,
                    }
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_has_one_name() {
        let key = ShardKey::new(ExtentId::from_bytes([0xab; 16]), 5).unwrap();
        let name = file_name(key);
        assert_eq!(name, format!("{}.5", "ab".repeat(16)));
        assert_eq!(parse_name(0xab, OsStr::new(&name)), Some(key));
        assert_eq!(parse_name(0xac, OsStr::new(&name)), None);
        for wrong in [
            name.to_uppercase(),
            format!("{}.05", "ab".repeat(16)),
            format!("{}.+5", "ab".repeat(16)),
            format!("{}.32", "ab".repeat(16)),
            format!("{}.5.tmp", "ab".repeat(16)),
            key.extent().to_string() + ".5",
            "ab".repeat(16),
            "..".into(),
            String::new(),
        ] {
            assert_eq!(parse_name(0xab, OsStr::new(&wrong)), None, "{wrong}");
        }
    }
}

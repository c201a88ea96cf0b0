//! The store without its node: every shard of a directory read and checked. Changes nothing.

use super::{
    directory::{Directory, OpenError, Owner, bucket_name},
    records,
    scan::{self, Fault, Found, bucket_of, file_name, open_shard},
};
use crate::shard::{Shard, ShardKey};
use std::{
    fs::File,
    os::fd::AsFd,
    path::Path,
    sync::{Mutex, PoisonError},
};

/// A file that is not a good shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Below the directory.
    pub file: String,
    /// A sentence.
    pub reason: String,
    /// It could not be read, which proves nothing about it.
    pub unreadable: bool,
}

/// What a check counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Whose the directory is.
    pub owner: Owner,
    /// Shards of which every cell verifies.
    pub good: u64,
    /// Bytes of their cells.
    pub good_bytes: u64,
    /// Files that are not good shards.
    pub bad: u64,
    /// Files that were never finished.
    pub unfinished: u64,
    /// Files set aside earlier.
    pub quarantined: u64,
}

/// Checks every shard in the directory `path` and calls `report` for each bad one.
///
/// # Errors
/// The directory is in use, no storage node's, damaged or unreadable.
pub fn check(path: &Path, report: impl FnMut(&Bad) + Send) -> Result<Summary, OpenError> {
    let directory = Directory::open_existing(path)?;
    let report = Mutex::new(report);
    let tallies = scan::each_bucket(|bucket| {
        let mut tally = Tally::default();
        for found in scan::bucket(&directory, bucket)? {
            match judge(&directory, bucket, found) {
                Ok(shard) => tally.add(&shard),
                Err(bad) => {
                    tally.bad += 1;
                    (report.lock().unwrap_or_else(PoisonError::into_inner))(&bad);
                }
            }
        }
        Ok(tally)
    })?;
    Ok(Summary {
        owner: directory.owner(),
        good: tallies.iter().map(|tally| tally.good).sum(),
        good_bytes: tallies.iter().map(|tally| tally.good_bytes).sum(),
        bad: tallies.iter().map(|tally| tally.bad).sum(),
        unfinished: directory.unfinished()?,
        quarantined: directory.quarantined()?,
    })
}

#[derive(Default)]
struct Tally {
    good: u64,
    good_bytes: u64,
    bad: u64,
}

impl Tally {
    fn add(&mut self, shard: &Shard) {
        self.good += 1;
        self.good_bytes += shard.layout().shard_bytes();
    }
}

fn judge(directory: &Directory, bucket: u8, found: Found) -> Result<Shard, Bad> {
    let bad = |file: &str, reason: String, unreadable| Bad {
        file: format!("shards/{}/{file}", bucket_name(bucket)),
        reason,
        unreadable,
    };
    let key = match found {
        Found::Stranger(name) => {
            return Err(bad(&name.to_string_lossy(), "it is no shard of this directory".into(), false));
        }
        Found::Shard { key, .. } => key,
    };
    verify(directory, key)
        .map_err(|fault| bad(&file_name(key), fault.to_string(), matches!(fault, Fault::Unreadable(_))))
}

fn verify(directory: &Directory, key: ShardKey) -> Result<Shard, Fault> {
    let bucket = directory.bucket(bucket_of(key)).map_err(std::io::Error::from)?;
    let (file, shard) = open_shard(bucket.as_fd(), directory.owner().cluster, key)?;
    match first_bad_cell(&file, &shard, directory.owner())? {
        Some(cell) => Err(Fault::Damaged(format!("cell {cell} does not verify"))),
        None => Ok(shard),
    }
}

/// The first cell of a shard that does not verify.
pub(super) fn first_bad_cell(file: &File, shard: &Shard, owner: Owner) -> std::io::Result<Option<u32>> {
    let identity = shard.identity(owner.cluster);
    let mut rest = 0..shard.layout().cells();
    while let Some(batch) = records::batch(shard, &mut rest) {
        match records::read_cells(file, shard, &identity, batch) {
            Ok(_) => {}
            Err(records::CellFault::Bad(cell)) => return Ok(Some(cell)),
            Err(records::CellFault::Unreadable(error)) => return Err(error),
        }
    }
    Ok(None)
}

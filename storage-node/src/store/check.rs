//! The store without its node: every shard of a directory read and checked, and where each of them lies.

use super::{
    directory::{Directory, OpenError, Owner},
    header::Location,
    index::Entry,
    log_index::LogIndex,
    records::{first_bad_cell, stored_bytes},
    segment::{LogHeader, Name, file_of, is_solo},
    survey::{Log, Look, Survey, each, survey},
};
use crate::{
    disk::{Access, Folder, RealDisk},
    shard::{Shard, ShardKey},
};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

/// Something that is not a good shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Below the directory.
    pub file: String,
    /// Which shard, if that is known.
    pub shard: Option<ShardKey>,
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
    /// Shards and other things that are not good.
    pub bad: u64,
    /// Files and batches that were never finished.
    pub unfinished: u64,
    /// Files set aside earlier: damaged, or not understood.
    pub quarantined: u64,
    /// Shards set aside because nothing named them.
    pub aside: u64,
    /// Indexes of logs that were written anew.
    pub rebuilt: u64,
}

/// Where a shard lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which shard.
    pub key: ShardKey,
    /// Below the directory.
    pub file: String,
    /// Where its record begins in the file.
    pub offset: u64,
    /// Bytes of its record: 128 of header, then each cell behind 8 of checksum.
    pub bytes: u64,
}

/// Where every shard lies in the directory `path`, in key order. Changes nothing; a node may have the directory open,
/// and what it does meanwhile may be seen or not.
///
/// # Errors
/// The directory is no storage node's, damaged or unreadable.
pub fn places(path: &Path) -> Result<Vec<Place>, OpenError> {
    let directory = Directory::look(disk(path)?)?;
    let found = survey(&directory, Look { use_indexes: false, threads: true })?;
    Ok(found.living.iter().map(|(key, entry)| place(*key, *entry)).collect())
}

fn place(key: ShardKey, entry: Entry) -> Place {
    let bytes = entry.shard.map_or(entry.stored_bytes, |shard| stored_bytes(&shard));
    Place { key, file: below(&file_of(key, entry.location)), offset: entry.location.offset, bytes }
}

fn below(name: &std::ffi::OsStr) -> String {
    format!("{}/{}", Folder::Segments.name(), name.to_string_lossy())
}

fn disk(path: &Path) -> Result<Arc<RealDisk>, OpenError> {
    RealDisk::open(path).map(Arc::new).map_err(OpenError::io(format!("open {}", path.display())))
}

/// Checks every shard in the directory `path` and calls `report` for each bad one. With `rebuild`, the index of every log is
/// made anew from the log; else nothing changes.
///
/// # Errors
/// The directory is in use, no storage node's, damaged or unreadable.
pub fn check(path: &Path, rebuild: bool, report: impl FnMut(&Bad) + Send) -> Result<Summary, OpenError> {
    let directory = Directory::open_existing(disk(path)?)?;
    // From the logs themselves: their indexes prove nothing.
    let found = survey(&directory, Look { use_indexes: false, threads: true })?;
    let report = Mutex::new(report);
    let mut bad = strange(&directory, &found);
    bad.iter().for_each(|bad| (report.lock().unwrap_or_else(PoisonError::into_inner))(bad));
    let bad_in_logs: BTreeSet<Location> = found.logs.iter().flat_map(|log| log.bad.iter().copied()).collect();
    let judged = each(true, &found.living, |(key, entry)| {
        let judged = judge(&directory, &bad_in_logs, *key, *entry);
        if let Err(bad) = &judged {
            (report.lock().unwrap_or_else(PoisonError::into_inner))(bad);
        }
        Ok(judged)
    })?;
    let good: Vec<Shard> = judged.iter().filter_map(|judged| judged.as_ref().ok().copied()).collect();
    bad.extend(judged.into_iter().filter_map(Result::err));
    let torn: usize = found.logs.iter().map(|log| log.torn.len()).sum();
    let quarantine = directory.names(Folder::Quarantine)?;
    let aside = quarantine.iter().filter(|name| super::aside::parse(name).is_some()).count() as u64;
    let rebuilt = if rebuild { rebuild_indexes(&directory, found.logs)? } else { 0 };
    Ok(Summary {
        owner: directory.owner(),
        good: good.len() as u64,
        good_bytes: good.iter().map(|shard| shard.layout().shard_bytes()).sum(),
        bad: bad.len() as u64,
        unfinished: (directory.names(Folder::Temporary)?.len() + torn) as u64,
        quarantined: quarantine.len() as u64 - aside,
        aside,
        rebuilt,
    })
}

fn strange(directory: &Directory, found: &Survey) -> Vec<Bad> {
    let bad = |file: String, reason: String| Bad { file, shard: None, reason, unreadable: false };
    let mut all = Vec::new();
    for name in &found.strangers {
        all.push(bad(below(name), "it is no segment of this directory".into()));
    }
    for log in &found.logs {
        let file = below(&Name::Log(log.id).file());
        if log.headless {
            all.push(bad(file.clone(), "its first block does not verify".into()));
        }
        for range in &log.damaged {
            all.push(bad(file.clone(), format!("bytes {} to {} are no record", range.start, range.end)));
        }
        let index = directory.disk().open(Folder::Segments, &Name::Index(log.id).file(), Access::Read);
        let usable = LogIndex::read(&**directory.disk(), directory.owner().cluster, log.id);
        if index.is_ok() && usable.is_none() {
            let file = below(&Name::Index(log.id).file());
            all.push(bad(file, "the index does not verify; it is made anew from its log".into()));
        }
    }
    all
}

fn judge(
    directory: &Directory,
    bad_in_logs: &BTreeSet<Location>,
    key: ShardKey,
    entry: Entry,
) -> Result<Shard, Bad> {
    let bad = |reason: String, unreadable| {
        let file = below(&file_of(key, entry.location));
        Bad { file, shard: Some(key), reason, unreadable }
    };
    let Some(shard) = entry.shard else {
        return Err(bad("its header does not verify, or its length does not fit".into(), false));
    };
    if !is_solo(entry.location) && !bad_in_logs.contains(&entry.location) {
        return Ok(shard);
    }
    let name = file_of(key, entry.location);
    let file = directory.disk().open(Folder::Segments, &name, Access::Read);
    let file = file.map_err(|error| bad(format!("it cannot be read: {error}"), true))?;
    let identity = shard.identity(directory.owner().cluster);
    let pool = super::aligned::Pool::default();
    match first_bad_cell(&*file, &pool, entry.location.offset, &shard, &identity) {
        Ok(None) => Ok(shard),
        Ok(Some(cell)) => Err(bad(format!("cell {cell} does not verify"), false)),
        Err(error) => Err(bad(format!("it cannot be read: {error}"), true)),
    }
}

/// Writes the index of every log anew; how many.
fn rebuild_indexes(directory: &Directory, logs: Vec<Log>) -> Result<u64, OpenError> {
    let mut count = 0;
    for index in logs.into_iter().filter_map(|log| index_of(directory.owner(), log)) {
        let written = index.write(&**directory.disk());
        written.map_err(OpenError::io(format!("write the index of log {:016x}", index.header.id)))?;
        count += 1;
    }
    Ok(count)
}

/// What the index of a log would say; none for a log that does not know itself.
pub(super) fn index_of(owner: Owner, log: Log) -> Option<LogIndex> {
    if log.headless {
        return None;
    }
    let Log { id, replaces, records, end, known_damaged: damaged, .. } = log;
    let header = LogHeader { cluster: owner.cluster, node: owner.node, id, replaces };
    Some(LogIndex { header, end, damaged, records })
}

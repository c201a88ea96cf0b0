//! Everything that the segments of a directory hold, and what of it counts. Changes nothing.

use super::{
    directory::{Directory, OpenError},
    header::{self, Body, HEADER_BYTES, Location, Record},
    index::{Entry, taken_bytes},
    log_index::LogIndex,
    scan::{Scan, scan},
    segment::{LOG_HEADER_BYTES, LogHeader, Name},
};
use crate::{
    disk::{Access, BLOCK_BYTES, Disk, Folder},
    shard::{Shard, ShardKey},
};
use asterism_proto::ClusterId;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    io,
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Headers lie all over the disk: several readers keep it busy.
const THREADS: usize = 8;
/// How many files one reader takes at a time.
const RUN: usize = 64;

/// A log and what is in it.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) id: u64,
    pub(super) replaces: Vec<u64>,
    pub(super) records: Vec<Record>,
    /// Where it ends.
    pub(super) end: u64,
    /// Its first block is broken: what it took the place of is not known.
    pub(super) headless: bool,
    /// Its records come from its index; none of its bytes were read.
    pub(super) indexed: bool,
    /// Shards of which a cell does not verify.
    pub(super) bad: Vec<Location>,
    pub(super) damaged: Vec<Range<u64>>,
    pub(super) torn: Vec<Range<u64>>,
    /// Shards of a batch that was never finished.
    unfinished: Vec<Record>,
    /// Its index says that there is damage.
    pub(super) known_damaged: bool,
}

/// A file that holds one shard.
#[derive(Clone, Copy, Debug)]
struct Solo {
    key: ShardKey,
    id: u64,
    length: u64,
    /// None if its header could not be read or does not verify.
    record: Option<Record>,
}

/// What the segments hold.
#[derive(Default)]
pub(super) struct Survey {
    /// The record that counts for each shard, in key order.
    pub(super) living: Vec<(ShardKey, Entry)>,
    pub(super) logs: Vec<Log>,
    /// What must be said, with its sequence, of records that do not count: unfinished ones, and such as another of the same shard
    /// outdoes.
    pub(super) missing: Vec<(Body, u64)>,
    /// Files of which every record is dead by proof.
    pub(super) dead: Vec<(OsString, u64)>,
    /// What is no segment of this directory.
    pub(super) strangers: Vec<OsString>,
    /// Highest sequence and number in use.
    pub(super) sequence: u64,
    pub(super) segment: u64,
}

/// How a survey looks at a directory.
#[derive(Clone, Copy)]
pub(super) struct Look {
    /// Believe the indexes of logs.
    pub(super) use_indexes: bool,
    /// With threads, where the disk may block.
    pub(super) threads: bool,
}

/// One record of a shard, or against it.
struct Seen {
    key: ShardKey,
    sequence: u64,
    what: What,
}

enum What {
    Tombstone { target: u64 },
    Shard(Entry),
}

/// Looks at everything in the segments' folder.
pub(super) fn survey(directory: &Directory, look: Look) -> Result<Survey, OpenError> {
    let names = directory.names(Folder::Segments)?;
    let mut found = Survey::default();
    let (mut logs, mut indexes, mut solos) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        match Name::parse(&name) {
            Some(Name::Log(id)) => logs.push(id),
            Some(Name::Solo(key, id)) => solos.push((key, id)),
            Some(Name::Index(id)) => indexes.push(id),
            None => found.strangers.push(name),
        }
    }
    logs.sort_unstable();
    // One that outlived its log says nothing; a new log with its number would be read from it.
    for id in indexes {
        found.segment = found.segment.max(id);
        if logs.binary_search(&id).is_err() {
            found.dead.push((Name::Index(id).file(), id));
        }
    }
    read_logs(directory, look, logs, &mut found)?;
    let disk = &**directory.disk();
    let cluster = directory.owner().cluster;
    let solos = each(look.threads, &solos, |(key, id)| read_solo(disk, cluster, *key, *id))?;
    settle(&mut found, solos.into_iter().flatten().collect());
    Ok(found)
}

/// Newest first, because only the newest log with anything in it can have an unfinished batch.
fn read_logs(directory: &Directory, look: Look, logs: Vec<u64>, found: &mut Survey) -> Result<(), OpenError> {
    let (disk, owner) = (&**directory.disk(), directory.owner());
    let indexes = each(look.threads && look.use_indexes, &logs, |id| {
        Ok(look.use_indexes.then(|| LogIndex::read(disk, owner.cluster, *id)).flatten())
    })?;
    let mut may_be_torn = true;
    for (id, index) in logs.into_iter().zip(indexes).rev() {
        let name = Name::Log(id).file();
        found.segment = found.segment.max(id);
        let log = match index {
            Some(index) if index.header.node == owner.node => of_index(index),
            _ => {
                let Some(bytes) = read_whole(disk, &name)? else { continue };
                let scanned = scan(&bytes, owner.cluster, id, may_be_torn);
                let foreign = scanned.header.as_ref().is_some_and(|header| header.node != owner.node);
                if foreign || (scanned.header.is_none() && scanned.records.is_empty()) {
                    found.strangers.push(name);
                    continue;
                }
                of_scan(id, scanned)
            }
        };
        // A second batch proves the first, and that what an earlier log left unfinished has its tombstones.
        let first_alone = log.records.iter().all(|record| record.batch == LOG_HEADER_BYTES);
        may_be_torn &= first_alone || !log.replaces.is_empty();
        found.logs.push(log);
    }
    found.logs.reverse();
    Ok(())
}

fn of_index(index: LogIndex) -> Log {
    let LogIndex { header: LogHeader { id, replaces, .. }, end, damaged, records } = index;
    Log {
        id,
        replaces,
        records,
        end,
        headless: false,
        indexed: true,
        bad: Vec::new(),
        damaged: Vec::new(),
        torn: Vec::new(),
        unfinished: Vec::new(),
        known_damaged: damaged,
    }
}

fn of_scan(id: u64, scan: Scan) -> Log {
    let known_damaged = !scan.is_whole();
    Log {
        id,
        headless: scan.header.is_none(),
        replaces: scan.header.map(|header| header.replaces).unwrap_or_default(),
        records: scan.records,
        end: scan.end.next_multiple_of(BLOCK_BYTES as u64),
        indexed: false,
        bad: scan.bad,
        damaged: scan.damaged,
        torn: scan.torn,
        unfinished: scan.unfinished,
        known_damaged,
    }
}

/// A file's bytes; none if it was removed in this moment.
fn read_whole(disk: &dyn Disk, name: &OsString) -> Result<Option<Vec<u8>>, OpenError> {
    let reading = || OpenError::io(format!("read segments/{}", name.display()));
    let file = match disk.open(Folder::Segments, name, Access::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(reading())?,
    };
    let mut bytes = vec![0; file.length().map_err(reading())? as usize];
    let found = file.read_at(&mut bytes, 0).map_err(reading())?;
    bytes.truncate(found);
    Ok(Some(bytes))
}

fn read_solo(disk: &dyn Disk, cluster: ClusterId, key: ShardKey, id: u64) -> Result<Option<Solo>, OpenError> {
    let name = Name::Solo(key, id).file();
    let location = Location { segment: id, offset: 0 };
    let file = match disk.open(Folder::Segments, &name, Access::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // It is there, and what is in it is not known.
        Err(_) => return Ok(Some(Solo { key, id, length: 0, record: None })),
        Ok(file) => file,
    };
    let length = file.length().unwrap_or(0);
    let mut bytes = [0; HEADER_BYTES];
    let read = file.read_at(&mut bytes, 0).is_ok_and(|count| count == HEADER_BYTES);
    let record = read.then(|| header::decode_at(&bytes, cluster, location).ok()).flatten();
    let record = record.filter(|record| record.shard().is_some_and(|shard| shard.key() == key));
    Ok(Some(Solo { key, id, length, record }))
}

/// Says which record of each shard counts, which are dead and what no tombstone was ever written against.
fn settle(found: &mut Survey, solos: Vec<Solo>) {
    let replaced: BTreeSet<u64> = found.logs.iter().flat_map(|log| log.replaces.iter().copied()).collect();
    let (superseded, mut logs): (Vec<Log>, Vec<Log>) =
        std::mem::take(&mut found.logs).into_iter().partition(|log| replaced.contains(&log.id));
    for log in superseded {
        let name = Name::Log(log.id).file();
        // What was not understood in it is not in the other one.
        if log.known_damaged { found.strangers.push(name) } else { found.dead.push((name, log.id)) }
    }
    let voids: BTreeSet<(u64, u64)> = logs
        .iter()
        .flat_map(|log| &log.records)
        .filter_map(|record| match record.body {
            Body::Void { segment, batch } => Some((segment, batch)),
            _ => None,
        })
        .collect();
    let dead: BTreeSet<Location> = logs
        .iter()
        .flat_map(|log| &log.records)
        .filter_map(|record| match record.body {
            Body::Dead(location) => Some(location),
            _ => None,
        })
        .collect();
    let mut seen = Vec::new();
    for log in &mut logs {
        for record in &log.records {
            found.sequence = found.sequence.max(record.sequence);
            found.segment = found.segment.max(record.target().unwrap_or(0));
        }
        // For good: a tombstone that never happened must not be copied to where nothing says so.
        log.records.retain(|record| !voids.contains(&(record.location.segment, record.batch)));
        seen.extend(log.records.iter().filter(|record| !dead.contains(&record.location)).filter_map(seen_in));
    }
    found.segment = replaced.into_iter().fold(found.segment, u64::max);
    for solo in &solos {
        found.segment = found.segment.max(solo.id);
        found.sequence = found.sequence.max(solo.record.map_or(0, |record| record.sequence));
        let one = seen_alone(solo);
        match one.what {
            What::Shard(entry) if dead.contains(&entry.location) => note_dead(found, one.key, entry),
            _ => seen.push(one),
        }
    }
    // Later they would look like damage, and with the highest number: nothing is acknowledged before this is durable.
    for record in
        logs.iter().flat_map(|log| &log.unfinished).filter(|record| !dead.contains(&record.location))
    {
        found.missing.push((Body::Dead(record.location), record.sequence));
        found.sequence = found.sequence.max(record.sequence);
    }
    found.logs = logs;
    judge(found, seen);
}

fn seen_in(record: &Record) -> Option<Seen> {
    let (key, what) = match record.body {
        Body::Shard(shard) => (shard.key(), What::Shard(Entry::known(record.location, shard))),
        Body::Tombstone { key, target, .. } => (key, What::Tombstone { target }),
        Body::Void { .. } | Body::Dead(_) => return None,
    };
    Some(Seen { key, sequence: record.sequence, what })
}

fn seen_alone(solo: &Solo) -> Seen {
    let location = Location { segment: solo.id, offset: 0 };
    let taken = |shard: &Shard| taken_bytes(location, shard);
    let shard = solo.record.and_then(|record| record.shard()).filter(|shard| taken(shard) == solo.length);
    let stored_bytes = shard.map_or(solo.length.next_multiple_of(BLOCK_BYTES as u64), |shard| taken(&shard));
    Seen {
        key: solo.key,
        // Without its header only its own tombstone can be told to be later.
        sequence: solo.record.map_or(0, |record| record.sequence),
        what: What::Shard(Entry { location, shard, stored_bytes }),
    }
}

fn judge(found: &mut Survey, mut seen: Vec<Seen>) {
    seen.sort_unstable_by_key(|seen| (seen.key, seen.sequence));
    for of_key in seen.chunk_by(|one, other| one.key == other.key) {
        let key = of_key[0].key;
        let mut dead_until = None;
        let mut targets = BTreeMap::new();
        for one in of_key {
            if let What::Tombstone { target } = one.what {
                dead_until = dead_until.max(Some(one.sequence));
                targets.insert(target, one.sequence);
            }
        }
        let mut best: Option<(u64, Entry)> = None;
        for one in of_key {
            let What::Shard(entry) = one.what else { continue };
            let unreadable = entry.shard.is_none() && one.sequence == 0;
            let dead = match unreadable {
                true => targets.contains_key(&entry.location.segment),
                false => dead_until.is_some_and(|until| one.sequence <= until),
            };
            if dead {
                note_dead(found, key, entry);
                continue;
            }
            // One that cannot be read yields to any that can; a copy by compaction has the same number as what it was copied from.
            if let Some((sequence, other)) =
                best.replace((one.sequence, entry)).filter(|(number, _)| *number < one.sequence)
            {
                // It would come back when this one goes.
                found.missing.push((Body::Dead(other.location), sequence));
            }
        }
        found.living.extend(best.map(|(_, entry)| (key, entry)));
    }
}

fn note_dead(found: &mut Survey, key: ShardKey, entry: Entry) {
    if entry.location.offset == 0 {
        found.dead.push((Name::Solo(key, entry.location.segment).file(), entry.location.segment));
    }
}

/// Calls `work` for every item, from several threads if that is allowed; the first error ends it.
pub(super) fn each<I: Sync, T: Send>(
    threads: bool,
    items: &[I],
    work: impl Fn(&I) -> Result<T, OpenError> + Sync,
) -> Result<Vec<T>, OpenError> {
    if !threads || items.len() < 2 {
        return items.iter().map(work).collect();
    }
    let runs: Vec<&[I]> = items.chunks(RUN.min(items.len().div_ceil(THREADS))).collect();
    let next = AtomicUsize::new(0);
    let done: Mutex<BTreeMap<usize, Result<Vec<T>, OpenError>>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..THREADS.min(runs.len()) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(run) = runs.get(number) else { return };
                    let results = run.iter().map(&work).collect();
                    done.lock().unwrap_or_else(PoisonError::into_inner).insert(number, results);
                }
            });
        }
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut all = Vec::with_capacity(items.len());
    for results in done.into_values() {
        all.extend(results?);
    }
    Ok(all)
}

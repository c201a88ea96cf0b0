//! Opening a directory: what is there becomes the index, what is no segment is set aside. Nothing is removed.

use super::{
    Shared,
    aligned::Pool,
    check::index_of,
    directory::{Directory, OpenError, Owner},
    epoch::Epoch,
    header::Record,
    index::Index,
    keys::Keys,
    log,
    reserve::Reserve,
    room::{Limits, Room},
    segment::{Sizes, is_solo},
    segments::{LogState, Segments},
    survey::{Log, Look, Survey, survey},
    tend::Garbage,
    work::{Work, Workers},
};
use crate::{
    disk::{Disk, Folder},
    metrics::StoreMetrics,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Instant,
};

pub(super) fn load(
    disk: Arc<dyn Disk>,
    owner: Owner,
    limits: Limits,
    metrics: StoreMetrics,
    work: Work,
    sizes: Sizes,
) -> Result<Shared, OpenError> {
    let begin = Instant::now();
    let directory = Directory::open(disk, owner)?;
    let epoch = Epoch::open(&**directory.disk())?;
    directory.set_leftovers_aside()?;
    let mut found = survey(&directory, Look { use_indexes: true, threads: work != Work::Inline })?;
    set_strangers_aside(&directory, &found)?;
    report(&found);
    let logs = states(&found);
    let of_logs: u64 = logs.values().map(|log| log.bytes).sum();
    let of_solos = found.living.iter().filter(|(_, entry)| is_solo(entry.location));
    let taken = of_logs + of_solos.map(|(_, entry)| entry.stored_bytes).sum::<u64>();
    let segments = Segments::new(logs, found.segment, sizes.log_bytes);
    segments.count_tombstones(needed_tombstones(&found));
    for log in std::mem::take(&mut found.logs) {
        let (id, indexed) = (log.id, log.indexed);
        if let Some(index) = index_of(owner, log).filter(|_| !indexed) {
            segments.seal(id, index);
        }
    }
    let garbage =
        found.dead.into_iter().map(|(name, segment)| Garbage::File { name, segment, bytes: 0 }).collect();
    let index = Index::of(found.living.into_iter());
    let quarantined = directory.names(Folder::Quarantine)?.len();
    metrics.quarantined.set(i64::try_from(quarantined).unwrap_or(i64::MAX));
    let reserve = Reserve::default();
    reserve.fill(&**directory.disk());
    let shards = index.totals().shards;
    tracing::info!(shards, taken_bytes = taken, quarantined, took = ?begin.elapsed(), "store opened");
    Ok(Shared {
        directory,
        index,
        segments,
        log: log::Log::new(found.sequence, found.missing),
        keys: Arc::new(Keys::default()),
        epoch,
        room: Room::new(limits, taken),
        reserve,
        garbage: Mutex::new(garbage),
        tending: AtomicBool::new(false),
        pool: Pool::default(),
        workers: Workers::new(work),
        sizes,
        metrics,
    })
}

fn set_strangers_aside(directory: &Directory, found: &Survey) -> Result<(), OpenError> {
    for name in &found.strangers {
        let kept = directory.set_aside(Folder::Segments, name);
        let kept = kept.map_err(OpenError::io(format!("set {} aside", name.display())))?;
        tracing::warn!(name = %name.display(), kept, "file that is no segment set aside");
    }
    Ok(())
}

/// Says what a person may want to look at.
fn report(found: &Survey) {
    for (key, _) in found.living.iter().filter(|(_, entry)| entry.shard.is_none()) {
        tracing::warn!(shard = %key, "shard does not verify");
    }
    for log in &found.logs {
        if log.known_damaged {
            tracing::error!(log = log.id, damaged = ?log.damaged, "a log holds bytes that are no record");
        }
        if !log.torn.is_empty() {
            tracing::warn!(log = log.id, torn = ?log.torn, "a batch was never finished; nobody was told that it was");
        }
    }
}

fn states(found: &Survey) -> BTreeMap<u64, LogState> {
    let mut states: BTreeMap<u64, LogState> = BTreeMap::new();
    for log in &found.logs {
        let state = LogState {
            bytes: log.end,
            replaces: log.replaces.clone(),
            headless: log.headless,
            sealed: true,
            damaged: log.known_damaged,
            ..LogState::default()
        };
        states.insert(log.id, state);
    }
    for (_, entry) in &found.living {
        if let Some(log) = states.get_mut(&entry.location.segment).filter(|_| !is_solo(entry.location)) {
            log.live_bytes += entry.stored_bytes;
        }
    }
    states
}

/// Tombstones whose targets may be on the disk: those, and the logs in which they lie.
fn needed_tombstones(found: &Survey) -> Vec<(u64, u64)> {
    let living = found.living.iter().map(|(_, entry)| entry.location.segment);
    let logs = found.logs.iter().map(|log| log.id);
    let there: BTreeSet<u64> = living.chain(logs).chain(found.dead.iter().map(|(_, id)| *id)).collect();
    let replaced: BTreeMap<u64, u64> =
        found.logs.iter().flat_map(|log| log.replaces.iter().map(|id| (*id, log.id))).collect();
    let of_log = |log: &Log| {
        let targets = log.records.iter().filter_map(Record::target).filter_map(|target| {
            let by = replaced.get(&target).copied();
            by.or(there.contains(&target).then_some(target))
        });
        targets.map(|target| (target, log.id)).collect::<Vec<_>>()
    };
    found.logs.iter().flat_map(of_log).collect()
}

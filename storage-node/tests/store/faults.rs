//! One fault at a time: what it spoils, and that it spoils nothing else.

use crate::bed::{NO_LIMITS, Random, SIZES, Sample, delete, has, key, open, open_with, owner, read, run};
use asterism_proto::ShardErrorKind;
use asterism_storage_node::{
    disk::{Fault, Folder, Operation, SimDisk},
    metrics::StoreMetrics,
    store::{Deleted, Limits, Store, Work},
};
use std::{ffi::OsString, sync::Arc};

fn sample(number: u64, extent_bytes: u64) -> Sample {
    Sample { key: key(number), extent_bytes, seed: number, epoch: 1 }
}

fn samples(numbers: std::ops::Range<u64>) -> Vec<Sample> {
    numbers.map(|number| sample(number, 1500 + number)).collect()
}

async fn put_all(store: &Store, samples: &[Sample]) {
    for sample in samples {
        sample.put(store).await.unwrap();
    }
}

async fn assert_all(store: &Store, samples: &[Sample]) {
    for sample in samples {
        assert!(has(store, sample).await, "{sample:?}");
    }
}

fn names(disk: &SimDisk, ending: &str) -> Vec<OsString> {
    let files = disk.files().into_iter().filter(|(folder, _)| *folder == Folder::Segments);
    files.map(|(_, name)| name).filter(|name| name.to_string_lossy().ends_with(ending)).collect()
}

#[test]
fn many_writers_share_one_sync() {
    run(async {
        let disk = SimDisk::new(1);
        let store = open(&disk).unwrap();
        sample(100, 10).put(&store).await.unwrap();
        let before = disk.count(Operation::Sync);
        let samples: Vec<Sample> = (0..32).map(|number| sample(number, 500)).collect();
        let results = futures::future::join_all(samples.iter().map(|sample| sample.put(&store))).await;
        assert!(results.into_iter().all(|result| result.is_ok()));
        let syncs = disk.count(Operation::Sync) - before;
        assert!((1..=4).contains(&syncs), "{syncs} syncs for 32 shards");
        assert_all(&store, &samples).await;
    });
}

#[test]
fn large_shards_have_files_of_their_own_that_go_with_them() {
    run(async {
        let disk = SimDisk::new(2);
        let store = open(&disk).unwrap();
        let used = disk.used_bytes();
        let large: Vec<Sample> = (0..6).map(|number| sample(number, 200_000)).collect();
        let results = futures::future::join_all(large.iter().map(|sample| sample.put(&store))).await;
        assert!(results.into_iter().all(|result| result.is_ok()));
        assert_all(&store, &large).await;
        assert_eq!(
            (names(&disk, ".log").len(), disk.files().iter().filter(|(f, _)| *f == Folder::Segments).count()),
            (0, 6)
        );
        for sample in &large {
            assert_eq!(delete(&store, sample.key, 1).await, Ok(Deleted::Removed));
        }
        let left = disk.used_bytes() - used;
        assert!(left <= SIZES.log_bytes, "{left} bytes of deleted shards are still taken");
    });
}

#[test]
fn a_failed_sync_spoils_its_batch_alone() {
    for (operation, seed) in [(Operation::Sync, 3), (Operation::Write, 4)] {
        run(async {
            let (disk, metrics) = (SimDisk::new(seed), StoreMetrics::default());
            let store = open_with(&disk, NO_LIMITS, metrics.clone()).unwrap();
            let before = samples(0..5);
            put_all(&store, &before).await;
            disk.inject(Fault::once(operation).on(".log"));
            let failed = sample(5, 700);
            assert_eq!(failed.put(&store).await.unwrap_err().kind, ShardErrorKind::Io);
            assert_eq!(read(&store, failed.key).await.unwrap(), None);
            assert_all(&store, &before).await;
            let after = samples(6..12);
            put_all(&store, &after).await;
            assert_eq!(delete(&store, failed.key, 1).await, Ok(Deleted::Absent));
            drop(store);
            disk.power_cut();
            let store = open(&disk).unwrap();
            assert_all(&store, &before).await;
            assert_all(&store, &after).await;
            assert_eq!(read(&store, failed.key).await.unwrap(), None, "a delete was acknowledged");
            failed.put(&store).await.unwrap();
            assert_eq!(metrics.poisoned.get(), 1);
        });
    }
}

#[test]
fn a_disk_that_cannot_be_read_proves_nothing() {
    run(async {
        let disk = SimDisk::new(5);
        let store = open(&disk).unwrap();
        for sample in [sample(1, 2000), sample(2, 200_000)] {
            sample.put(&store).await.unwrap();
            disk.inject(Fault::once(Operation::Read));
            assert_eq!(read(&store, sample.key).await.unwrap_err().kind, ShardErrorKind::Io);
            disk.inject(Fault::once(Operation::Read));
            assert_eq!(store.verify(sample.key).await.unwrap_err().error.kind, ShardErrorKind::Io);
            disk.inject(Fault::once(Operation::Read));
            assert_eq!(sample.put(&store).await.unwrap_err().kind, ShardErrorKind::Io);
            assert!(has(&store, &sample).await && store.verify(sample.key).await.is_ok());
        }
    });
}

/// Fills the disk with shards until it is full; gives back those that were taken.
async fn fill(store: &Store, numbers: &mut u64, extent_bytes: u64) -> Vec<Sample> {
    let mut stored = Vec::new();
    loop {
        *numbers += 1;
        let next = sample(*numbers, extent_bytes);
        match next.put(store).await {
            Ok(()) => stored.push(next),
            Err(error) => {
                assert_eq!(error.kind, ShardErrorKind::Full, "{error}");
                return stored;
            }
        }
    }
}

#[test]
fn a_full_disk_takes_deletes_and_then_shards_again() {
    for extent_bytes in [1000, 9_000, 150_000] {
        run(async {
            let disk = SimDisk::new(6);
            disk.set_capacity(10 << 20);
            let store = open(&disk).unwrap();
            let mut numbers = 0;
            for _ in 0..3 {
                let stored = fill(&store, &mut numbers, extent_bytes).await;
                assert!(stored.len() > 10, "{} of {extent_bytes}", stored.len());
                assert_all(&store, &stored).await;
                for (index, sample) in stored.iter().enumerate() {
                    assert_eq!(delete(&store, sample.key, 1).await, Ok(Deleted::Removed), "delete {index}");
                }
                store.tend().await.unwrap();
            }
            assert_eq!(store.usage().unwrap().shards, 0);
        });
    }
}

#[test]
fn an_operators_limit_holds_for_small_shards_too() {
    run(async {
        let disk = SimDisk::new(7);
        let limits = Limits { capacity_bytes: Some(1 << 20), reserve_bytes: 0 };
        let store = open_with(&disk, limits, StoreMetrics::default()).unwrap();
        let mut numbers = 0;
        let stored = fill(&store, &mut numbers, 3000).await;
        let usage = store.usage().unwrap();
        assert!(usage.used_bytes <= 1 << 20 && usage.free_bytes < 8192, "{usage:?}");
        assert_all(&store, &stored).await;
    });
}

#[test]
fn compaction_gives_room_back_and_readers_go_on() {
    run(async {
        let disk = SimDisk::new(8);
        let store = open(&disk).unwrap();
        let empty = disk.used_bytes();
        let samples: Vec<Sample> = (0..200).map(|number| sample(number, 2000)).collect();
        put_all(&store, &samples).await;
        store.tend().await.unwrap();
        let full = disk.used_bytes() - empty;
        let reader = store.get(samples[3].key).await.unwrap();
        let gone = samples.iter().filter(|sample| sample.seed % 8 != 3).map(|sample| sample.key);
        let outcomes = store.delete(gone.collect(), 1).await.unwrap();
        assert!(outcomes.iter().all(|outcome| *outcome == Deleted::Removed));
        store.tend().await.unwrap();
        let left = disk.used_bytes() - empty;
        assert!(left < full / 2, "{left} of {full} bytes are left");
        reader.verify().await.unwrap();
        let kept: Vec<Sample> = samples.iter().filter(|sample| sample.seed % 8 == 3).copied().collect();
        assert_all(&store, &kept).await;
        drop((reader, store));
        disk.power_cut();
        let store = open(&disk).unwrap();
        assert_all(&store, &kept).await;
        assert_eq!(store.usage().unwrap().shards, kept.len() as u64);
        // Nothing is left that compaction would do again and again.
        store.tend().await.unwrap();
        let changes = disk.changes();
        store.tend().await.unwrap();
        assert_eq!(disk.changes(), changes);
    });
}

#[test]
fn tombstones_go_when_nothing_is_left_that_they_are_against() {
    run(async {
        let disk = SimDisk::new(9);
        let store = open(&disk).unwrap();
        for round in 0..30 {
            let samples: Vec<Sample> = (0..40).map(|number| sample(round * 100 + number, 2000)).collect();
            put_all(&store, &samples).await;
            for sample in &samples {
                assert_eq!(delete(&store, sample.key, 1).await, Ok(Deleted::Removed));
            }
            store.close().await.unwrap();
        }
        let (logs, live, _) = store.logs();
        assert!(logs <= 4 && live <= 8192, "{logs} logs with {live} bytes of tombstones after 1200 deletes");
    });
}

/// A log of ten shards that was not closed, and its name.
async fn unclosed(disk: &SimDisk) -> (Vec<Sample>, OsString) {
    let store = open(disk).unwrap();
    let samples = samples(0..10);
    put_all(&store, &samples).await;
    drop(store);
    disk.kill();
    (samples, names(disk, ".log").remove(0))
}

#[test]
fn damage_in_the_middle_hides_nothing_behind_it() {
    for place in 0..10 {
        run(async {
            let disk = SimDisk::new(10);
            let (samples, log) = unclosed(&disk).await;
            // The header of one of them: what it was can't be told any more.
            assert!(disk.flip(Folder::Segments, &log, 4096 + 4096 * place + 40, 3));
            let store = open(&disk).unwrap();
            for (index, sample) in samples.iter().enumerate().filter(|(index, _)| *index as u64 != place) {
                assert!(has(&store, sample).await, "shard {index} behind damage at {place}");
            }
            assert_eq!(read(&store, samples[place as usize].key).await.unwrap(), None);
        });
    }
}

#[test]
fn a_bad_cell_is_damage_unless_its_batch_was_never_finished() {
    run(async {
        let disk = SimDisk::new(11);
        let (samples, log) = unclosed(&disk).await;
        for place in [3, 9] {
            assert!(disk.flip(Folder::Segments, &log, 4096 + 4096 * place + 600, 3));
        }
        let store = open(&disk).unwrap();
        assert_eq!(read(&store, samples[3].key).await.unwrap_err().kind, ShardErrorKind::Corrupt);
        assert_eq!(read(&store, samples[9].key).await.unwrap(), None, "the last batch looks torn");
        assert!(has(&store, &samples[8]).await);
    });
}

#[test]
fn a_put_that_was_never_finished_is_not_taken_for_damage_later() {
    run(async {
        let disk = SimDisk::new(14);
        let store = open(&disk).unwrap();
        let first = samples(0..5);
        put_all(&store, &first).await;
        // Its first record stays in the log, dead, under a lower number than the one that is torn.
        delete(&store, first[4].key, 1).await.unwrap();
        let again = Sample { seed: 99, ..first[4] };
        again.put(&store).await.unwrap();
        drop(store);
        disk.kill();
        let log = names(&disk, ".log").remove(0);
        assert!(disk.flip(Folder::Segments, &log, 4096 * 7 + 600, 3));
        // Without an index every start reads the log anew.
        disk.inject(Fault::once(Operation::Create).on(".index").times(u64::MAX));
        for round in 0..3 {
            let store = open(&disk).unwrap();
            assert_eq!(read(&store, again.key).await.unwrap(), None, "round {round}");
            assert_all(&store, &first[..4]).await;
            put_all(&store, &samples(round * 10 + 10..round * 10 + 15)).await;
            drop(store);
            disk.kill();
        }
        let store = open(&disk).unwrap();
        first[4].put(&store).await.unwrap();
        assert_all(&store, &first).await;
    });
}

#[test]
fn a_delete_that_failed_does_not_come_true_after_compaction() {
    let mut reached = 0;
    for seed in 0..16 {
        run(async {
            let disk = SimDisk::new(seed);
            let store = open(&disk).unwrap();
            let kept = samples(0..5);
            put_all(&store, &kept).await;
            store.close().await.unwrap();
            let others = samples(10..20);
            put_all(&store, &others).await;
            disk.inject(Fault::once(Operation::Create).on(".index").times(u64::MAX));
            disk.inject(Fault::once(Operation::Sync).on(".log"));
            disk.inject(Fault::once(Operation::SetLength).on(".log"));
            assert_eq!(delete(&store, kept[2].key, 1).await, Ok(Deleted::Failed));
            // It is the same again: acknowledged, and what is in doubt is settled with it.
            kept[2].put(&store).await.unwrap();
            drop(store);
            disk.kill();
            disk.heal();
            let second = disk.bytes(Folder::Segments, &names(&disk, ".log")[1]).unwrap();
            reached += u32::from(second[4096 * 11..].starts_with(b"ASTERREC"));
            let store = open(&disk).unwrap();
            for other in &others[1..] {
                delete(&store, other.key, 1).await.unwrap();
            }
            store.close().await.unwrap();
            store.tend().await.unwrap();
            drop(store);
            disk.kill();
            let store = open(&disk).unwrap();
            assert_all(&store, &kept).await;
        });
    }
    assert!(reached > 0, "the tombstone never reached the disk: nothing was tried");
}

#[test]
fn whatever_stands_at_the_end_of_a_log_is_no_shard() {
    type Spoil = fn(&[u8]) -> Vec<u8>;
    let tails: [(&str, Spoil); 4] = [
        ("zeros", |_| vec![0; 10_000]),
        ("noise", |_| {
            let mut random = Random(9);
            (0..10_000).map(|_| random.next() as u8).collect()
        }),
        ("the last record again", |log| log[4096 * 10..4096 * 11].to_vec()),
        ("the whole log again", |log| log[4096..4096 * 11].to_vec()),
    ];
    for (name, tail) in tails {
        run(async {
            let disk = SimDisk::new(12);
            let (samples, log) = unclosed(&disk).await;
            let bytes = disk.bytes(Folder::Segments, &log).unwrap();
            let tail = tail(&bytes);
            let room = (bytes.len() - 4096 * 11).min(tail.len());
            assert!(disk.overwrite(Folder::Segments, &log, 4096 * 11, &tail[..room]));
            for _ in 0..2 {
                let store = open(&disk).unwrap();
                assert_all(&store, &samples).await;
                assert_eq!(store.usage().unwrap().shards, 10, "{name}");
                store.close().await.unwrap();
                drop(store);
                disk.power_cut();
            }
        });
    }
}

#[test]
fn a_log_of_another_node_or_cluster_is_set_aside() {
    run(async {
        let (disk, other) = (SimDisk::new(13), SimDisk::new(14));
        let (samples, log) = unclosed(&disk).await;
        let mut stranger = owner();
        stranger.node = asterism_proto::NodeId::from_bytes([1; 16]);
        let store = Store::open_sized(
            Arc::new(other.clone()),
            stranger,
            NO_LIMITS,
            StoreMetrics::default(),
            Work::Inline,
            SIZES,
        );
        put_all(&store.unwrap(), &samples[..1]).await;
        let foreign = other.bytes(Folder::Segments, &log).unwrap();
        assert!(disk.overwrite(Folder::Segments, &log, 0, &foreign[..4096]));
        let store = open(&disk).unwrap();
        assert_eq!(store.usage().unwrap().shards, 0);
        assert_eq!(disk.files().iter().filter(|(folder, _)| *folder == Folder::Quarantine).count(), 1);
    });
}

#[test]
fn a_start_reads_indexes_and_not_logs() {
    run(async {
        let disk = SimDisk::new(15);
        let store = open(&disk).unwrap();
        let samples: Vec<Sample> = (0..150).map(|number| sample(number, 2000)).collect();
        put_all(&store, &samples).await;
        store.close().await.unwrap();
        drop(store);
        disk.kill();
        let logs = names(&disk, ".log").len() as u64;
        assert!(logs > 3 && names(&disk, ".index").len() as u64 == logs);
        let before = disk.count(Operation::Read);
        let store = open(&disk).unwrap();
        let reads = disk.count(Operation::Read) - before;
        assert!(reads <= logs + 4, "{reads} reads to open {logs} logs");
        assert_all(&store, &samples).await;
        // Without its index each log is read, and says the same.
        drop(store);
        disk.kill();
        for index in names(&disk, ".index") {
            assert!(disk.flip(Folder::Segments, &index, 70, 1));
        }
        let store = open(&disk).unwrap();
        assert_all(&store, &samples).await;
    });
}

//! A full node says so before anything is acknowledged, keeps what it has, and takes more as soon as there is room.

use crate::{
    bed::{Bed, counts},
    binary::{connect, seen_by, spawn_on_tmpfs, write_config},
    sample::{Sample, assert_stored, delete, put, put_all},
};
use asterism_erasure::Policy;
use asterism_proto::{
    ShardErrorKind,
    storage::{StatRequest, delete_result::Outcome as Deleted},
};

const MEBIBYTE: u64 = 1 << 20;

fn of_bytes(bed: &Bed, bytes: u64) -> Sample {
    Sample::new(bed.cluster(), Policy::new(1, 0).unwrap(), 256 << 10, bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_beyond_the_capacity_is_full_and_a_delete_makes_room() {
    let bed = Bed::new();
    let mut config = bed.config("n1");
    config.capacity_bytes = Some(10 * MEBIBYTE);
    let node = crate::bed::Node::start(config).await;
    let client = bed.client(&node);
    let kept = [of_bytes(&bed, 4 * MEBIBYTE), of_bytes(&bed, 4 * MEBIBYTE)];
    put_all(&client, &kept).await;
    // Refused at once, in the middle, and at the very end.
    for bytes in [16 * MEBIBYTE, 3 * MEBIBYTE, 2 * MEBIBYTE] {
        let error = put(&client, &of_bytes(&bed, bytes)).await.unwrap_err();
        assert_eq!(error.kind, ShardErrorKind::Full, "{bytes}");
        assert_eq!(counts(node.directory()), (2, 0, 0));
    }
    for sample in &kept {
        assert_stored(&client, sample).await;
    }
    let stat = client.clone().stat(StatRequest {}).await.unwrap().into_inner();
    assert_eq!((stat.capacity_bytes, stat.used_bytes + stat.free_bytes), (10 * MEBIBYTE, 10 * MEBIBYTE));
    assert_eq!(delete(&client, vec![kept[0].key()], 1).await.unwrap(), [Deleted::Removed]);
    put_all(&client, &[of_bytes(&bed, 5 * MEBIBYTE)]).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_together_do_not_pass_the_capacity() {
    let bed = Bed::new();
    let mut config = bed.config("n1");
    config.capacity_bytes = Some(10 * MEBIBYTE);
    let node = crate::bed::Node::start(config).await;
    let client = bed.client(&node);
    let samples: Vec<Sample> = (0..16).map(|_| of_bytes(&bed, 2 * MEBIBYTE)).collect();
    let results = futures::future::join_all(samples.iter().map(|sample| put(&client, sample))).await;
    let mut stored = 0;
    for (sample, result) in samples.iter().zip(results) {
        match result {
            Ok(_) => {
                assert_stored(&client, sample).await;
                stored += 1;
            }
            Err(error) => assert_eq!(error.kind, ShardErrorKind::Full),
        }
    }
    assert!((0..=4).contains(&stored), "{stored} of 2 MiB each in 10 MiB");
    assert_eq!(counts(node.directory()), (stored, 0, 0));
    // With the others out of the way there is room again: nothing of the refused ones is still counted.
    while stored < 4 {
        put(&client, &of_bytes(&bed, 2 * MEBIBYTE)).await.unwrap();
        stored += 1;
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reserve_is_kept_and_deletes_still_work() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let sample = Sample::small(bed.cluster());
    put(&bed.client(&node), &sample).await.unwrap();
    let mut config = node.stop().await;
    // More than any file system has free: the node is as full as can be.
    config.reserve_bytes = u64::MAX;
    let node = crate::bed::Node::start(config).await;
    let client = bed.client(&node);
    assert_eq!(put(&client, &Sample::small(bed.cluster())).await.unwrap_err().kind, ShardErrorKind::Full);
    assert_stored(&client, &sample).await;
    assert_eq!(delete(&client, vec![sample.key()], 9).await.unwrap(), [Deleted::Removed]);
    assert_eq!(counts(node.directory()), (0, 0, 0));
    let stat = client.clone().stat(StatRequest {}).await.unwrap().into_inner();
    assert_eq!((stat.free_bytes, stat.shards, stat.epoch), (0, 0, 9));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_system_that_runs_full_under_many_writers_loses_nothing() {
    let bed = Bed::new();
    let config = bed.config("n1");
    std::fs::create_dir(&config.data_dir).unwrap();
    let path = write_config(&bed, &config);
    let running = spawn_on_tmpfs(&bed, &path, &config.data_dir, 24 * MEBIBYTE);
    let client = connect(&bed, &running).await;
    let directory = seen_by(&running, &config.data_dir);
    let mut stored = Vec::new();
    // Twice: what the first round took is deleted while the disk is full, and there is room again without a restart.
    for _ in 0..2 {
        let samples: Vec<Sample> = (0..32).map(|_| of_bytes(&bed, 3 * MEBIBYTE)).collect();
        let results = futures::future::join_all(samples.iter().map(|sample| put(&client, sample))).await;
        for (sample, result) in samples.into_iter().zip(results) {
            match result {
                Ok(_) => stored.push(sample),
                Err(error) => assert_eq!(error.kind, ShardErrorKind::Full, "{error}"),
            }
        }
        // Alone, each next one fits or not; at last none does.
        loop {
            let sample = of_bytes(&bed, MEBIBYTE);
            match put(&client, &sample).await {
                Ok(_) => stored.push(sample),
                Err(error) => break assert_eq!(error.kind, ShardErrorKind::Full, "{error}"),
            }
        }
        assert_eq!(counts(&directory), (stored.len(), 0, 0));
        for sample in &stored {
            assert_stored(&client, sample).await;
        }
        let keys: Vec<_> = stored.drain(..).map(|sample| sample.key()).collect();
        assert!(keys.len() >= 7, "{} shards in 24 MiB", keys.len());
        let removed = delete(&client, keys, 1).await.unwrap();
        assert!(removed.iter().all(|outcome| *outcome == Deleted::Removed), "{removed:?}");
    }
    assert_eq!(counts(&directory), (0, 0, 0));
}

//! What is put is read back.

use crate::{
    bed::{Bed, counts},
    sample::{Sample, assert_stored, delete, get, list, put, put_all, verify},
};
use asterism_erasure::{CELL_BYTES_MAX, Policy, SHARDS_MAX};
use asterism_proto::{
    ExtentId, ShardErrorKind,
    storage::{StatRequest, delete_result::Outcome as Deleted, verify_result::Outcome as Verified},
};
use proptest::prelude::*;

#[tokio::test(flavor = "multi_thread")]
async fn sizes_around_every_edge_are_read_back() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    let policy = Policy::new(4, 2).unwrap();
    let stripe = 4 * 65_536;
    for extent_bytes in [0, 1, 3, 4, 5, stripe - 1, stripe, stripe + 1, 10 * stripe + 1, 64 << 20] {
        let sample = Sample::new(bed.cluster(), policy, 65_536, extent_bytes);
        let bytes: usize = sample.cells.iter().map(|cell| cell.data.len()).sum();
        assert_eq!(put(&client, &sample).await, Ok(bytes as u64), "{extent_bytes}");
        assert_stored(&client, &sample).await;
    }
    let largest = Sample::new(bed.cluster(), Policy::new(1, 0).unwrap(), CELL_BYTES_MAX, 64 << 20);
    put_all(&client, std::slice::from_ref(&largest)).await;
    assert_stored(&client, &largest).await;
    assert_eq!(counts(node.directory()), (11, 0, 0));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_brings_its_cells_alone() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    let sample = Sample::small(bed.cluster());
    put_all(&client, std::slice::from_ref(&sample)).await;
    for (first, count, expected) in [(0, 1, 0..1), (1, 2, 1..3), (2, 0, 2..4), (3, 1, 3..4), (4, 0, 4..4)] {
        let found = get(&client, sample.key(), first, count).await.unwrap();
        assert_eq!(found.cells, sample.cells[expected], "{first} {count}");
    }
    for (first, count) in [(5, 0), (4, 1), (0, 5), (1, u32::MAX), (u32::MAX, u32::MAX)] {
        let refused = get(&client, sample.key(), first, count).await.unwrap_err();
        assert_eq!(refused.kind, ShardErrorKind::Invalid, "{first} {count}");
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_is_written_once() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    let sample = Sample::small(bed.cluster());
    let bytes = put(&client, &sample).await.unwrap();
    assert_eq!(put(&client, &sample).await, Ok(bytes), "the same again");
    let extent = ExtentId::try_from(&sample.key().extent[..]).unwrap();
    let mut other = Sample::of(bed.cluster(), extent, Policy::new(4, 2).unwrap(), 0, 512, 9000);
    other.header.epoch = sample.header.epoch;
    assert_eq!(put(&client, &other).await.unwrap_err().kind, ShardErrorKind::Invalid);
    assert_stored(&client, &sample).await;
    assert_eq!(counts(node.directory()), (1, 0, 0));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_writers_of_one_shard_both_succeed() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    for _ in 0..20 {
        let sample = Sample::small(bed.cluster());
        let writers = (0..4).map(|_| put(&client, &sample));
        for result in futures::future::join_all(writers).await {
            assert!(result.is_ok(), "{result:?}");
        }
        assert_stored(&client, &sample).await;
    }
    assert_eq!(counts(node.directory()), (20, 0, 0));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_are_listed_verified_counted_and_deleted() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    let mut samples: Vec<Sample> = (0..40).map(|_| Sample::small(bed.cluster())).collect();
    put_all(&client, &samples).await;
    samples.sort_by_key(|sample| (sample.key().extent, sample.key().slot));
    let keys: Vec<_> = samples.iter().map(Sample::key).collect();
    assert_eq!(list(&client, None).await, keys);
    assert_eq!(list(&client, Some(keys[10].clone())).await, keys[11..]);
    assert_eq!(list(&client, Some(keys[39].clone())).await, []);

    let stat = client.clone().stat(StatRequest {}).await.unwrap().into_inner();
    assert_eq!((stat.shards, stat.node, stat.cluster), (40, node.id.to_string(), bed.cluster().to_string()));
    // One after another: each has a block of its own, behind the log's first one.
    assert_eq!(stat.used_bytes, 41 * 4096);

    let absent = Sample::small(bed.cluster()).key();
    let asked = vec![keys[3].clone(), absent.clone(), keys[4].clone()];
    assert_eq!(verify(&client, asked.clone()).await, [Verified::Valid, Verified::Absent, Verified::Valid]);
    let gone = [Deleted::Removed, Deleted::Absent, Deleted::Removed];
    assert_eq!(delete(&client, asked.clone(), 1).await.unwrap(), gone);
    assert_eq!(delete(&client, asked, 1).await.unwrap(), [Deleted::Absent; 3]);
    assert_eq!(get(&client, keys[3].clone(), 0, 0).await.unwrap_err().kind, ShardErrorKind::NotFound);
    assert_eq!(list(&client, None).await.len(), 38);
    assert_eq!(counts(node.directory()), (38, 0, 0));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_longer_than_a_page_is_whole() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    let policy = Policy::new(1, 31).unwrap();
    let samples: Vec<Sample> = (0..1100 / SHARDS_MAX)
        .map(|_| ExtentId::random())
        .flat_map(|extent| (0..32).map(move |slot| (extent, slot)))
        .map(|(extent, slot)| Sample::of(bed.cluster(), extent, policy, slot, 16, 20))
        .collect();
    assert!(samples.len() > 1024);
    let writers = samples.chunks(samples.len() / 16 + 1).map(|part| put_all(&client, part));
    futures::future::join_all(writers).await;
    let keys = list(&client, None).await;
    assert_eq!(keys.len(), samples.len());
    assert!(keys.is_sorted_by_key(|key| (key.extent.clone(), key.slot)));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_everything() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let samples: Vec<Sample> = (0..30).map(|_| Sample::small(bed.cluster())).collect();
    let client = bed.client(&node);
    put_all(&client, &samples).await;
    let before = client.clone().stat(StatRequest {}).await.unwrap().into_inner();
    drop(client);

    let node = crate::bed::Node::start(node.stop().await).await;
    let client = bed.client(&node);
    for sample in &samples {
        assert_stored(&client, sample).await;
    }
    let after = client.clone().stat(StatRequest {}).await.unwrap().into_inner();
    assert_eq!(
        (after.shards, after.used_bytes, after.node, after.epoch),
        (before.shards, before.used_bytes, before.node, before.epoch)
    );
    assert_eq!(counts(node.directory()), (30, 0, 0));
    node.stop().await;
}

/// Any policy, cell and extent size, and any range of its cells.
fn shapes() -> impl Strategy<Value = (Policy, u8, usize, u64, f64, f64)> {
    let policies = (1..=SHARDS_MAX).prop_flat_map(|data| (Just(data), 0..=SHARDS_MAX - data));
    policies.prop_flat_map(|(data, parity)| {
        let policy = Policy::new(data, parity).unwrap();
        let cell_bytes = prop_oneof![1..64usize, 1..=CELL_BYTES_MAX];
        let slot = 0..policy.total() as u8;
        (Just(policy), slot, cell_bytes, 0.0..1.0f64, 0.0..1.0f64, 0.0..1.0f64).prop_map(
            |(policy, slot, cell_bytes, size, from, to)| {
                // Up to some stripes, so that tiny cells do not make a million of them.
                let largest = (policy.data() * cell_bytes * 40).min(1 << 22) as f64;
                (policy, slot, cell_bytes, (size * largest) as u64, from, to)
            },
        )
    })
}

#[test]
fn any_shard_and_any_range_of_it_is_read_back() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _context = runtime.enter();
    let bed = Bed::new();
    let node = runtime.block_on(bed.start("n1"));
    let client = bed.client(&node);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) };
    proptest!(config, |((policy, slot, cell_bytes, extent_bytes, from, to) in shapes())| {
        runtime.block_on(async {
            let extent = ExtentId::random();
            let sample = Sample::of(bed.cluster(), extent, policy, slot, cell_bytes, extent_bytes);
            put(&client, &sample).await.unwrap();
            assert_stored(&client, &sample).await;
            let cells = sample.cells.len();
            let first = (from * cells as f64) as usize;
            let count = (to * (cells - first) as f64) as usize;
            let end = if count == 0 { cells } else { first + count };
            let found = get(&client, sample.key(), first as u32, count as u32).await.unwrap();
            assert!(found.cells == sample.cells[first..end]);
            assert_eq!(verify(&client, vec![sample.key()]).await, [Verified::Valid]);
        });
    });
    runtime.block_on(node.stop());
}

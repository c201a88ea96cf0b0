//! Extents over faulty nodes: what was written is read back, or the failure is clear.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use asterism_cluster::{
    Extent, ExtentWriter, HedgeDelay, ReadError, Reader, RebuildError, Shards, StripePool, WriteError,
    Written,
    memory::{Fault, MemoryShards},
    rebuild,
};
use asterism_proto::{ClusterId, ExtentId, NodeId, ShardErrorKind};
use bytes::Bytes;
use proptest::prelude::*;
use std::{ops::Range, sync::Arc, time::Duration};

const CELL: usize = 64;

struct Bed {
    nodes: MemoryShards,
    shards: Arc<dyn Shards>,
    extent: Extent,
}

impl Bed {
    fn new(policy: &str) -> Self {
        let policy: asterism_erasure::Policy = policy.parse().unwrap();
        let nodes = MemoryShards::default();
        let extent = Extent {
            cluster: ClusterId::random(),
            id: ExtentId::random(),
            policy,
            cell_bytes: CELL,
            nodes: (0..policy.total()).map(|i| NodeId::from_bytes([i as u8 + 1; 16])).collect(),
        };
        Self { shards: Arc::new(nodes.clone()), nodes, extent }
    }

    fn fault(&self, slots: &[usize], fault: Fault) {
        slots.iter().for_each(|&slot| self.nodes.set_fault(self.extent.nodes[slot], fault));
    }

    async fn write(&self, content: &[u8]) -> Result<Written, WriteError> {
        let mut writer = ExtentWriter::begin(&self.shards, self.extent.clone(), 1, |_| true)?;
        for stripe in content.chunks(CELL * self.extent.policy.data()) {
            writer.write_stripe(Bytes::copy_from_slice(stripe)).await?;
        }
        writer.finish().await
    }

    fn reader(&self, bytes: usize, range: Range<u64>) -> Reader {
        let order = 0..self.extent.policy.total();
        let hedge = Arc::new(HedgeDelay::default());
        Reader::new(Arc::clone(&self.shards), self.extent.clone(), bytes as u64, range, order, hedge).unwrap()
    }

    async fn read(&self, bytes: usize, range: Range<u64>) -> Result<Vec<u8>, ReadError> {
        let mut reader = self.reader(bytes, range);
        let mut content = Vec::new();
        while let Some(pieces) = reader.next().await {
            pieces?.iter().for_each(|piece| content.extend_from_slice(piece));
        }
        Ok(content)
    }
}

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| (i * 31 + i / 251) as u8).collect()
}

async fn check_losses(policy: &str, bytes: usize) {
    let bed = Bed::new(policy);
    let content = content(bytes);
    assert_eq!(bed.write(&content).await.unwrap(), Written { extent_bytes: bytes as u64, missing: vec![] });
    let total = bed.extent.policy.total();
    for first in 0..total {
        for second in 0..total {
            bed.fault(&[first, second], Fault::Down);
            assert_eq!(
                bed.read(bytes, 0..bytes as u64).await.unwrap(),
                content,
                "without {first} and {second}"
            );
            bed.fault(&[first, second], Fault::None);
        }
    }
}

#[tokio::test]
async fn any_two_of_six_may_be_lost() {
    for bytes in [1, CELL - 1, CELL, 4 * CELL - 1, 4 * CELL, 4 * CELL + 1, 40 * CELL + 1] {
        check_losses("4+2", bytes).await;
    }
}

#[tokio::test]
async fn copies_may_lose_any_two_of_three() {
    check_losses("1+2", 3 * CELL + 5).await;
}

#[tokio::test]
async fn an_empty_range_needs_no_node() {
    let bed = Bed::new("4+2");
    bed.fault(&[0, 1, 2, 3, 4, 5], Fault::Down);
    assert_eq!(bed.read(1000, 10..10).await.unwrap(), b"");
}

#[tokio::test]
async fn one_node_short_is_written_and_said() {
    let bed = Bed::new("4+2");
    bed.fault(&[3], Fault::Down);
    let written = bed.write(&content(1000)).await.unwrap();
    assert_eq!(written.missing.iter().map(|(slot, _)| *slot).collect::<Vec<_>>(), [3]);
    assert_eq!(bed.nodes.census(&bed.extent), 5);
}

#[tokio::test]
async fn below_the_floor_is_refused() {
    for fault in [Fault::Down, Fault::Full, Fault::DiesAfter(0), Fault::DiesAfter(2)] {
        let bed = Bed::new("4+2");
        bed.fault(&[0, 5], fault);
        let error = bed.write(&content(4000)).await.unwrap_err();
        assert!(matches!(error, WriteError::TooFew { durable: 4, floor: 5, .. }), "{fault:?}: {error}");
        assert_eq!(error.is_full(), fault == Fault::Full);
    }
}

#[tokio::test]
async fn a_writer_that_goes_away_leaves_nothing() {
    let bed = Bed::new("4+2");
    let mut writer = ExtentWriter::begin(&bed.shards, bed.extent.clone(), 1, |_| true).unwrap();
    writer.write_stripe(content(4 * CELL).into()).await.unwrap();
    drop(writer);
    tokio::task::yield_now().await;
    assert_eq!(bed.nodes.census(&bed.extent), 0);
}

#[tokio::test]
async fn three_lost_is_a_clear_error_and_readable_again_when_one_returns() {
    let bed = Bed::new("4+2");
    let content = content(2000);
    bed.write(&content).await.unwrap();
    bed.fault(&[0, 2, 4], Fault::Down);
    let error = bed.read(2000, 0..2000).await.unwrap_err();
    assert!(matches!(error, ReadError::TooFew { readable: 3, needed: 4 }), "{error}");
    bed.fault(&[2], Fault::None);
    assert_eq!(bed.read(2000, 0..2000).await.unwrap(), content);
}

#[tokio::test]
async fn a_node_that_dies_in_the_middle_is_replaced_in_the_middle() {
    let bed = Bed::new("4+2");
    let content = content(40 * CELL);
    bed.write(&content).await.unwrap();
    bed.fault(&[1, 2], Fault::DiesAfter(5));
    let mut reader = bed.reader(content.len(), 0..content.len() as u64);
    let mut read = Vec::new();
    while let Some(pieces) = reader.next().await {
        pieces.unwrap().iter().for_each(|piece| read.extend_from_slice(piece));
    }
    assert_eq!(read, content);
    let faults: Vec<_> = reader.take_faults().into_iter().map(|(slot, error)| (slot, error.kind)).collect();
    assert_eq!(faults, [(1, ShardErrorKind::Unavailable), (2, ShardErrorKind::Unavailable)]);
}

#[tokio::test]
async fn flipped_and_misplaced_cells_are_seen_named_and_never_served() {
    let bed = Bed::new("4+2");
    let content = content(10 * CELL);
    bed.write(&content).await.unwrap();
    assert!(bed.nodes.flip(bed.extent.nodes[0], bed.extent.key(0), 1, 7));
    let (node, slot) = (bed.extent.nodes[1], bed.extent.key(1));
    bed.nodes.misplace(node, slot, bed.extent.key(0));
    let mut reader = bed.reader(content.len(), 0..content.len() as u64);
    let mut read = Vec::new();
    while let Some(pieces) = reader.next().await {
        pieces.unwrap().iter().for_each(|piece| read.extend_from_slice(piece));
    }
    assert_eq!(read, content);
    let faults: Vec<_> = reader.take_faults().into_iter().map(|(slot, error)| (slot, error.kind)).collect();
    assert_eq!(faults, [(0, ShardErrorKind::Corrupt)]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_costs_one_hedge_delay_not_a_timeout() {
    let bed = Bed::new("4+2");
    let content = content(20 * CELL);
    bed.write(&content).await.unwrap();
    bed.fault(&[0, 3], Fault::Silent);
    let began = tokio::time::Instant::now();
    assert_eq!(bed.read(content.len(), 0..content.len() as u64).await.unwrap(), content);
    assert!(began.elapsed() <= Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_does_not_hold_a_write_for_ever() {
    let bed = Bed::new("4+2");
    bed.fault(&[2], Fault::Silent);
    let written = bed.write(&content(100 * CELL)).await.unwrap();
    assert_eq!(written.missing.len(), 1);
    assert_eq!(bed.nodes.census(&bed.extent), 5);
}

#[tokio::test]
async fn a_lost_shard_is_rebuilt_from_exactly_k_good_ones() {
    let bed = Bed::new("4+2");
    let content = content(33 * CELL + 3);
    bed.write(&content).await.unwrap();
    bed.nodes.wipe(bed.extent.nodes[0]);
    bed.nodes.wipe(bed.extent.nodes[5]);
    assert_eq!(bed.nodes.census(&bed.extent), 4);
    for slot in [5, 0] {
        rebuild(&bed.shards, &bed.extent, content.len() as u64, slot, 0..6, 2).await.unwrap();
    }
    assert_eq!(bed.nodes.census(&bed.extent), 6);
    bed.fault(&[1, 2], Fault::Down);
    assert_eq!(bed.read(content.len(), 0..content.len() as u64).await.unwrap(), content);
}

#[tokio::test]
async fn a_rebuild_without_sources_touches_nothing() {
    let bed = Bed::new("4+2");
    bed.write(&content(1000)).await.unwrap();
    bed.nodes.wipe(bed.extent.nodes[0]);
    bed.fault(&[1, 2], Fault::Down);
    let error = rebuild(&bed.shards, &bed.extent, 1000, 0, 0..6, 2).await.unwrap_err();
    assert!(matches!(error, RebuildError::TooFew { readable: 3, needed: 4 }), "{error}");
    assert_eq!(bed.nodes.count(bed.extent.nodes[0]), 0);
}

#[tokio::test]
async fn an_older_epoch_is_refused() {
    let bed = Bed::new("4+2");
    bed.write(&content(1000)).await.unwrap();
    let (node, key) = (bed.extent.nodes[0], bed.extent.key(0));
    assert_eq!(bed.shards.delete(node, vec![], 9).await, Ok(vec![]));
    let error = bed.shards.delete(node, vec![key], 8).await.unwrap_err();
    assert_eq!(error.kind, ShardErrorKind::Stale);
    assert_eq!(bed.nodes.census(&bed.extent), 6);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn every_range_reads_as_it_was_written(
        bytes in 0usize..3000, a in 0usize..3001, b in 0usize..3001, k in 1usize..6, m in 1usize..4, seed: u64,
    ) {
        let range = a.min(b).min(bytes)..a.max(b).min(bytes);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bed = Bed::new(&format!("{k}+{m}"));
            let content = content(bytes);
            bed.write(&content).await.unwrap();
            let lost: Vec<usize> = (0..m).map(|i| (seed as usize).wrapping_add(i * 7) % (k + m)).collect();
            bed.fault(&lost, Fault::Down);
            let read = bed.read(bytes, range.start as u64..range.end as u64).await.unwrap();
            assert_eq!(read, &content[range]);
        });
    }
}

#[tokio::test]
async fn a_small_extent_goes_out_at_once_with_its_end() {
    for (policy, bytes) in [("1+2", 50), ("4+2", 50), ("4+2", 1), ("1+2", CELL)] {
        let bed = Bed::new(policy);
        bed.fault(&[1], Fault::Down);
        let mut writer = ExtentWriter::begin(&bed.shards, bed.extent.clone(), 1, |_| true).unwrap();
        writer.write_only(content(bytes).into()).await.unwrap();
        let written = writer.finish().await.unwrap();
        let missing: Vec<u8> = written.missing.iter().map(|(slot, _)| *slot).collect();
        assert_eq!((written.extent_bytes, missing), (bytes as u64, vec![1]), "{policy}");
        assert_eq!(bed.read(bytes, 0..bytes as u64).await.unwrap(), content(bytes), "{policy}");
    }
}

#[tokio::test]
async fn what_was_written_out_of_buffers_is_read_back_with_two_shards_lost() {
    let stripe = 4 * CELL;
    for bytes in [1, CELL, stripe - 1, stripe, stripe + 1, 5 * stripe + 7] {
        let bed = Bed::new("4+2");
        let pool = StripePool::new(bed.extent.policy, CELL, 0);
        let buffers = pool.available();
        let mut writer = ExtentWriter::begin(&bed.shards, bed.extent.clone(), 1, |_| true).unwrap();
        let mut rest = Bytes::from(content(bytes));
        while !rest.is_empty() {
            let mut buffer = pool.take().await;
            buffer.fill(&mut rest);
            writer.write_buffer(buffer).await.unwrap();
        }
        let written = writer.finish().await.unwrap();
        assert_eq!(written, Written { extent_bytes: bytes as u64, missing: vec![] });
        assert_eq!(pool.available(), buffers, "every buffer came back");
        bed.fault(&[0, 3], Fault::Down);
        assert_eq!(bed.read(bytes, 0..bytes as u64).await.unwrap(), content(bytes), "{bytes} bytes");
    }
}

//! The background work, one pass at a time.

use super::{
    WorkerState,
    deletion::Deletion,
    graph::Projection,
    moves::{Moves, Moving},
    repair::Repair,
    tagging::Tagging,
};
use crate::{
    catalog::{Catalog, NewExtent, Role, TagState, Topic},
    events::{Event, Events},
    files::Extents,
    graph::TagGraph,
    test_bed::{ClusterBed, noise},
};
use asterism_cluster::{Extent, memory::Fault, placement};
use asterism_proto::ExtentId;
use asterism_tagger::Pool;
use std::{sync::Arc, time::Duration};

/// Shards that must go go, as far as their nodes are there.
pub(crate) async fn delete(extents: &Extents) {
    let worker = Deletion { extents: extents.clone(), state: WorkerState::new("deletion") };
    while worker.pass().await.unwrap() {}
}

/// Everything is moved that should be, as far as its nodes are there.
pub(crate) async fn settle(extents: &Extents) {
    let worker = Moves {
        extents: extents.clone(),
        state: WorkerState::new("moves"),
        moving: Moving::new(1 << 40),
        patience: Duration::ZERO,
    };
    while worker.pass().await.unwrap() {}
}

/// Brings the graph up to date.
pub(crate) async fn project(catalog: &Catalog, graph: &Arc<dyn TagGraph>) {
    let worker = Projection::new(catalog.clone(), Arc::clone(graph), WorkerState::new("graph"));
    while worker.pass().await.unwrap() {}
}

async fn with_ada() -> ClusterBed {
    let bed = ClusterBed::start().await;
    bed.user("ada", Role::Editor).await;
    bed
}

fn repair(bed: &ClusterBed) -> Repair {
    Repair::new(bed.extents.clone(), WorkerState::new("repair"), Duration::from_secs(3600))
}

async fn extent_of(bed: &ClusterBed, path: &str) -> Extent {
    bed.extents_of("ada", path).await.remove(0)
}

#[tokio::test]
async fn what_is_short_is_rebuilt_counted_and_no_longer_short() {
    let bed = with_ada().await;
    bed.kill(1);
    bed.store("ada", "/large", noise(2_300_000, 1)).await;
    bed.store("ada", "/small", noise(100, 2)).await;
    let worker = repair(&bed);
    assert!(!worker.pass().await.unwrap(), "its node is away");
    let short = bed.catalog.short_count().await.unwrap();
    assert!(short >= 1);
    assert_eq!(worker.state.report().queue, short);
    bed.revive(1);
    assert!(worker.pass().await.unwrap());
    assert_eq!(bed.catalog.short_count().await.unwrap(), 0);
    for (path, shards) in [("/large", 6), ("/small", 3)] {
        assert_eq!(bed.shards.census(&extent_of(&bed, path).await), shards, "{path}");
    }
    assert!(!worker.pass().await.unwrap());
    assert_eq!((worker.state.report().queue, worker.state.done()), (0, short));
}

#[tokio::test]
async fn a_damaged_shard_is_replaced_by_a_good_one() {
    let bed = with_ada().await;
    bed.store("ada", "/f", noise(2_300_000, 3)).await;
    let extent = extent_of(&bed, "/f").await;
    for slot in [2, 5] {
        assert!(bed.shards.flip(extent.nodes[slot], extent.key(slot), 0, 9));
        assert!(bed.catalog.mark_short(extent.id, slot as u8, extent.nodes[slot]).await.unwrap());
    }
    assert_eq!(bed.shards.census(&extent), 4);
    assert!(repair(&bed).pass().await.unwrap());
    assert_eq!((bed.shards.census(&extent), bed.catalog.short_count().await.unwrap()), (6, 0));
}

#[tokio::test]
async fn nothing_is_rebuilt_from_too_little() {
    let bed = with_ada().await;
    bed.store("ada", "/f", noise(100_000, 4)).await;
    let extent = extent_of(&bed, "/f").await;
    for slot in 0..3 {
        assert!(bed.shards.flip(extent.nodes[slot], extent.key(slot), 0, 9));
        assert!(bed.catalog.mark_short(extent.id, slot as u8, extent.nodes[slot]).await.unwrap());
    }
    let before = bed.shard_count();
    assert!(!repair(&bed).pass().await.unwrap());
    assert_eq!(
        (bed.shard_count(), bed.catalog.short_count().await.unwrap()),
        (before, 1),
        "nothing was touched"
    );
}

#[tokio::test]
async fn a_node_that_refuses_keeps_its_shard_on_the_list() {
    let bed = with_ada().await;
    bed.store("ada", "/f", noise(100_000, 5)).await;
    let extent = extent_of(&bed, "/f").await;
    bed.catalog.mark_short(extent.id, 0, extent.nodes[0]).await.unwrap();
    bed.shards.wipe(extent.nodes[0]);
    bed.shards.set_fault(extent.nodes[0], Fault::Full);
    let worker = repair(&bed);
    assert!(!worker.pass().await.unwrap());
    assert!(worker.state.report().last_error.unwrap().contains("no room"));
    assert_eq!(bed.catalog.short_count().await.unwrap(), 1);
    bed.shards.set_fault(extent.nodes[0], Fault::None);
    assert!(worker.pass().await.unwrap());
    assert_eq!(worker.state.report().last_error, None);
}

#[tokio::test]
async fn a_spare_takes_the_shard_of_a_node_that_stays_away_or_is_full() {
    for (full, patience) in [(true, 3600), (false, 0)] {
        let mut bed = with_ada().await;
        let spare = bed.join(7, "z1").await;
        bed.store("ada", "/f", noise(100_000, 4)).await;
        let extent = extent_of(&bed, "/f").await;
        let slot = 0;
        let node = bed.nodes.iter().position(|node| *node == extent.nodes[slot]).unwrap();
        bed.shards.wipe(extent.nodes[slot]);
        assert!(bed.catalog.mark_short(extent.id, slot as u8, extent.nodes[slot]).await.unwrap());
        if full {
            bed.has_room(node, 10)
        } else {
            bed.bury(node).await
        }
        let waits = Repair::new(
            bed.extents.clone(),
            WorkerState::new("repair"),
            Duration::from_secs(if full { patience } else { 3600 }),
        );
        let patient = waits.pass().await.unwrap();
        assert_eq!(patient, full, "a silent node is waited for");
        let worker =
            Repair::new(bed.extents.clone(), WorkerState::new("repair"), Duration::from_secs(patience));
        worker.pass().await.unwrap();
        assert_eq!(bed.catalog.short_count().await.unwrap(), 0);
        let now = extent_of(&bed, "/f").await;
        assert_eq!((now.nodes[slot], bed.shards.census(&now)), (spare, 6));
        // When its own node is well again, the shard goes where it should be, and nothing is left over.
        bed.revive(node);
        delete(&bed.extents).await;
        settle(&bed.extents).await;
        delete(&bed.extents).await;
        let home = extent_of(&bed, "/f").await;
        assert_eq!((bed.shards.census(&home), bed.shard_count()), (6, 6));
        assert_eq!(bed.catalog.elsewhere_count().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn shards_that_come_back_count_again() {
    let bed = with_ada().await;
    bed.store("ada", "/f", noise(100_000, 4)).await;
    let extent = extent_of(&bed, "/f").await;
    for slot in 0..3 {
        assert!(bed.shards.flip(extent.nodes[slot], extent.key(slot), 0, 9));
        assert!(bed.catalog.mark_short(extent.id, slot as u8, extent.nodes[slot]).await.unwrap());
    }
    assert!(!repair(&bed).pass().await.unwrap(), "too little is there");
    // One of them is put back as it was; the two others are rebuilt from it.
    assert!(bed.shards.flip(extent.nodes[1], extent.key(1), 0, 9));
    let worker = repair(&bed);
    while worker.pass().await.unwrap() {}
    assert_eq!((bed.catalog.short_count().await.unwrap(), bed.shards.census(&extent)), (0, 6));
    assert_eq!(bed.extents.damage.repaired_count(), 2);
}

/// Many extents that lack the shard on a node that will never come back.
async fn store_hopeless(bed: &ClusterBed, node: usize, count: u32) {
    let members = bed.members.group(0).unwrap();
    let extents = (0..count).map(|seq| {
        let id = ExtentId::random();
        let slot =
            placement::slots(id, &members, 6).iter().position(|member| *member == bed.nodes[node]).unwrap();
        let short_slots = vec![slot as u8];
        let (file_offset, cell_bytes) = (u64::from(seq), 262_144);
        NewExtent {
            id,
            seq,
            file_offset,
            bytes: 1,
            group: 0,
            data: 4,
            parity: 2,
            cell_bytes,
            short_slots,
            nodes: Vec::new(),
        }
    });
    bed.commit("ada", "/hopeless", u64::from(count), [0; 32], extents.collect()).await;
}

#[tokio::test]
async fn what_cannot_be_repaired_stands_in_nobodys_way() {
    let bed = with_ada().await;
    store_hopeless(&bed, 0, 600).await;
    bed.bury(0).await;
    bed.store("ada", "/f", noise(100_000, 6)).await;
    let extent = extent_of(&bed, "/f").await;
    let slot = extent.nodes.iter().position(|node| *node == bed.nodes[1]).unwrap();
    let lost = extent.nodes.iter().position(|node| *node == bed.nodes[0]).unwrap() as u8;
    assert!(bed.catalog.clear_short(extent.id, lost, bed.nodes[0]).await.unwrap());
    bed.catalog.mark_short(extent.id, slot as u8, extent.nodes[slot]).await.unwrap();
    assert!(repair(&bed).pass().await.unwrap());
    assert_eq!(bed.catalog.short_count().await.unwrap(), 600);
}

#[tokio::test]
async fn a_shard_that_comes_after_its_file_went_goes_too() {
    let bed = with_ada().await;
    bed.store("ada", "/f", noise(100_000, 7)).await;
    let extent = extent_of(&bed, "/f").await;
    let worker = repair(&bed);
    bed.catalog.trash(&"ada".parse().unwrap(), &"/f".parse().unwrap()).await.unwrap();
    bed.catalog.purge_expired(i64::MAX, 10).await.unwrap();
    // The rebuilt shard arrives when its removal has been confirmed.
    let source = bed.shards.clone();
    delete(&bed.extents).await;
    assert_eq!(bed.shard_count(), 0);
    rewrite(&bed, &extent).await;
    assert_eq!(source.count(extent.nodes[0]), 1);
    worker.count(&extent, 0).await.unwrap();
    delete(&bed.extents).await;
    assert_eq!((bed.shard_count(), bed.catalog.removal_count().await.unwrap()), (0, 0));
}

/// Writes one shard of one byte, as a repair does.
async fn rewrite(bed: &ClusterBed, extent: &Extent) {
    use asterism_cluster::{Cell, PutStep, Shards};
    let (sender, steps) = tokio::sync::mpsc::channel(2);
    let cell = Cell {
        data: vec![1].into(),
        checksum: asterism_erasure::cell_checksum(&extent.identity(0), 0, &[1]),
    };
    sender.send(PutStep::Cell(cell)).await.unwrap();
    sender.send(PutStep::Finish { extent_bytes: 4 }).await.unwrap();
    bed.shards.put(extent.nodes[0], extent, 0, 0, steps).await.unwrap();
}

#[tokio::test]
async fn shards_of_a_node_that_is_away_wait_for_it() {
    let bed = with_ada().await;
    bed.store("ada", "/f", noise(100_000, 8)).await;
    bed.catalog.trash(&"ada".parse().unwrap(), &"/f".parse().unwrap()).await.unwrap();
    bed.catalog.purge_expired(i64::MAX, 10).await.unwrap();
    bed.bury(3).await;
    delete(&bed.extents).await;
    assert_eq!((bed.shard_count(), bed.catalog.removal_count().await.unwrap()), (1, 1));
    bed.revive(3);
    delete(&bed.extents).await;
    assert_eq!((bed.shard_count(), bed.catalog.removal_count().await.unwrap()), (0, 0));
}

#[tokio::test]
async fn a_node_that_comes_back_removes_first_and_is_repaired_then() {
    let bed = with_ada().await;
    bed.store("ada", "/gone", noise(100_000, 8)).await;
    bed.store("ada", "/kept", noise(100_000, 9)).await;
    let kept = extent_of(&bed, "/kept").await;
    bed.bury(3).await;
    bed.catalog.trash(&"ada".parse().unwrap(), &"/gone".parse().unwrap()).await.unwrap();
    bed.catalog.purge_expired(i64::MAX, 10).await.unwrap();
    let slot = kept.nodes.iter().position(|node| *node == bed.nodes[3]).unwrap();
    bed.shards.flip(bed.nodes[3], kept.key(slot), 0, 1);
    assert!(bed.catalog.mark_short(kept.id, slot as u8, bed.nodes[3]).await.unwrap());
    bed.comes_back(3);
    assert!(bed.members.is_behind(bed.nodes[3]));
    assert!(!repair(&bed).pass().await.unwrap(), "not before it has caught up");
    delete(&bed.extents).await;
    assert_eq!((bed.shards.count(bed.nodes[3]), bed.members.is_behind(bed.nodes[3])), (1, false));
    assert!(repair(&bed).pass().await.unwrap());
    assert_eq!(bed.shards.census(&kept), 6);
}

#[tokio::test]
async fn a_node_that_fails_to_delete_is_asked_again() {
    let bed = with_ada().await;
    bed.store("ada", "/f", noise(100_000, 9)).await;
    bed.store("ada", "/f", noise(100_000, 10)).await; // A new version: the old one's shards must go.
    bed.shards.set_fault(bed.nodes[2], Fault::Down); // Heard, and refuses.
    let worker = Deletion { extents: bed.extents.clone(), state: WorkerState::new("deletion") };
    worker.pass().await.unwrap();
    assert_eq!(worker.state.report().queue, 1);
    assert!(worker.state.report().last_error.is_some());
    bed.shards.set_fault(bed.nodes[2], Fault::None);
    worker.pass().await.unwrap();
    assert_eq!((worker.state.report().queue, worker.state.report().last_error), (0, None));
    assert_eq!(bed.shard_count(), 6);
}

#[tokio::test]
async fn a_late_leader_deletes_nothing() {
    let bed = with_ada().await;
    bed.store("ada", "/f", noise(100_000, 11)).await;
    let late = Extents { epoch: Arc::default(), ..bed.extents.clone() };
    bed.extents.epoch.store(7, std::sync::atomic::Ordering::Relaxed);
    bed.store("ada", "/g", noise(100_000, 12)).await; // The nodes learn of epoch 7.
    bed.store("ada", "/f", noise(100_000, 13)).await;
    delete(&late).await;
    assert_eq!((bed.shard_count(), bed.catalog.removal_count().await.unwrap()), (18, 6));
    delete(&bed.extents).await;
    assert_eq!((bed.shard_count(), bed.catalog.removal_count().await.unwrap()), (12, 0));
}

fn tagging(bed: &ClusterBed, command: &[&str], events: &Events) -> Tagging {
    let command = command.iter().map(|part| (*part).to_owned()).collect();
    Tagging {
        extents: bed.extents.clone(),
        pool: Arc::new(Pool::new(command, 1, Duration::from_secs(5))),
        events: events.clone(),
        projecting: Arc::default(),
        state: WorkerState::new("tagging"),
    }
}

/// Names of the automatic tags of `/holiday.jpg`.
async fn tags(bed: &ClusterBed) -> Vec<String> {
    let entry = bed.catalog.stat(&"ada".parse().unwrap(), &"/holiday.jpg".parse().unwrap()).await.unwrap();
    let tags = bed.catalog.taggings(&[entry.id]).await.unwrap().remove(&entry.id).unwrap_or_default();
    assert!(tags.iter().all(|tag| tag.source == "builtin" && tag.state == TagState::Suggested));
    tags.into_iter().map(|tag| tag.tag.name().to_owned()).collect()
}

#[tokio::test]
async fn when_the_tagger_crashes_the_name_still_says_something() {
    for command in [&["/bin/false"][..], &["/bin/sh", "-c", "kill -SEGV $$"], &["/no/such/program"]] {
        let (bed, events) = (with_ada().await, Events::default());
        bed.store("ada", "/holiday.jpg", noise(50_000, 14)).await;
        let worker = tagging(&bed, command, &events);
        worker.pass().await.unwrap();
        let tags = tags(&bed).await;
        assert!(
            tags.contains(&"holiday".to_owned()) && tags.contains(&"jpeg".to_owned()),
            "{command:?}: {tags:?}"
        );
        let (told, _) = events.subscribe(Some(0));
        assert!(
            matches!(&told[..], [one] if matches!(&one.event, Event::FileTagged { path, .. } if path == "/holiday.jpg"))
        );
        let outbox = bed.catalog.outbox_pending(Topic::Tag, i64::MAX, 10).await.unwrap();
        assert!(outbox.iter().all(|row| row.attempts == 1), "its content is looked at again: {outbox:?}");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_tagged_later() {
    let (bed, events) = (with_ada().await, Events::default());
    bed.store("ada", "/holiday.jpg", noise(50_000, 15)).await;
    (0..3).for_each(|node| bed.kill(node));
    let worker = tagging(&bed, &["/bin/false"], &events);
    worker.pass().await.unwrap();
    assert_eq!(tags(&bed).await, Vec::<String>::new());
    assert_eq!(worker.state.report().queue, 1);
    assert!(worker.state.report().last_error.is_some());
}

#[tokio::test]
async fn what_was_replaced_or_thrown_away_is_not_tagged() {
    let (bed, events) = (with_ada().await, Events::default());
    bed.store("ada", "/holiday.jpg", noise(100, 16)).await;
    bed.store("ada", "/holiday.jpg", noise(100, 17)).await;
    bed.store("ada", "/gone.jpg", noise(100, 18)).await;
    bed.catalog.trash(&"ada".parse().unwrap(), &"/gone.jpg".parse().unwrap()).await.unwrap();
    let worker = tagging(&bed, &["/bin/false"], &events);
    worker.pass().await.unwrap();
    assert!(worker.state.report().queue <= 1);
    let (told, _) = events.subscribe(Some(0));
    assert_eq!(told.len(), 1, "the new version alone: {told:?}");
}

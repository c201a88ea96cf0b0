use super::*;
use crate::{
    catalog::Role,
    test_bed::{ClusterBed, noise},
    workers::repair::Repair,
};
use asterism_cluster::memory::Fault;

async fn bed() -> ClusterBed {
    let bed = ClusterBed::start().await;
    bed.user("ada", Role::Editor).await;
    bed
}

/// A scrub that begins again at once.
fn scrub(bed: &ClusterBed) -> Scrub {
    let pace = Pace::new(1 << 40, None);
    Scrub::new(bed.extents.clone(), WorkerState::new("scrub"), pace, Duration::ZERO)
}

async fn whole_pass(worker: &Scrub) -> Walk {
    while worker.pass().await.unwrap() {}
    worker.extents.catalog.walk(WALK).await.unwrap()
}

async fn repair(bed: &ClusterBed) {
    let worker = Repair::new(bed.extents.clone(), WorkerState::new("repair"), Duration::ZERO);
    while worker.pass().await.unwrap() {}
}

#[tokio::test]
async fn damage_is_found_counted_by_cells_and_repaired() {
    let bed = bed().await;
    bed.store("ada", "/large", noise(2_300_000, 1)).await;
    bed.store("ada", "/small", noise(100, 2)).await;
    let large = bed.extents_of("ada", "/large").await.remove(0);
    let small = bed.extents_of("ada", "/small").await.remove(0);
    for (extent, slot, cells) in [(&large, 1, &[0, 2][..]), (&large, 4, &[1]), (&small, 2, &[0])] {
        for cell in cells {
            assert!(bed.shards.flip(extent.nodes[slot], extent.key(slot), *cell, 9));
        }
    }
    let worker = scrub(&bed);
    let first = whole_pass(&worker).await;
    assert_eq!((first.pass, first.seen, first.found, first.skipped), (1, 2, 3, 0));
    assert_eq!(bed.extents.damage.cells_count(), 4);
    repair(&bed).await;
    assert_eq!((bed.shards.census(&large), bed.shards.census(&small)), (6, 3));
    assert_eq!(bed.extents.damage.repaired_count(), 3);
    let second = whole_pass(&worker).await;
    assert_eq!((second.pass, second.found), (2, 0));
    assert_eq!(bed.extents.damage.cells_count(), 4);
}

#[tokio::test]
async fn a_shard_that_is_gone_or_in_anothers_place_is_found() {
    let bed = bed().await;
    for number in 0..3 {
        bed.store("ada", &format!("/{number}"), noise(100_000, number)).await;
    }
    let (one, other) =
        (bed.extents_of("ada", "/0").await.remove(0), bed.extents_of("ada", "/1").await.remove(0));
    let slot = other.nodes.iter().position(|node| *node == one.nodes[0]).unwrap();
    bed.shards.misplace(one.nodes[0], one.key(0), other.key(slot));
    bed.shards.wipe(one.nodes[3]);
    let walk = whole_pass(&scrub(&bed)).await;
    assert_eq!(walk.found, 4, "three shards of the wiped node, one that is another's");
    repair(&bed).await;
    for number in 0..3 {
        let extent = bed.extents_of("ada", &format!("/{number}")).await.remove(0);
        assert_eq!(bed.shards.census(&extent), 6);
    }
}

#[tokio::test]
async fn silence_proves_nothing_and_is_counted() {
    let bed = bed().await;
    bed.store("ada", "/f", noise(100_000, 1)).await;
    bed.bury(0).await;
    bed.shards.set_fault(bed.nodes[1], Fault::Down); // Heard, and refuses.
    let worker = scrub(&bed);
    let walk = whole_pass(&worker).await;
    assert_eq!((walk.found, walk.skipped), (0, 2));
    assert_eq!(bed.catalog.short_count().await.unwrap(), 0);
    assert!(worker.state.report().last_error.is_some());
}

#[tokio::test]
async fn a_pass_goes_on_where_it_was_and_the_next_one_waits_its_time() {
    let bed = bed().await;
    for number in 0..3 {
        bed.store("ada", &format!("/{number}"), noise(100, number)).await;
    }
    let ids: Vec<_> =
        bed.catalog.extents_after(None, 10).await.unwrap().into_iter().map(|row| row.id).collect();
    let began = Walk { pass: 7, after: Some(ids[1]), began_ms: now_ms(), seen: 2, ..Walk::default() };
    bed.catalog.set_walk(WALK, &began).await.unwrap();
    let worker = Scrub { every: Duration::from_secs(3600), ..scrub(&bed) };
    assert!(worker.pass().await.unwrap());
    assert_eq!(bed.extents.damage.scrubbed.get(), 3, "the shards of the one that was left");
    assert!(!worker.pass().await.unwrap());
    let ended = bed.catalog.walk(WALK).await.unwrap();
    assert_eq!((ended.pass, ended.seen, ended.after), (7, 3, None));
    assert!(ended.ended_ms.is_some() && ended.last_ms.is_some());
    assert!(!worker.pass().await.unwrap());
    assert_eq!(bed.catalog.walk(WALK).await.unwrap(), ended, "it is not time yet");
    assert!(scrub(&bed).pass().await.unwrap());
    assert_eq!(bed.catalog.walk(WALK).await.unwrap().pass, 8);
}

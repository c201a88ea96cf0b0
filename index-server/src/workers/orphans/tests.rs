use super::*;
use crate::{
    catalog::Role,
    test_bed::{ClusterBed, noise},
    workers::tests::delete,
};
use asterism_cluster::{Extent, Shards, memory::Fault};
use std::{cell::RefCell, collections::BTreeSet, rc::Rc};

async fn bed() -> ClusterBed {
    let bed = ClusterBed::start().await;
    bed.user("ada", Role::Editor).await;
    bed
}

/// A worker that begins a new epoch with each pass, and keeps nothing for long or for ever.
fn worker(bed: &ClusterBed, kept: Duration) -> Orphans {
    Orphans {
        extents: bed.extents.clone(),
        state: WorkerState::new("orphans"),
        every: Duration::ZERO,
        kept,
        allowance: Allowance::default(),
    }
}

const LONG: Duration = Duration::from_secs(3600);

/// Content on the nodes that is no file: what an upload leaves that ends with its process.
async fn leave(bed: &ClusterBed, seed: u64) -> crate::files::Stored {
    let body = futures::stream::iter([Ok::<_, std::convert::Infallible>(noise(100_000, seed).into())]);
    bed.extents.store(body, u64::MAX).await.unwrap()
}

async fn passes(worker: &Orphans, count: usize) {
    for _ in 0..count {
        worker.pass().await.unwrap();
    }
}

async fn counts(bed: &ClusterBed) -> (u64, u64, u64) {
    let counts = bed.catalog.orphan_counts().await.unwrap();
    (counts.marked, counts.claimed, counts.aside)
}

#[tokio::test]
async fn what_nothing_names_is_set_aside_two_epochs_later_and_let_go_in_its_time() {
    let bed = bed().await;
    bed.store("ada", "/f", noise(100_000, 1)).await;
    drop(leave(&bed, 2).await);
    let keeper = worker(&bed, LONG);
    passes(&keeper, 1).await;
    assert_eq!((counts(&bed).await, bed.shard_count()), ((6, 0, 0), 12));
    passes(&keeper, 1).await;
    assert_eq!(counts(&bed).await, (6, 0, 0), "one epoch proves nothing");
    passes(&keeper, 1).await;
    assert_eq!((counts(&bed).await, bed.shard_count()), ((0, 6, 0), 12), "claimed, and still there");
    passes(&keeper, 1).await;
    assert_eq!((counts(&bed).await, bed.shard_count()), ((0, 0, 6), 6));
    passes(&keeper, 3).await;
    assert_eq!(bed.aside_count(), 6, "kept");
    passes(&worker(&bed, Duration::ZERO), 1).await;
    assert_eq!((counts(&bed).await, bed.aside_count()), ((0, 0, 0), 0));
    let extent = bed.extents_of("ada", "/f").await.remove(0);
    assert_eq!(bed.shards.census(&extent), 6);
}

#[tokio::test]
async fn an_upload_that_is_under_way_keeps_what_it_wrote() {
    let bed = bed().await;
    let stored = leave(&bed, 1).await;
    let keeper = worker(&bed, LONG);
    passes(&keeper, 8).await;
    assert_eq!(counts(&bed).await, (6, 0, 0));
    let entry = bed.commit("ada", "/late", stored.size, stored.blake3, stored.extents.clone()).await;
    drop(stored);
    passes(&keeper, 5).await;
    assert_eq!((counts(&bed).await.1, bed.shard_count()), (0, 6), "{entry:?}");
}

#[tokio::test]
async fn what_is_claimed_never_becomes_a_file() {
    let bed = bed().await;
    let crate::files::Stored { size, blake3, extents, .. } = leave(&bed, 1).await;
    passes(&worker(&bed, LONG), 3).await;
    assert_eq!(counts(&bed).await, (0, 6, 0));
    let file = crate::catalog::NewFile {
        owner: "ada".parse().unwrap(),
        path: "/too-late".parse().unwrap(),
        size,
        blake3,
        media_type: "text/plain".into(),
        extents,
        replace: crate::catalog::Replace::Any,
        idempotency: None,
        create_parents: true,
    };
    assert!(matches!(bed.catalog.commit_file(&file).await, Err(CatalogError::Stale)));
}

#[tokio::test]
async fn shards_that_belong_leave_or_come_are_no_orphans() {
    let mut bed = bed().await;
    bed.store("ada", "/kept", noise(100_000, 1)).await;
    bed.store("ada", "/gone", noise(100_000, 2)).await;
    bed.catalog.trash(&"ada".parse().unwrap(), &"/gone".parse().unwrap()).await.unwrap();
    bed.catalog.purge_expired(i64::MAX, 10).await.unwrap();
    let spare = bed.join(7, "z1").await;
    bed.store("ada", "/more", noise(100_000, 3)).await;
    let keeper = worker(&bed, LONG);
    passes(&keeper, 5).await;
    assert_eq!((counts(&bed).await, bed.shard_count()), ((0, 0, 0), 18), "{spare}");
    delete(&bed.extents).await;
    bed.settle().await;
    delete(&bed.extents).await;
    passes(&keeper, 5).await;
    assert_eq!((counts(&bed).await, bed.shard_count()), ((0, 0, 0), 12));
}

#[tokio::test]
async fn too_many_at_once_are_asked_for() {
    let bed = bed().await;
    for seed in 0..12 {
        drop(leave(&bed, seed).await);
    }
    let keeper = worker(&bed, LONG);
    passes(&keeper, 6).await;
    assert_eq!(counts(&bed).await, (72, 0, 0));
    assert!(keeper.state.report().last_error.unwrap().contains("72 of 72 shards"));
    keeper.allowance.grant();
    passes(&keeper, 1).await;
    assert_eq!(counts(&bed).await, (0, 72, 0));
    drop(leave(&bed, 99).await);
    passes(&keeper, 4).await;
    assert_eq!(counts(&bed).await.2, 78, "few may go unasked");
}

#[tokio::test]
async fn a_node_that_is_away_or_fails_is_waited_for_and_a_late_leader_does_nothing() {
    let bed = bed().await;
    let extents: Vec<Extent> = {
        let stored = leave(&bed, 1).await;
        stored.extents.iter().map(|extent| bed.placed(extent)).collect()
    };
    bed.bury(0).await;
    let keeper = worker(&bed, LONG);
    passes(&keeper, 3).await;
    assert_eq!(counts(&bed).await, (0, 5, 0));
    bed.shards.set_fault(bed.nodes[1], Fault::Down);
    passes(&keeper, 1).await;
    assert_eq!(counts(&bed).await, (0, 1, 4));
    bed.revive(0);
    bed.revive(1);
    // Another leader has been at the nodes.
    let late =
        Orphans { extents: Extents { epoch: Arc::default(), ..bed.extents.clone() }, ..worker(&bed, LONG) };
    bed.extents.epoch.store(7, Ordering::Relaxed);
    bed.shards.delete(bed.nodes[1], Vec::new(), 7).await.unwrap();
    late.settle().await.unwrap();
    assert_eq!(counts(&bed).await, (0, 1, 4));
    passes(&keeper, 5).await;
    assert_eq!((counts(&bed).await, bed.shard_count()), ((0, 0, 6), 0));
    // What was set aside comes back when somebody asks.
    for (slot, node) in extents[0].nodes.iter().enumerate() {
        let asked = vec![extents[0].key(slot)];
        let back = bed.shards.aside(*node, AsideAct::BringBack, asked, 7).await.unwrap();
        assert_eq!(back, [Aside::Done]);
    }
    assert_eq!(bed.shards.census(&extents[0]), 6);
}

#[tokio::test]
async fn each_step_comes_to_its_point() {
    let bed = bed().await;
    drop(leave(&bed, 1).await);
    let reached = Rc::new(RefCell::new(BTreeSet::new()));
    let told = Rc::clone(&reached);
    let _watch = failpoint::watch(move |name| {
        told.borrow_mut().insert(name);
    });
    passes(&worker(&bed, Duration::ZERO), 5).await;
    for point in ["orphans.marked", "orphans.claimed", "orphans.node_done"] {
        assert!(reached.borrow().contains(point), "{point}");
    }
    assert_eq!((bed.shard_count(), bed.aside_count()), (0, 0));
}

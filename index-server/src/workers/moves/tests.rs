//! Moves on a cluster in memory, seven nodes and more: whatever happens in between, every file is readable at each step, no shard
//! goes before its copy was counted, and in the end everything lies where it should and nowhere else.

use super::*;
use crate::{
    catalog::Role,
    test_bed::{ClusterBed, GROUPS, noise},
    workers::tests::delete,
};
use asterism_cluster::memory::Fault;
use futures::FutureExt;
use std::{
    cell::Cell,
    collections::BTreeSet,
    panic::{self, AssertUnwindSafe},
};

/// Six nodes in groups, a seventh that has not joined yet, and some files of all kinds.
struct Bed {
    cluster: ClusterBed,
    files: Vec<(String, Vec<u8>)>,
}

impl std::ops::Deref for Bed {
    type Target = ClusterBed;
    fn deref(&self) -> &ClusterBed {
        &self.cluster
    }
}

impl Bed {
    /// With seven nodes that all have their share, and files.
    async fn of_seven() -> Self {
        let mut cluster = ClusterBed::start().await;
        cluster.user("ada", Role::Editor).await;
        cluster.join(7, "z1").await;
        cluster.settle().await;
        let mut bed = Self { cluster, files: Vec::new() };
        bed.store_some(0..24).await;
        bed
    }

    async fn store_some(&mut self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            // Copies of small files, one stripe, some stripes.
            let bytes = [900, 70_000, 1_300_000][number as usize % 3];
            let (path, content) = (format!("/{number}"), noise(bytes, number));
            self.cluster.store("ada", &path, content.clone()).await;
            self.files.push((path, content));
        }
    }

    fn moves(&self) -> Moves {
        let state = WorkerState::new("moves");
        Moves { extents: self.extents.clone(), state, moving: Moving::new(1 << 40), patience: Duration::ZERO }
    }

    async fn drain(&self, node: usize, retire: bool) {
        self.catalog.drain(self.nodes[node], retire).await.unwrap();
        self.members.set_intent(self.nodes[node], Intent::Draining);
    }

    async fn check_readable(&self) {
        for (path, content) in &self.files {
            let entry = self.catalog.stat(&"ada".parse().unwrap(), &path.parse().unwrap()).await.unwrap();
            let read = self.extents.read_head(&entry.content.unwrap(), u64::MAX).await;
            assert!(read.as_ref().is_ok_and(|read| read == content), "{path}: {:?}", read.err());
        }
    }

    /// Works off the moves, looking after each pass.
    async fn work(&self, moves: &Moves) {
        for _ in 0..10_000 {
            let more = moves.pass().await.unwrap();
            delete(&self.extents).await;
            if !more && !moves.pass().await.unwrap() {
                return;
            }
        }
        panic!("the moves never end: {:?}", moves.state.report());
    }

    /// Everything is where it should be, and nowhere else.
    async fn check_settled(&self) {
        delete(&self.extents).await;
        assert_eq!(self.catalog.moves().await.unwrap(), []);
        assert_eq!(
            (self.catalog.elsewhere_count().await.unwrap(), self.catalog.removal_count().await.unwrap()),
            (0, 0)
        );
        assert_eq!(self.catalog.groups().await.unwrap(), *self.members.groups());
        let mut expected = 0;
        for (path, _) in &self.files {
            for extent in self.extents_of("ada", path).await {
                let total = extent.policy.total();
                assert_eq!(self.shards.census(&extent), total, "{path}");
                expected += total;
            }
        }
        assert_eq!(self.shard_count(), expected, "one of each, and no other");
        self.check_readable().await;
    }
}

#[tokio::test]
async fn a_node_is_drained_under_uploads_and_reads() {
    let mut bed = Bed::of_seven().await;
    let moves = bed.moves();
    assert!(!moves.pass().await.unwrap(), "nothing is wanted yet");
    bed.drain(0, false).await;
    let mut number = 100;
    while moves.pass().await.unwrap() {
        bed.store_some(number..number + 2).await;
        number += 2;
        bed.check_readable().await;
        delete(&bed.extents).await;
        assert!(number < 500, "it ends although files come all the time");
    }
    assert_eq!(bed.shards.count(bed.nodes[0]), 0);
    let held = bed.catalog.holdings(bed.nodes[0]).await.unwrap();
    assert_eq!((held.positions, held.elsewhere, held.arriving), (0, 0, 0));
    bed.check_settled().await;
    assert_eq!(moves.state.report().queue, 0);
    assert!(moves.state.done() > 0 && moves.state.report().last_error.is_none());
}

#[tokio::test]
async fn a_seventh_node_takes_its_share() {
    let cluster = ClusterBed::start().await;
    cluster.user("ada", Role::Editor).await;
    let mut bed = Bed { cluster, files: Vec::new() };
    bed.store_some(0..24).await;
    let new = bed.cluster.join(7, "z1").await;
    bed.work(&bed.moves()).await;
    bed.check_settled().await;
    let places = bed.members.groups().iter().filter(|group| group.members.contains(&new)).count();
    assert!(places >= GROUPS as usize / 5, "half of a column, as the draw goes: {places} of {GROUPS}");
    assert!(bed.shards.count(new) > 0);
    // With a larger weight it takes more of its column, with a small one it gives most of it back.
    bed.catalog.set_factor(new, 3000, 1 << 40).await.unwrap();
    bed.work(&bed.moves()).await;
    let more = bed.members.groups().iter().filter(|group| group.members.contains(&new)).count();
    bed.catalog.set_factor(new, 100, 1 << 40).await.unwrap();
    bed.work(&bed.moves()).await;
    let less = bed.members.groups().iter().filter(|group| group.members.contains(&new)).count();
    assert!(more >= places && less < places, "{more} >= {places} > {less}");
    bed.check_settled().await;
}

#[tokio::test]
async fn a_drain_can_be_taken_back_at_any_step() {
    let bed = Bed::of_seven().await;
    let before = bed.members.groups();
    let moves = bed.moves();
    bed.drain(1, false).await;
    for _ in 0..3 {
        assert!(moves.pass().await.unwrap());
    }
    bed.catalog.undrain(bed.nodes[1]).await.unwrap();
    bed.members.set_intent(bed.nodes[1], Intent::Up);
    bed.work(&moves).await;
    bed.check_settled().await;
    assert_eq!(bed.members.groups(), before, "as it was");
}

#[tokio::test]
async fn a_node_that_dies_during_its_drain_is_rebuilt_from_the_others() {
    let bed = Bed::of_seven().await;
    let moves = bed.moves();
    bed.drain(2, true).await;
    assert!(moves.pass().await.unwrap());
    bed.bury(2).await;
    bed.work(&moves).await;
    bed.check_readable().await;
    let node = bed.nodes[2];
    assert_eq!(bed.members.get(node).unwrap().row.intent, Intent::Retired, "nothing hangs on it");
    assert!(bed.shards.count(node) > 0, "what it has nobody could remove");
    bed.shards.wipe(node);
    bed.check_settled().await;
    // It may come back as it was: nothing is written to it, nothing counts on it.
    bed.revive(2);
    assert!(!moves.pass().await.unwrap());
    bed.check_settled().await;
}

#[tokio::test]
async fn when_the_new_node_dies_another_one_takes_over() {
    let mut bed = Bed::of_seven().await;
    bed.cluster.join(8, "z1").await;
    bed.cluster.settle().await;
    let moves = bed.moves();
    bed.drain(3, false).await;
    assert!(moves.pass().await.unwrap());
    let wanted = bed.catalog.moves().await.unwrap();
    let target = wanted.first().expect("more than one position is on its way").to;
    let target = bed.nodes.iter().position(|node| *node == target).unwrap();
    // It dies in the middle of a shard, and is then gone.
    bed.shards.set_fault(bed.nodes[target], Fault::DiesAfter(0));
    moves.pass().await.unwrap();
    bed.bury(target).await;
    bed.work(&moves).await;
    bed.check_readable().await;
    assert!(bed.catalog.moves().await.unwrap().iter().all(|row| row.to != bed.nodes[target]));
    let held = bed.catalog.holdings(bed.nodes[3]).await.unwrap();
    assert_eq!((held.positions, held.elsewhere), (0, 0), "drained all the same");
    bed.revive(target);
    bed.work(&moves).await;
    bed.check_settled().await;
}

#[tokio::test]
async fn a_node_that_is_retired_was_counted_empty() {
    let bed = Bed::of_seven().await;
    let (moves, node) = (bed.moves(), bed.nodes[6]);
    bed.drain(6, true).await;
    while bed.catalog.holdings(node).await.unwrap().positions > 0 {
        assert!(moves.pass().await.unwrap());
    }
    let intent = || bed.members.get(node).unwrap().row.intent;
    moves.pass().await.unwrap();
    assert_eq!(intent(), Intent::Draining, "its shards are copied, but not gone yet");
    delete(&bed.extents).await;
    // A copy of which nobody knows any more.
    let extent = bed.extents_of("ada", "/1").await.remove(0);
    let mut stray = extent.clone();
    stray.nodes[0] = node;
    put_again(&bed, &stray).await;
    bed.work(&moves).await;
    assert_eq!(intent(), Intent::Retired);
    assert_eq!(bed.shards.count(node), 0);
    bed.check_settled().await;
    let row = bed.catalog.nodes().await.unwrap().into_iter().find(|row| row.id == node).unwrap();
    assert_eq!(row.intent, Intent::Retired);
    // Wanted again, it begins anew with its share.
    bed.catalog.undrain(node).await.unwrap();
    bed.members.set_intent(node, Intent::Up);
    bed.work(&moves).await;
    assert!(bed.shards.count(node) > 0);
    bed.check_settled().await;
}

/// Copies slot 0 to where `there` says.
async fn put_again(bed: &Bed, there: &asterism_cluster::Extent) {
    let row = bed.catalog.extent(there.id).await.unwrap();
    let extent = bed.extents.extent(&row).unwrap();
    let order = bed.extents.order(&extent, &[]);
    let transfer = asterism_cluster::Transfer {
        extent,
        extent_bytes: row.bytes,
        slot: 0,
        to: there.nodes[0],
        copy: true,
        order,
    };
    asterism_cluster::relocate(&bed.extents.shards, &transfer, 0).await.unwrap();
}

#[tokio::test]
async fn a_damaged_shard_is_not_carried_on_but_made_anew() {
    let bed = Bed::of_seven().await;
    for (path, _) in &bed.files {
        let extent = bed.extents_of("ada", path).await.remove(0);
        if let Some(slot) = extent.nodes.iter().position(|node| *node == bed.nodes[4]) {
            assert!(bed.shards.flip(bed.nodes[4], extent.key(slot), 0, 5));
        }
    }
    bed.drain(4, false).await;
    bed.work(&bed.moves()).await;
    bed.check_settled().await;
}

#[tokio::test]
async fn a_full_node_is_given_nothing_and_loses_nothing() {
    let bed = Bed::of_seven().await;
    bed.drain(5, false).await;
    let moves = bed.moves();
    (0..7).filter(|node| *node != 5).for_each(|node| bed.shards.set_fault(bed.nodes[node], Fault::Full));
    // Groups without extents change hands all the same.
    while moves.pass().await.unwrap() {}
    bed.check_readable().await;
    assert!(bed.shards.count(bed.nodes[5]) > 0);
    assert!(moves.state.report().last_error.unwrap().contains("no room"));
    (0..7).for_each(|node| bed.shards.set_fault(bed.nodes[node], Fault::None));
    bed.work(&moves).await;
    bed.check_settled().await;
    assert_eq!(bed.shards.count(bed.nodes[5]), 0);
}

#[tokio::test]
async fn shards_on_spares_come_home() {
    let mut bed = Bed::of_seven().await;
    bed.bury(1).await;
    bed.store_some(100..130).await;
    assert!(bed.catalog.elsewhere_count().await.unwrap() > 0, "a spare stood in");
    assert_eq!(bed.catalog.short_count().await.unwrap(), 0, "no extent is short");
    let moves = bed.moves();
    assert!(!moves.pass().await.unwrap(), "its home is away");
    bed.check_readable().await;
    bed.revive(1);
    bed.work(&moves).await;
    bed.check_settled().await;
}

#[tokio::test]
async fn a_spare_that_is_drained_gives_its_guests_to_another() {
    let mut bed = Bed::of_seven().await;
    bed.cluster.join(8, "z1").await;
    bed.cluster.settle().await;
    bed.bury(2).await;
    bed.store_some(100..140).await;
    let spares: BTreeSet<NodeId> =
        bed.catalog.scattered().await.unwrap().into_iter().map(|stray| stray.node).collect();
    let spare = bed.nodes.iter().position(|node| spares.contains(node)).unwrap();
    bed.drain(spare, false).await;
    let moves = bed.moves();
    bed.work(&moves).await;
    let held = bed.catalog.holdings(bed.nodes[spare]).await.unwrap();
    assert_eq!((held.elsewhere, bed.shards.count(bed.nodes[spare])), (0, 0));
    bed.check_readable().await;
    bed.revive(2);
    bed.work(&moves).await;
    bed.check_settled().await;
}

#[tokio::test]
async fn a_file_deleted_while_it_moves_leaves_nothing() {
    let mut bed = Bed::of_seven().await;
    let moves = bed.moves();
    bed.drain(1, false).await;
    let mut number = 0;
    while moves.pass().await.unwrap() {
        if let Some((path, _)) = bed.files.pop() {
            bed.catalog.trash(&"ada".parse().unwrap(), &path.parse().unwrap()).await.unwrap();
            bed.catalog.purge_expired(i64::MAX, 10).await.unwrap();
            number += 1;
        }
    }
    assert!(number > 3);
    bed.check_settled().await;
}

#[tokio::test]
async fn an_unreadable_extent_keeps_its_place_and_everything_else_moves() {
    let bed = Bed::of_seven().await;
    let extent = bed.extents_of("ada", "/1").await.remove(0);
    let leaving = extent.nodes[0];
    let lost: Vec<NodeId> = extent.nodes[1..4].to_vec();
    for (slot, node) in (1..).zip(&lost) {
        assert!(bed.shards.flip(*node, extent.key(slot), 0, 1));
        assert!(bed.catalog.mark_short(extent.id, slot as u8, *node).await.unwrap());
    }
    assert!(bed.shards.flip(leaving, extent.key(0), 0, 1));
    bed.drain(bed.nodes.iter().position(|node| *node == leaving).unwrap(), true).await;
    let moves = bed.moves();
    for _ in 0..200 {
        moves.pass().await.unwrap();
        delete(&bed.extents).await;
    }
    let held = bed.catalog.holdings(leaving).await.unwrap();
    assert_eq!(held.positions, 1, "what cannot be copied is not given up");
    assert_eq!(bed.members.get(leaving).unwrap().row.intent, Intent::Draining);
    assert_eq!(bed.shards.count(leaving), 1);
    assert!(moves.state.report().last_error.is_some());
}

/// A future that is dropped in the middle: after so many turns, unless it has ended before.
struct CutOff<'a, T> {
    work: futures::future::BoxFuture<'a, T>,
    turns: u32,
}

impl<T> Future for CutOff<'_, T> {
    type Output = Option<T>;
    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<T>> {
        use std::task::Poll;
        if self.turns == 0 {
            return Poll::Ready(None);
        }
        self.turns -= 1;
        self.work.as_mut().poll(context).map(Some)
    }
}

#[tokio::test]
async fn wherever_it_is_cut_off_it_is_taken_up_again() {
    let mut bed = Bed::of_seven().await;
    bed.drain(0, true).await;
    let (mut round, mut cuts) = (0, 0);
    while bed.members.get(bed.nodes[0]).unwrap().row.intent != Intent::Retired {
        // Another process, which knows nothing but what the catalog says.
        let moves = bed.moves();
        bed.members.set_groups(bed.catalog.groups().await.unwrap());
        bed.members.set_moves(&bed.catalog.moves().await.unwrap());
        // Few turns at first and more later, with no rhythm, so that every kind of step is hit and it ends at last.
        round += 1;
        let cut = CutOff { work: Box::pin(moves.pass()), turns: 1 + (round * 37) % (8 + round) };
        match cut.await {
            Some(passed) => drop(passed.unwrap()),
            None => cuts += 1,
        }
        if round % 7 == 0 {
            bed.check_readable().await;
            delete(&bed.extents).await;
        }
        if round % 20 == 10 && bed.files.len() < 40 {
            let next = 1000 + bed.files.len() as u64;
            bed.store_some(next..next + 1).await;
        }
    }
    assert!(cuts > 20, "{cuts} of {round} times cut off");
    bed.check_settled().await;
}

/// Ends the worker where `point` is reached for the `turn`th time, as a crash there would; whether it came so far.
async fn crash_at(moves: &Moves, point: &'static str, turn: u32) -> bool {
    let turns = Cell::new(0);
    let _watch = failpoint::watch(move |name| {
        turns.set(turns.get() + u32::from(name == point));
        if name == point && turns.get() == turn {
            panic::resume_unwind(Box::new(point));
        }
    });
    loop {
        match AssertUnwindSafe(moves.pass()).catch_unwind().await {
            Err(_) => return true,
            Ok(passed) => {
                if !passed.unwrap() {
                    return false;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_crash_at_any_named_step_is_taken_up_again() {
    for (number, point) in [
        "moves.planned",
        "moves.copied",
        "moves.counted",
        "moves.relocated",
        "moves.before_switch",
        "moves.switched",
    ]
    .into_iter()
    .enumerate()
    {
        let bed = Bed::of_seven().await;
        bed.drain(1 + number % 5, false).await;
        let turn = if point == "moves.planned" { 1 } else { 2 };
        assert!(crash_at(&bed.moves(), point, turn).await, "{point} is never reached");
        bed.check_readable().await;
        delete(&bed.extents).await;
        bed.check_readable().await;
        // Another process, which knows nothing but what the catalog says.
        bed.members.set_groups(bed.catalog.groups().await.unwrap());
        bed.members.set_moves(&bed.catalog.moves().await.unwrap());
        bed.work(&bed.moves()).await;
        bed.check_settled().await;
        assert_eq!(bed.shards.count(bed.nodes[1 + number % 5]), 0, "{point}");
    }
}

use super::*;
use crate::{
    catalog::Role,
    test_bed::{ClusterBed, GROUPS, noise},
};

async fn present(bed: &ClusterBed) -> Present {
    Present::look(&bed.catalog, &bed.members, PATIENCE).await.unwrap()
}

fn to(wanted: &Wanted, node: NodeId) -> usize {
    wanted.moves.iter().filter(|row| row.to == node).count()
}

#[tokio::test]
async fn nothing_is_wanted_of_a_cluster_as_it_was_made() {
    let bed = ClusterBed::start().await;
    assert_eq!(present(&bed).await.wanted(), Wanted::default());
    let wanted = present(&bed).await.with(Wish::Drain(bed.nodes[0])).wanted();
    assert_eq!((wanted.moves.len(), wanted.stuck), (0, GROUPS as usize), "six nodes, and six are needed");
}

#[tokio::test]
async fn a_node_that_joins_is_given_its_share_and_one_that_leaves_gives_all() {
    let mut bed = ClusterBed::start().await;
    let new = bed.join(7, "z1").await;
    let wanted = present(&bed).await.wanted();
    assert!(to(&wanted, new) > 0 && to(&wanted, new) == wanted.moves.len(), "{wanted:?}");
    let half = present(&bed).await.with(Wish::Factor(new, 100)).wanted();
    assert!(half.moves.len() < wanted.moves.len(), "{} < {}", half.moves.len(), wanted.moves.len());
    let leaving = present(&bed).await.with(Wish::Drain(bed.nodes[2])).wanted();
    assert_eq!((to(&leaving, new), leaving.stuck), (GROUPS as usize, 0));
    bed.bury(6).await;
    let wanted = Present { patience: Duration::ZERO, ..present(&bed).await }.wanted();
    assert_eq!(wanted, Wanted::default(), "who is away is given nothing");
}

#[tokio::test]
async fn the_capacity_that_counts_follows_only_large_changes() {
    let bed = ClusterBed::start().await;
    assert_eq!(present(&bed).await.drifted().len(), 6, "nothing is noted yet");
    for (node, capacity) in present(&bed).await.drifted() {
        bed.catalog.set_counted_capacity(node, capacity).await.unwrap();
    }
    let mut now = present(&bed).await;
    assert_eq!(now.drifted(), []);
    now.nodes[0].row.capacity += now.nodes[0].row.capacity / 5;
    assert_eq!(now.drifted(), []);
    now.nodes[0].row.capacity *= 2;
    assert_eq!(now.drifted().len(), 1);
}

#[test]
fn weights_are_capacity_times_factor() {
    let share = Share { factor_permille: 500, capacity: 8 << 20, retire: false };
    assert_eq!(weight(Some(&share), 1 << 60), 4000);
    assert_eq!(weight(None, 8 << 20), 8000);
    assert!(weight(None, 0) > 0 && weight(None, u64::MAX) > 0);
    let most = Share { factor_permille: u32::MAX, ..share };
    assert!(weight(Some(&Share { capacity: u64::MAX, ..most }), 0) > 0);
}

#[tokio::test]
async fn a_plan_says_what_moves_before_it_does() {
    let mut bed = ClusterBed::start().await;
    bed.user("ada", Role::Editor).await;
    let new = bed.join(7, "z1").await;
    bed.settle().await;
    for number in 0..40 {
        bed.store("ada", &format!("/{number}"), noise(400_000, number)).await;
    }
    let forecast = async |wish| {
        forecast(&bed.catalog, &bed.members, bed.extents.policy, wish, (1 << 20, true)).await.unwrap()
    };
    let held = bed.members.groups().iter().filter(|group| group.members.contains(&new)).count();
    let plan = forecast(Wish::Drain(new)).await;
    assert_eq!((plan.positions, plan.groups, plan.stuck), (held, held, 0));
    assert_eq!(
        plan.shards,
        bed.shards.count(new) as u64,
        "every file is one extent with a shard on each member"
    );
    assert_eq!(plan.bytes, plan.shards * 100_000);
    assert!((plan.seconds - plan.bytes as f64 / 1_048_576.0).abs() < 0.01 && plan.measured);
    assert_eq!((plan.files, plan.worst_margin, plan.crowded.len()), (plan.shards, Some(2), 0));
    let nothing = forecast(Wish::Nothing).await;
    assert_eq!((nothing.positions, nothing.shards, nothing.files), (0, 0, 0));
    let all = forecast(Wish::Drain(bed.nodes[1])).await;
    assert_eq!((all.positions, all.files), (GROUPS as usize, 40));
    (0..7).for_each(|node| bed.has_room(node, 50_000));
    assert!(!forecast(Wish::Drain(bed.nodes[1])).await.crowded.is_empty());
}

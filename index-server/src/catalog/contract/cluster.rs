//! Nodes, groups, and the shards that are missing or must go.

use super::*;
use asterism_cluster::placement;

cases![
    nodes_join_and_join_again,
    a_name_belongs_to_one_node,
    groups_are_made_once,
    short_extents_come_worst_first,
    short_extents_are_streamed_for_margins,
    short_slots_are_marked_and_cleared,
    removals_go_to_the_node_that_has_the_slot,
    small_extents_use_fewer_slots,
    confirmed_removals_are_gone,
    those_touched_by_groups_are_named,
];

async fn nodes_join_and_join_again(catalog: Catalog) {
    let row = node(NodeId::random(), "n1");
    assert_eq!(catalog.upsert_node(&row).await.unwrap(), row);
    catalog.set_intent(row.id, Intent::Asleep).await.unwrap();
    let moved = NodeRow {
        address: "[::1]:9".to_owned(),
        zone: "Zürich".to_owned(),
        capacity: 7,
        joined_ms: 99,
        ..row.clone()
    };
    let kept = catalog.upsert_node(&moved).await.unwrap();
    assert_eq!(kept, NodeRow { intent: Intent::Asleep, joined_ms: 1, ..moved });
    assert_eq!(catalog.nodes().await.unwrap(), [kept]);
    refused!(catalog.set_intent(NodeId::random(), Intent::Up).await, CatalogError::NotFound(_));
    for intent in
        [Intent::Up, Intent::Stopping, Intent::Asleep, Intent::Waking, Intent::Draining, Intent::Retired]
    {
        catalog.set_intent(row.id, intent).await.unwrap();
        assert_eq!(catalog.nodes().await.unwrap()[0].intent, intent);
    }
}

async fn a_name_belongs_to_one_node(catalog: Catalog) {
    let (one, other) = (node(NodeId::random(), "n1"), node(NodeId::random(), "n2"));
    catalog.upsert_node(&one).await.unwrap();
    refused!(catalog.upsert_node(&node(other.id, "n1")).await, CatalogError::Conflict(_));
    catalog.upsert_node(&other).await.unwrap();
    refused!(catalog.upsert_node(&node(other.id, "n1")).await, CatalogError::Conflict(_));
    catalog.upsert_node(&node(other.id, "n3")).await.unwrap();
    let racing = (0..6).map(|_| {
        let catalog = catalog.clone();
        tokio::spawn(async move { catalog.upsert_node(&node(NodeId::random(), "same")).await.is_ok() })
    });
    let won =
        futures::future::join_all(racing).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
    assert_eq!(won, 1);
}

async fn groups_are_made_once(catalog: Catalog) {
    let nodes = cluster_of(&catalog, 7).await;
    let groups = catalog.groups().await.unwrap();
    assert_eq!(groups.len(), 4);
    assert_eq!(groups[3].members, [nodes[3], nodes[4], nodes[5], nodes[6], nodes[0], nodes[1]]);
    refused!(catalog.create_groups(&groups).await, CatalogError::Exists(_));
    refused!(catalog.create_groups(&[]).await, CatalogError::Exists(_));
    let twice = Group { id: 9, members: vec![nodes[0], nodes[0]] };
    refused!(catalog.create_groups(&[twice]).await, CatalogError::Internal(_));
}

/// Files of one extent each in group 0, short of these slots.
async fn short_files(catalog: &Catalog, owner: &UserName, shorts: &[&[u8]]) -> Vec<ExtentId> {
    let mut ids = Vec::new();
    for (number, short) in shorts.iter().enumerate() {
        let mut file = stored(owner, &format!("/s{number}"), &[0]);
        file.extents[0].short_slots = short.to_vec();
        put(catalog, &file).await;
        ids.push(file.extents[0].id);
    }
    ids
}

async fn short_extents_come_worst_first(catalog: Catalog) {
    let ada = ada(&catalog).await;
    cluster_of(&catalog, 6).await;
    let ids = short_files(&catalog, &ada, &[&[0], &[1, 2], &[], &[5], &[0, 1, 2], &[4, 3]]).await;
    let wanted = [ids[4], ids[1], ids[5], ids[0], ids[3]];
    let all = catalog.short_worst(None, 100).await.unwrap();
    assert_eq!(all.iter().map(|(_, row)| row.id).collect::<Vec<_>>(), wanted);
    assert_eq!(all[2].1.short_slots, [3, 4]);
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let some = catalog.short_worst(after, 2).await.unwrap();
        let Some((position, _)) = some.last() else { break };
        after = Some(*position);
        paged.extend(some.iter().map(|(_, row)| row.id));
    }
    assert_eq!(paged, wanted, "a repair that cannot go on with the first can go on behind them");
}

async fn short_extents_are_streamed_for_margins(catalog: Catalog) {
    let ada = ada(&catalog).await;
    cluster_of(&catalog, 6).await;
    let mut ids = short_files(&catalog, &ada, &[&[0], &[1, 2], &[], &[5], &[0, 1, 2]]).await;
    ids.remove(2);
    ids.sort();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let some = catalog.short_all(after, 3).await.unwrap();
        let Some(last) = some.last() else { break };
        after = Some(last.extent);
        assert!(
            some.iter()
                .all(|short| (short.group, short.data, short.parity) == (0, 4, 2) && !short.slots.is_empty())
        );
        seen.extend(some.iter().map(|short| short.extent));
    }
    assert_eq!(seen, ids);
    assert_eq!(catalog.short_count().await.unwrap(), 4);
}

async fn short_slots_are_marked_and_cleared(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let nodes = cluster_of(&catalog, 7).await;
    let id = short_files(&catalog, &ada, &[&[]]).await[0];
    let holders = placement::slots(id, &catalog.groups().await.unwrap()[0].members, 6);
    assert!(catalog.mark_short(id, 5, holders[5]).await.unwrap());
    assert!(!catalog.mark_short(id, 5, holders[5]).await.unwrap(), "that is known");
    assert!(catalog.mark_short(id, 0, holders[0]).await.unwrap());
    assert_eq!(catalog.extent(id).await.unwrap().short_slots, [0, 5]);
    refused!(catalog.mark_short(id, 6, holders[0]).await, CatalogError::Internal(_));
    assert!(!catalog.mark_short(ExtentId::random(), 0, holders[0]).await.unwrap());
    assert!(!catalog.mark_short(id, 1, holders[2]).await.unwrap(), "what another node lacks says nothing");
    assert!(!catalog.clear_short(id, 5, nodes[6]).await.unwrap(), "what another node has says nothing");
    for _ in 0..2 {
        assert!(catalog.clear_short(id, 5, holders[5]).await.unwrap());
    }
    assert_eq!(catalog.extent(id).await.unwrap().short_slots, [0]);
    assert!(catalog.clear_short(id, 0, holders[0]).await.unwrap());
    assert_eq!(catalog.short_count().await.unwrap(), 0);
}

pub(super) async fn removals(catalog: &Catalog, nodes: &[NodeId]) -> Vec<(u8, NodeId)> {
    let mut all = Vec::new();
    for node in nodes {
        all.extend(
            catalog.removals_of(*node, 100).await.unwrap().iter().map(|removal| (removal.slot, *node)),
        );
    }
    all.sort();
    all
}

async fn removals_go_to_the_node_that_has_the_slot(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let nodes = cluster_of(&catalog, 7).await;
    let file = stored(&ada, "/f", &[1]);
    put(&catalog, &file).await;
    put(&catalog, &NewFile { replace: Replace::Any, ..empty(&ada, "/f") }).await;
    let members = &catalog.groups().await.unwrap()[1].members;
    let wanted: Vec<_> = (0u8..).zip(placement::slots(file.extents[0].id, members, 6)).collect();
    assert_eq!(removals(&catalog, &nodes).await, wanted);
    let mut with = catalog.nodes_with_removals().await.unwrap();
    with.sort();
    let mut members = members.clone();
    members.sort();
    assert_eq!(with, members);
}

async fn small_extents_use_fewer_slots(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let nodes = cluster_of(&catalog, 6).await;
    let mut file = stored(&ada, "/f", &[0]);
    file.extents[0].data = 1;
    put(&catalog, &file).await;
    catalog.trash(&ada, &path("/f")).await.unwrap();
    catalog.purge_expired(now_ms() + 1000, 10).await.unwrap();
    let slots: Vec<_> = removals(&catalog, &nodes).await.iter().map(|(slot, _)| *slot).collect();
    assert_eq!(slots, [0, 1, 2]);
}

async fn confirmed_removals_are_gone(catalog: Catalog) {
    let nodes = cluster_of(&catalog, 6).await;
    let extent = ExtentId::random();
    catalog.remove_shard(extent, 1, nodes[0]).await.unwrap();
    catalog.remove_shard(extent, 2, nodes[0]).await.unwrap();
    catalog.remove_shard(extent, 1, nodes[1]).await.unwrap();
    let first = catalog.removals_of(nodes[0], 1).await.unwrap();
    assert_eq!((first.len(), first[0].extent, first[0].slot), (1, extent, 1));
    catalog.confirm_removals(&[first[0].id]).await.unwrap();
    catalog.confirm_removals(&[first[0].id]).await.unwrap();
    catalog.confirm_removals(&[]).await.unwrap();
    assert_eq!(removals(&catalog, &nodes).await.len(), 2);
    assert_eq!(catalog.removal_count().await.unwrap(), 2);
}

async fn those_touched_by_groups_are_named(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let bob = catalog.create_user(&user("bob"), "x", Role::Editor).await.unwrap().name;
    cluster_of(&catalog, 6).await;
    for (owner, at, groups, tag) in [
        (&ada, "/1", &[0, 1][..], "tax"),
        (&ada, "/2", &[1], "tax"),
        (&ada, "/3", &[3], "photo"),
        (&bob, "/4", &[0, 0, 1], "song"),
    ] {
        let entry = put(&catalog, &stored(owner, at, groups)).await;
        catalog.add_user_tag(entry.id, &Tag::new("user", tag).unwrap(), owner).await.unwrap();
    }
    let touched = catalog.files_touched(&[0, 1], 1000).await.unwrap();
    assert_eq!(touched.files, 3, "a file with many extents counts once");
    assert_eq!(touched.owners, ["ada", "bob"]);
    assert_eq!(touched.tags, ["tax", "song"]);
    assert_eq!(catalog.files_touched(&[2], 1000).await.unwrap(), Touched::default());
    assert_eq!(catalog.files_touched(&[], 1000).await.unwrap(), Touched::default());
    assert_eq!(catalog.files_touched(&[0, 1], 2).await.unwrap().files, 2, "bounded");
    let many: Vec<u32> = (0..5000).collect();
    assert_eq!(catalog.files_touched(&many, 1000).await.unwrap().files, 4);
}

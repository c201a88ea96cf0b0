//! Where shards lie: on spares, on their way, and home again.

use super::{cluster::removals, races::at_once, *};
use asterism_cluster::placement;
use std::collections::BTreeMap;

cases![
    a_shard_lies_where_it_was_written,
    a_group_that_changed_during_an_upload_changes_no_shard,
    a_shard_on_a_retired_node_is_none,
    a_counted_copy_takes_the_place_of_the_old_shard,
    a_copy_that_came_too_late_goes,
    nothing_is_copied_to_where_it_is_to_be_removed,
    a_shard_that_belongs_there_is_not_removed,
    a_member_is_replaced_when_all_its_shards_are_there,
    a_shard_on_a_third_node_stays_there,
    small_extents_and_short_slots_are_in_nobodys_way,
    a_file_deleted_during_a_move_leaves_nothing,
    uploads_during_a_switch_stay_where_they_are,
    moves_are_wanted_all_at_once,
    what_is_scattered_is_told_once,
    a_node_is_retired_when_nothing_hangs_on_it,
    shares_are_kept,
    loads_are_counted_by_group,
];

/// The node of each slot, as the catalog names it.
async fn holders(catalog: &Catalog, id: ExtentId) -> Vec<NodeId> {
    let (row, groups) = (catalog.extent(id).await.unwrap(), catalog.groups().await.unwrap());
    let shards = usize::from(row.data + row.parity);
    let mut nodes = placement::slots(id, &groups[row.group as usize].members, shards);
    row.elsewhere.iter().for_each(|(slot, node)| nodes[usize::from(*slot)] = *node);
    nodes
}

/// A file of one extent in group 0, whose slots were written to the group's members but for these.
async fn scattered(catalog: &Catalog, owner: &UserName, at: &str, spares: &[(usize, NodeId)]) -> ExtentId {
    let mut file = stored(owner, at, &[0]);
    let extent = &mut file.extents[0];
    extent.nodes = placement::slots(extent.id, &catalog.groups().await.unwrap()[0].members, 6);
    spares.iter().for_each(|(slot, node)| extent.nodes[*slot] = *node);
    put(catalog, &file).await;
    file.extents[0].id
}

/// The slot of the extent that stands at a position of its group.
fn slot_at(id: ExtentId, position: usize) -> u8 {
    placement::slot_at(id, position, WIDTH, WIDTH).unwrap() as u8
}

async fn relocated(catalog: &Catalog, extent: ExtentId, slot: u8, from: NodeId, to: NodeId) -> Settled {
    catalog.relocate(&[Relocated { extent, slot, from, to }]).await.unwrap()[0]
}

async fn remove(catalog: &Catalog, owner: &UserName, at: &str) {
    catalog.trash(owner, &path(at)).await.unwrap();
    catalog.purge_expired(now_ms() + 1000, 10).await.unwrap();
}

async fn a_shard_lies_where_it_was_written(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let nodes = cluster_of(&catalog, 7).await;
    let id = scattered(&catalog, &ada, "/f", &[(2, nodes[6])]).await;
    let row = catalog.extent(id).await.unwrap();
    assert_eq!((row.elsewhere.clone(), row.short_slots.len()), (vec![(2, nodes[6])], 0));
    let content = catalog.stat(&ada, &path("/f")).await.unwrap().content.unwrap().id;
    assert_eq!(catalog.extents(content, 0..1000).await.unwrap(), std::slice::from_ref(&row));
    assert_eq!(catalog.extents_after(None, 10).await.unwrap(), std::slice::from_ref(&row));
    assert_eq!(catalog.extents_of_group(0, None, 10).await.unwrap(), std::slice::from_ref(&row));
    assert_eq!(catalog.scattered_extents(None, 10).await.unwrap(), [row]);
    let holders = holders(&catalog, id).await;
    remove(&catalog, &ada, "/f").await;
    let mut wanted: Vec<_> = (0u8..).zip(holders).collect();
    wanted.sort();
    assert_eq!(removals(&catalog, &nodes).await, wanted, "removed from where it lies, and nowhere else");
    assert_eq!(catalog.elsewhere_count().await.unwrap(), 0);
}

async fn a_group_that_changed_during_an_upload_changes_no_shard(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let nodes = cluster_of(&catalog, 7).await;
    let mut file = stored(&ada, "/f", &[0]);
    let id = file.extents[0].id;
    file.extents[0].nodes = placement::slots(id, &nodes[..6], 6);
    assert_eq!(catalog.switch_member(0, 3, nodes[3], nodes[6]).await.unwrap(), 0);
    put(&catalog, &file).await;
    assert_eq!(catalog.extent(id).await.unwrap().elsewhere, [(slot_at(id, 3), nodes[3])]);
    assert_eq!(holders(&catalog, id).await, file.extents[0].nodes);
}

async fn a_shard_on_a_retired_node_is_none(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let nodes = cluster_of(&catalog, 8).await;
    let spare = NodeId::random();
    catalog.upsert_node(&node(spare, "spare")).await.unwrap();
    catalog.retire(spare).await.unwrap();
    let id = scattered(&catalog, &ada, "/f", &[(1, spare), (4, nodes[7])]).await;
    let row = catalog.extent(id).await.unwrap();
    assert_eq!((row.short_slots, row.elsewhere), (vec![1], vec![(4, nodes[7])]));
    let mut file = stored(&ada, "/g", &[0]);
    file.extents[0].nodes = vec![NodeId::random(); 6];
    refused!(catalog.commit_file(&file).await, CatalogError::NotFound("node"));
    file.extents[0].nodes.pop();
    refused!(catalog.commit_file(&file).await, CatalogError::Internal(_));
}

async fn a_counted_copy_takes_the_place_of_the_old_shard(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let nodes = cluster_of(&catalog, 8).await;
    let id = scattered(&catalog, &ada, "/f", &[]).await;
    let home = holders(&catalog, id).await[2];
    catalog.mark_short(id, 2, home).await.unwrap();
    assert_eq!(relocated(&catalog, id, 2, home, nodes[6]).await, Settled::Done);
    let row = catalog.extent(id).await.unwrap();
    assert_eq!((row.elsewhere, row.short_slots), (vec![(2, nodes[6])], vec![]), "the copy was counted");
    assert_eq!(removals(&catalog, &nodes).await, [(2, home)]);
    assert_eq!(relocated(&catalog, id, 2, nodes[6], nodes[7]).await, Settled::Done);
    assert_eq!(catalog.extent(id).await.unwrap().elsewhere, [(2, nodes[7])]);
    // Home again, once the node has removed what it had.
    let gone = catalog.removals_of(home, 10).await.unwrap();
    catalog.confirm_removals(&[gone[0].id]).await.unwrap();
    assert_eq!(relocated(&catalog, id, 2, nodes[7], home).await, Settled::Done);
    assert_eq!(catalog.extent(id).await.unwrap().elsewhere, []);
    let mut left = vec![(2, nodes[6]), (2, nodes[7])];
    left.sort();
    assert_eq!(removals(&catalog, &nodes).await, left);
}

async fn a_copy_that_came_too_late_goes(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let nodes = cluster_of(&catalog, 9).await;
    let id = scattered(&catalog, &ada, "/f", &[]).await;
    let home = holders(&catalog, id).await;
    assert_eq!(relocated(&catalog, id, 2, home[2], nodes[6]).await, Settled::Done);
    // From where it no longer lies, to where it lies already, and to a node that has another shard of the extent.
    assert_eq!(relocated(&catalog, id, 2, home[2], nodes[7]).await, Settled::Overtaken);
    assert_eq!(relocated(&catalog, id, 2, home[2], nodes[6]).await, Settled::Overtaken);
    assert_eq!(relocated(&catalog, id, 3, home[3], nodes[6]).await, Settled::Overtaken);
    assert_eq!(holders(&catalog, id).await[2..4], [nodes[6], home[3]]);
    let mut wanted = vec![(2, home[2]), (2, nodes[7]), (3, nodes[6])];
    wanted.sort();
    assert_eq!(removals(&catalog, &nodes).await, wanted, "and the good one stays");
    let gone = ExtentId::random();
    assert_eq!(relocated(&catalog, gone, 5, nodes[0], nodes[8]).await, Settled::Gone);
    assert_eq!(catalog.removals_of(nodes[8], 10).await.unwrap()[0].extent, gone);
    let retired = NodeId::random();
    catalog.upsert_node(&node(retired, "retired")).await.unwrap();
    catalog.retire(retired).await.unwrap();
    assert_eq!(relocated(&catalog, id, 0, home[0], retired).await, Settled::Overtaken);
    assert_eq!(holders(&catalog, id).await[0], home[0]);
}

async fn nothing_is_copied_to_where_it_is_to_be_removed(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let nodes = cluster_of(&catalog, 7).await;
    let id = scattered(&catalog, &ada, "/f", &[]).await;
    let home = holders(&catalog, id).await[0];
    assert_eq!(relocated(&catalog, id, 0, home, nodes[6]).await, Settled::Done);
    let awaiting = catalog.awaiting_removal(&[id, ExtentId::random()]).await.unwrap();
    assert_eq!(awaiting.into_iter().collect::<Vec<_>>(), [(id, 0, home)]);
    assert_eq!(relocated(&catalog, id, 0, nodes[6], home).await, Settled::Overtaken);
    assert_eq!(holders(&catalog, id).await[0], nodes[6]);
}

async fn a_shard_that_belongs_there_is_not_removed(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let nodes = cluster_of(&catalog, 7).await;
    let id = scattered(&catalog, &ada, "/f", &[(3, nodes[6])]).await;
    let home = holders(&catalog, id).await;
    refused!(catalog.remove_shard(id, 3, nodes[6]).await, CatalogError::Conflict(_));
    refused!(catalog.remove_shard(id, 0, home[0]).await, CatalogError::Conflict(_));
    catalog.remove_shard(id, 0, nodes[6]).await.unwrap();
    catalog.remove_shard(ExtentId::random(), 0, home[0]).await.unwrap();
    assert_eq!(catalog.removal_count().await.unwrap(), 2);
}

async fn a_member_is_replaced_when_all_its_shards_are_there(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let nodes = cluster_of(&catalog, 7).await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(scattered(&catalog, &ada, &format!("/{number}"), &[]).await);
    }
    refused!(catalog.switch_member(0, 1, nodes[2], nodes[6]).await, CatalogError::Conflict(_));
    refused!(catalog.switch_member(0, 1, nodes[1], nodes[3]).await, CatalogError::Conflict(_));
    refused!(catalog.switch_member(9, 1, nodes[1], nodes[6]).await, CatalogError::Internal(_));
    catalog.set_moves(&[MoveRow { group: 0, position: 1, to: nodes[6] }]).await.unwrap();
    for (done, id) in ids.iter().enumerate() {
        let left = catalog.switch_member(0, 1, nodes[1], nodes[6]).await.unwrap();
        assert_eq!(left, (ids.len() - done) as u64);
        assert_eq!(catalog.groups().await.unwrap()[0].members[1], nodes[1], "not before all are there");
        assert_eq!(relocated(&catalog, *id, slot_at(*id, 1), nodes[1], nodes[6]).await, Settled::Done);
    }
    assert_eq!(catalog.switch_member(0, 1, nodes[1], nodes[6]).await.unwrap(), 0);
    assert_eq!(catalog.groups().await.unwrap()[0].members[1], nodes[6]);
    assert_eq!((catalog.elsewhere_count().await.unwrap(), catalog.moves().await.unwrap().len()), (0, 0));
    for id in ids {
        assert_eq!(holders(&catalog, id).await[usize::from(slot_at(id, 1))], nodes[6]);
    }
    refused!(catalog.switch_member(0, 1, nodes[1], nodes[6]).await, CatalogError::Conflict(_));
}

async fn a_shard_on_a_third_node_stays_there(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let nodes = cluster_of(&catalog, 8).await;
    let id = scattered(&catalog, &ada, "/f", &[]).await;
    let slot = slot_at(id, 2);
    assert_eq!(relocated(&catalog, id, slot, nodes[2], nodes[7]).await, Settled::Done);
    assert_eq!(catalog.switch_member(0, 2, nodes[2], nodes[6]).await.unwrap(), 0);
    assert_eq!(catalog.extent(id).await.unwrap().elsewhere, [(slot, nodes[7])]);
    assert_eq!(relocated(&catalog, id, slot, nodes[7], nodes[6]).await, Settled::Done);
    assert_eq!(catalog.elsewhere_count().await.unwrap(), 0, "home, as the group says now");
}

async fn small_extents_and_short_slots_are_in_nobodys_way(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let nodes = cluster_of(&catalog, 7).await;
    let mut small = stored(&ada, "/small", &[0]);
    small.extents[0].data = 1;
    put(&catalog, &small).await;
    let id = small.extents[0].id;
    let beyond = (0..WIDTH).find(|position| slot_at(id, *position) > 2).unwrap();
    let from = nodes[beyond];
    assert_eq!(
        catalog.switch_member(0, beyond as u8, from, nodes[6]).await.unwrap(),
        0,
        "no shard of it there"
    );
    let within = (0..WIDTH).find(|position| slot_at(id, *position) <= 2).unwrap();
    assert_eq!(catalog.switch_member(0, within as u8, nodes[within], from).await.unwrap(), 1);
    catalog.mark_short(id, slot_at(id, within), nodes[within]).await.unwrap();
    assert_eq!(
        catalog.switch_member(0, within as u8, nodes[within], from).await.unwrap(),
        0,
        "none is there to move"
    );
    assert_eq!(
        catalog.extent(id).await.unwrap().short_slots.len(),
        1,
        "it is rebuilt where the group says now"
    );
}

async fn a_file_deleted_during_a_move_leaves_nothing(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let nodes = cluster_of(&catalog, 7).await;
    let id = scattered(&catalog, &ada, "/f", &[]).await;
    catalog.set_moves(&[MoveRow { group: 0, position: 4, to: nodes[6] }]).await.unwrap();
    let mut wanted: Vec<_> = (0u8..).zip(holders(&catalog, id).await).collect();
    // It may have been copied, though nothing says so yet.
    wanted.push((slot_at(id, 4), nodes[6]));
    wanted.sort();
    remove(&catalog, &ada, "/f").await;
    assert_eq!(removals(&catalog, &nodes).await, wanted);
}

async fn uploads_during_a_switch_stay_where_they_are(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let nodes = cluster_of(&catalog, 7).await;
    let before = catalog.groups().await.unwrap()[0].members.clone();
    let uploading = at_once(6, |writer| {
        let (catalog, ada, before) = (catalog.clone(), ada.clone(), before.clone());
        async move {
            let mut ids = Vec::new();
            for number in 0..15 {
                let mut file = stored(&ada, &format!("/{writer}-{number}"), &[0]);
                file.extents[0].nodes = placement::slots(file.extents[0].id, &before, 6);
                put(&catalog, &file).await;
                ids.push(file.extents[0].id);
            }
            ids
        }
    });
    let moving = async {
        let mut moved = 0;
        loop {
            for row in catalog.extents_of_group(0, None, PAGE_MAX).await.unwrap() {
                let slot = slot_at(row.id, 2);
                if row.elsewhere.is_empty() {
                    relocated(&catalog, row.id, slot, nodes[2], nodes[6]).await;
                    moved += 1;
                }
            }
            if moved > 20 && catalog.switch_member(0, 2, nodes[2], nodes[6]).await.unwrap() == 0 {
                return;
            }
        }
    };
    let (ids, ()) = tokio::join!(uploading, moving);
    let mut on: BTreeMap<NodeId, u32> = BTreeMap::new();
    for id in ids.into_iter().flatten() {
        let slot = slot_at(id, 2);
        let holder = holders(&catalog, id).await[usize::from(slot)];
        let removed = catalog.awaiting_removal(&[id]).await.unwrap();
        assert!(!removed.contains(&(id, slot, holder)), "what lies there is not to be removed");
        *on.entry(holder).or_default() += 1;
    }
    assert!(on.keys().all(|node| [nodes[2], nodes[6]].contains(node)), "{on:?}");
    assert_eq!(on.values().sum::<u32>(), 90);
    let stay = u64::from(on.get(&nodes[2]).copied().unwrap_or(0));
    assert_eq!(catalog.elsewhere_count().await.unwrap(), stay, "those that came after the switch");
}

async fn moves_are_wanted_all_at_once(catalog: Catalog) {
    let nodes = cluster_of(&catalog, 8).await;
    put(&catalog, &stored(&ada(&catalog).await, "/f", &[0, 0, 3])).await;
    let wanted =
        [MoveRow { group: 0, position: 1, to: nodes[6] }, MoveRow { group: 3, position: 0, to: nodes[7] }];
    catalog.set_moves(&wanted).await.unwrap();
    catalog.set_moves(&wanted).await.unwrap();
    assert_eq!(catalog.moves().await.unwrap(), wanted);
    assert_eq!(catalog.moves_left().await.unwrap(), 3);
    for row in catalog.extents_of_group(0, None, 10).await.unwrap() {
        relocated(&catalog, row.id, slot_at(row.id, 1), nodes[1], nodes[6]).await;
    }
    assert_eq!(catalog.moves_left().await.unwrap(), 1);
    catalog.set_moves(&wanted[1..]).await.unwrap();
    assert_eq!(catalog.moves().await.unwrap(), wanted[1..]);
    assert_eq!(catalog.moves_left().await.unwrap(), 3, "two are to come home");
    catalog.set_moves(&[]).await.unwrap();
    assert_eq!(catalog.moves().await.unwrap(), []);
}

async fn what_is_scattered_is_told_once(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let nodes = cluster_of(&catalog, 8).await;
    for number in 0..4 {
        let mut file = stored(&ada, &format!("/{number}"), &[0]);
        let extent = &mut file.extents[0];
        extent.nodes = placement::slots(extent.id, &nodes[..6], 6);
        extent.nodes[usize::from(slot_at(extent.id, 3))] = nodes[6 + number % 2];
        put(&catalog, &file).await;
    }
    let mut wanted: Vec<_> =
        nodes[6..].iter().map(|node| Scattered { group: 0, position: 3, node: *node }).collect();
    wanted.sort();
    let mut told = catalog.scattered().await.unwrap();
    told.sort();
    assert_eq!(told, wanted);
    assert_eq!(catalog.elsewhere_count().await.unwrap(), 4);
}

async fn a_node_is_retired_when_nothing_hangs_on_it(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let nodes = cluster_of(&catalog, 7).await;
    let spare = NodeId::random();
    catalog.upsert_node(&node(spare, "spare")).await.unwrap();
    refused!(catalog.retire(nodes[0]).await, CatalogError::Conflict(_));
    let id = scattered(&catalog, &ada, "/f", &[(1, spare)]).await;
    refused!(catalog.retire(spare).await, CatalogError::Conflict(_));
    assert!(catalog.nodes().await.unwrap().iter().all(|row| row.intent == Intent::Up), "all or nothing");
    let home = placement::slots(id, &nodes[..6], 6)[1];
    assert_eq!(relocated(&catalog, id, 1, spare, home).await, Settled::Done);
    catalog.set_moves(&[MoveRow { group: 0, position: 1, to: spare }]).await.unwrap();
    refused!(catalog.retire(spare).await, CatalogError::Conflict(_));
    catalog.set_moves(&[]).await.unwrap();
    let held = Holdings { removals: 1, ..Holdings::default() };
    assert_eq!(catalog.holdings(spare).await.unwrap(), held);
    catalog.retire(spare).await.unwrap();
    assert_eq!(catalog.holdings(spare).await.unwrap(), Holdings::default());
    let row = catalog.nodes().await.unwrap().into_iter().find(|row| row.id == spare).unwrap();
    assert_eq!(row.intent, Intent::Retired);
    assert_eq!(catalog.holdings(nodes[0]).await.unwrap().positions, 3);
}

async fn shares_are_kept(catalog: Catalog) {
    let nodes = cluster_of(&catalog, 7).await;
    assert!(catalog.shares().await.unwrap().is_empty());
    catalog.set_factor(nodes[0], 2500, 100).await.unwrap();
    catalog.set_counted_capacity(nodes[0], 200).await.unwrap();
    catalog.set_counted_capacity(nodes[1], 300).await.unwrap();
    catalog.drain(nodes[1], true).await.unwrap();
    catalog.set_factor(nodes[1], 10, 1).await.unwrap();
    let shares = catalog.shares().await.unwrap();
    assert_eq!(shares[&nodes[0]], Share { factor_permille: 2500, capacity: 200, retire: false });
    assert_eq!(shares[&nodes[1]], Share { factor_permille: 10, capacity: 300, retire: true });
    let intent =
        async |node| catalog.nodes().await.unwrap().into_iter().find(|row| row.id == node).unwrap().intent;
    assert_eq!(intent(nodes[1]).await, Intent::Draining);
    catalog.undrain(nodes[1]).await.unwrap();
    assert!(!catalog.shares().await.unwrap()[&nodes[1]].retire);
    assert_eq!(intent(nodes[1]).await, Intent::Up);
    refused!(catalog.drain(NodeId::random(), false).await, CatalogError::NotFound("node"));
}

async fn loads_are_counted_by_group(catalog: Catalog) {
    let ada = ada(&catalog).await;
    cluster_of(&catalog, 6).await;
    put(&catalog, &stored(&ada, "/a", &[0, 0, 2])).await;
    let mut small = stored(&ada, "/b", &[2]);
    small.extents[0].data = 1;
    put(&catalog, &small).await;
    let load = |group, data, extents| GroupLoad { group, data, parity: 2, extents, bytes: extents * 1000 };
    assert_eq!(catalog.group_loads().await.unwrap(), [load(0, 4, 2), load(2, 1, 1), load(2, 4, 1)]);
}

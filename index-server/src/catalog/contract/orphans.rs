//! Shards that nothing names.

use super::*;

cases![
    what_the_catalog_says_of_a_listed_shard,
    a_mark_ripens_and_is_claimed_once,
    what_was_named_meanwhile_is_not_claimed,
    what_is_claimed_cannot_be_named,
    walks_are_remembered,
];

fn listed(extent: ExtentId, slot: u8) -> Listed {
    Listed { extent, slot, data: 4, parity: 2, cell_bytes: 4096, extent_bytes: 1000 }
}

/// A file in group 0 whose members are the first six nodes; its extent and its nodes by slot.
async fn one_file(catalog: &Catalog, at: &str) -> (ExtentId, Vec<NodeId>) {
    let owner = user("ada");
    let file = stored(&owner, at, &[0]);
    put(catalog, &file).await;
    let members = &catalog.groups().await.unwrap()[0].members;
    (file.extents[0].id, asterism_cluster::placement::slots(file.extents[0].id, members, 6))
}

async fn what_the_catalog_says_of_a_listed_shard(catalog: Catalog) {
    ada(&catalog).await;
    let nodes = cluster_of(&catalog, 7).await;
    let (extent, holders) = one_file(&catalog, "/f").await;
    let stranger = ExtentId::random();
    let other_code = Listed { parity: 3, ..listed(extent, 1) };
    let said = |node: NodeId, shards: Vec<Listed>| {
        let catalog = catalog.clone();
        async move { catalog.standing(node, &shards).await.unwrap() }
    };
    assert_eq!(
        said(holders[0], vec![listed(extent, 0), listed(stranger, 0)]).await,
        [Standing::Named, Standing::Unnamed]
    );
    assert_eq!(
        said(holders[1], vec![other_code, listed(extent, 0)]).await,
        [Standing::Different, Standing::Unnamed]
    );
    assert_eq!(said(nodes[6], vec![listed(extent, 2)]).await, [Standing::Unnamed]);
    catalog.remove_shard(extent, 2, nodes[6]).await.unwrap();
    assert_eq!(said(nodes[6], vec![listed(extent, 2)]).await, [Standing::OnItsWay]);
    // The place of slot 3 is on its way to the seventh node.
    let position = catalog.groups().await.unwrap()[0].members.iter().position(|node| *node == holders[3]);
    let coming = MoveRow { group: 0, position: position.unwrap() as u8, to: nodes[6] };
    catalog.set_moves(&[coming]).await.unwrap();
    assert_eq!(
        said(nodes[6], vec![listed(extent, 3), listed(extent, 4)]).await,
        [Standing::OnItsWay, Standing::Unnamed]
    );
    assert_eq!(said(nodes[6], Vec::new()).await, []);
}

async fn a_mark_ripens_and_is_claimed_once(catalog: Catalog) {
    ada(&catalog).await;
    let node = cluster_of(&catalog, 6).await[0];
    let (one, other) = (ExtentId::random(), ExtentId::random());
    let keys = [(one, 0), (one, 1), (other, 0)];
    assert_eq!(catalog.mark_orphans(node, &keys, 4, 2).await.unwrap(), []);
    assert_eq!(catalog.mark_orphans(node, &keys[..2], 6, 4).await.unwrap(), keys[..2]);
    assert_eq!(catalog.mark_orphans(node, &[(ExtentId::random(), 0)], 6, 4).await.unwrap(), []);
    let shards = [listed(one, 0), listed(one, 1), listed(ExtentId::random(), 5)];
    assert_eq!(catalog.claim_orphans(node, &shards, 3).await.unwrap(), 0, "not ripe");
    assert_eq!(catalog.claim_orphans(node, &shards, 4).await.unwrap(), 2);
    assert_eq!(catalog.claim_orphans(node, &shards, 4).await.unwrap(), 0);
    let mut claimed = vec![(one, 0), (one, 1)];
    assert_eq!(catalog.claimed_orphans(node, 10).await.unwrap(), claimed);
    assert_eq!(catalog.standing(node, &shards[..1]).await.unwrap(), [Standing::OnItsWay]);
    catalog.orphans_aside(node, &claimed[..1]).await.unwrap();
    assert_eq!(catalog.claimed_orphans(node, 10).await.unwrap(), claimed.split_off(1));
    assert_eq!(catalog.standing(node, &shards[..1]).await.unwrap(), [Standing::Unnamed], "it may come again");
    assert_eq!(catalog.expired_orphans(node, i64::MAX, 10).await.unwrap(), claimed);
    assert_eq!(catalog.expired_orphans(node, 0, 10).await.unwrap(), []);
    let counts = catalog.orphan_counts().await.unwrap();
    assert_eq!((counts.marked, counts.claimed, counts.aside), (2, 1, 1));
    catalog.forget_marks(6).await.unwrap();
    catalog.forget_orphans(node, &claimed).await.unwrap();
    let counts = catalog.orphan_counts().await.unwrap();
    assert_eq!((counts.marked, counts.claimed, counts.aside), (0, 1, 0));
}

async fn what_was_named_meanwhile_is_not_claimed(catalog: Catalog) {
    let owner = ada(&catalog).await;
    cluster_of(&catalog, 6).await;
    let file = stored(&owner, "/late", &[0]);
    let id = file.extents[0].id;
    let members = &catalog.groups().await.unwrap()[0].members;
    let holder = asterism_cluster::placement::slots(id, members, 6)[0];
    catalog.mark_orphans(holder, &[(id, 0)], 1, 0).await.unwrap();
    put(&catalog, &file).await;
    assert_eq!(catalog.claim_orphans(holder, &[listed(id, 0)], 9).await.unwrap(), 0);
    assert_eq!(catalog.orphan_counts().await.unwrap().marked, 0, "the mark was wrong");
}

async fn what_is_claimed_cannot_be_named(catalog: Catalog) {
    let owner = ada(&catalog).await;
    let nodes = cluster_of(&catalog, 7).await;
    let file = stored(&owner, "/too-late", &[0]);
    let id = file.extents[0].id;
    catalog.mark_orphans(nodes[0], &[(id, 0)], 1, 0).await.unwrap();
    assert_eq!(catalog.claim_orphans(nodes[0], &[listed(id, 0)], 1).await.unwrap(), 1);
    refused!(catalog.commit_file(&file).await, CatalogError::Stale);
    // A shard that was copied to a node where it is claimed is not named there either.
    let (extent, holders) = one_file(&catalog, "/f").await;
    catalog.mark_orphans(nodes[6], &[(extent, 2)], 1, 0).await.unwrap();
    assert_eq!(catalog.claim_orphans(nodes[6], &[listed(extent, 2)], 1).await.unwrap(), 1);
    assert!(catalog.awaiting_removal(&[extent]).await.unwrap().contains(&(extent, 2, nodes[6])));
    let copied = Relocated { extent, slot: 2, from: holders[2], to: nodes[6] };
    assert_eq!(catalog.relocate(&[copied]).await.unwrap(), [Settled::Overtaken]);
}

async fn walks_are_remembered(catalog: Catalog) {
    assert_eq!(catalog.walk("scrub").await.unwrap(), Walk::default());
    let mut walk = Walk { pass: 3, after: Some(ExtentId::random()), began_ms: 5, seen: 7, ..Walk::default() };
    for _ in 0..2 {
        catalog.set_walk("scrub", &walk).await.unwrap();
        assert_eq!(catalog.walk("scrub").await.unwrap(), walk);
        walk = Walk { after: None, ended_ms: Some(9), last_ms: Some(4), found: 1, skipped: 2, ..walk };
    }
    assert_eq!(catalog.walk("orphans").await.unwrap(), Walk::default());
    ada(&catalog).await;
    cluster_of(&catalog, 6).await;
    let (extent, _) = one_file(&catalog, "/f").await;
    assert_eq!(catalog.extents_left(None).await.unwrap(), 1);
    assert_eq!(catalog.extents_left(Some(extent)).await.unwrap(), 0);
}

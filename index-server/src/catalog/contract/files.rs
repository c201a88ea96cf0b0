//! What a commit makes, and what it refuses.

use super::*;

cases![
    a_committed_file_is_there_with_all_that_hangs_on_it,
    an_empty_file_has_no_extents,
    parents_are_made_when_asked_for,
    never_replaces_nothing,
    any_replaces_the_content_and_keeps_the_entry,
    a_condition_on_the_content_is_kept,
    folders_are_never_replaced,
    ranges_find_their_extents,
    a_file_that_does_not_fit_its_extents_is_refused,
    large_files_have_many_extents,
    removed_extents_never_come_back,
];

async fn a_committed_file_is_there_with_all_that_hangs_on_it(catalog: Catalog) {
    let ada = ada(&catalog).await;
    cluster_of(&catalog, 7).await;
    let mut file = stored(&ada, "/f", &[2, 0]);
    file.extents[1].short_slots = vec![5, 1];
    file.media_type = "m".repeat(400);
    let committed = catalog.commit_file(&file).await.unwrap();
    assert!(committed.created);
    let entry = catalog.stat(&ada, &path("/f")).await.unwrap();
    assert_eq!(entry, committed.entry);
    let content = entry.content.unwrap();
    assert_eq!((content.size, content.blake3), (2000, file.blake3));
    assert_eq!(content.media_type, "m".repeat(255));
    let rows = catalog.extents(content.id, 0..2000).await.unwrap();
    for (row, new) in rows.iter().zip(&file.extents) {
        let mut short = new.short_slots.clone();
        short.sort();
        assert_eq!(
            (row.id, row.seq, row.file_offset, row.bytes),
            (new.id, new.seq, new.file_offset, new.bytes)
        );
        assert_eq!((row.group, row.data, row.parity, row.cell_bytes), (new.group, 4, 2, 4096));
        assert_eq!(row.short_slots, short);
        assert_eq!(catalog.extent(row.id).await.unwrap(), *row);
    }
    assert_eq!(rows.len(), 2);
    let tag = catalog.outbox_pending(Topic::Tag, 0, 10).await.unwrap();
    assert_eq!((tag[0].entry, tag[0].content, tag[0].scope), (entry.id, Some(content.id), Scope::Entry));
    assert_eq!(catalog.outbox_pending(Topic::Graph, 0, 10).await.unwrap()[0].entry, entry.id);
}

async fn an_empty_file_has_no_extents(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let content = put(&catalog, &empty(&ada, "/0")).await.content.unwrap();
    assert!(catalog.extents(content.id, 0..10).await.unwrap().is_empty());
    refused!(catalog.extents(ContentId(1 << 40), 0..10).await, CatalogError::NotFound(_));
}

async fn parents_are_made_when_asked_for(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let mut file = empty(&ada, "/a/b/f");
    refused!(catalog.commit_file(&file).await, CatalogError::NotFound(_));
    assert!(listed(&catalog, &ada, "/").await.is_empty());
    file.create_parents = true;
    put(&catalog, &file).await;
    put(&catalog, &NewFile { path: path("/a/b/g"), ..file.clone() }).await;
    assert_eq!(listed(&catalog, &ada, "/a/b").await, ["/a/b/f", "/a/b/g"]);
    refused!(
        catalog.commit_file(&NewFile { path: path("/a/b/f/x"), ..file }).await,
        CatalogError::NotAFolder
    );
}

async fn never_replaces_nothing(catalog: Catalog) {
    let ada = ada(&catalog).await;
    cluster_of(&catalog, 6).await;
    let first = put(&catalog, &stored(&ada, "/f", &[0])).await;
    refused!(catalog.commit_file(&stored(&ada, "/f", &[1])).await, CatalogError::Exists(_));
    assert_eq!(catalog.stat(&ada, &path("/f")).await.unwrap(), first);
    assert_eq!(catalog.removal_count().await.unwrap(), 0);
    assert_eq!(catalog.totals().await.unwrap().files, 1, "nothing of the refused upload stays");
}

async fn any_replaces_the_content_and_keeps_the_entry(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let nodes = cluster_of(&catalog, 6).await;
    let mut old = stored(&ada, "/f", &[0, 1]);
    old.extents[0].short_slots = vec![3];
    let first = put(&catalog, &old).await;
    let new = NewFile { replace: Replace::Any, blake3: [7; 32], ..stored(&ada, "/f", &[2]) };
    let second = catalog.commit_file(&new).await.unwrap();
    assert!(!second.created);
    assert_eq!(second.entry.id, first.id);
    assert_ne!(second.entry.content.as_ref().unwrap().id, first.content.as_ref().unwrap().id);
    refused!(catalog.extents(first.content.unwrap().id, 0..1).await, CatalogError::NotFound(_));
    assert_eq!(catalog.short_count().await.unwrap(), 0);
    assert_eq!(catalog.removal_count().await.unwrap(), 12, "every slot of both old extents must go");
    for node in nodes {
        let removals = catalog.removals_of(node, 100).await.unwrap();
        assert_eq!(removals.len(), 2, "groups of all six nodes: one slot of each extent");
        assert!(removals.iter().all(|removal| old.extents.iter().any(|extent| extent.id == removal.extent)));
    }
    assert_eq!(catalog.totals().await.unwrap().bytes, 1000);
}

async fn a_condition_on_the_content_is_kept(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let file = empty(&ada, "/f");
    let expecting = |hash| NewFile { replace: Replace::IfBlake3(hash), blake3: [9; 32], ..file.clone() };
    refused!(catalog.commit_file(&expecting([1; 32])).await, CatalogError::Precondition);
    put(&catalog, &file).await;
    refused!(catalog.commit_file(&expecting([1; 32])).await, CatalogError::Precondition);
    put(&catalog, &expecting(file.blake3)).await;
    refused!(catalog.commit_file(&expecting(file.blake3)).await, CatalogError::Precondition);
}

async fn folders_are_never_replaced(catalog: Catalog) {
    let ada = ada(&catalog).await;
    catalog.mkdir(&ada, &path("/d"), false).await.unwrap();
    for replace in [Replace::Never, Replace::Any, Replace::IfBlake3([0; 32])] {
        refused!(
            catalog.commit_file(&NewFile { replace, ..empty(&ada, "/d") }).await,
            CatalogError::IsAFolder
        );
        refused!(
            catalog.commit_file(&NewFile { replace, ..empty(&ada, "/") }).await,
            CatalogError::IsAFolder
        );
    }
}

async fn ranges_find_their_extents(catalog: Catalog) {
    let ada = ada(&catalog).await;
    cluster_of(&catalog, 6).await;
    let content = put(&catalog, &stored(&ada, "/f", &[0, 1, 2, 3])).await.content.unwrap().id;
    let found = async |range| -> Vec<u32> {
        catalog.extents(content, range).await.unwrap().iter().map(|row| row.seq).collect()
    };
    assert_eq!(found(0..1).await, [0]);
    assert_eq!(found(999..1001).await, [0, 1]);
    assert_eq!(found(1000..2000).await, [1]);
    assert_eq!(found(0..u64::MAX).await, [0, 1, 2, 3]);
    assert!(found(4000..9000).await.is_empty());
    assert!(found(1500..1500).await.is_empty() || found(1500..1500).await == [1]);
}

async fn a_file_that_does_not_fit_its_extents_is_refused(catalog: Catalog) {
    let ada = ada(&catalog).await;
    cluster_of(&catalog, 6).await;
    let file = stored(&ada, "/f", &[0]);
    refused!(catalog.commit_file(&NewFile { size: 999, ..file.clone() }).await, CatalogError::Internal(_));
    refused!(catalog.commit_file(&NewFile { size: u64::MAX, ..file }).await, CatalogError::Internal(_));
    assert!(listed(&catalog, &ada, "/").await.is_empty());
}

async fn large_files_have_many_extents(catalog: Catalog) {
    let ada = ada(&catalog).await;
    cluster_of(&catalog, 6).await;
    let groups: Vec<u32> = (0..1201).map(|number| number % 4).collect();
    let mut file = stored(&ada, "/large", &groups);
    for extent in &mut file.extents {
        extent.short_slots = vec![0];
    }
    let content = put(&catalog, &file).await.content.unwrap().id;
    assert_eq!(catalog.extents(content, 0..file.size).await.unwrap().len(), 1201);
    assert_eq!(catalog.short_count().await.unwrap(), 1201);
}

async fn removed_extents_never_come_back(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let nodes = cluster_of(&catalog, 6).await;
    let file = stored(&ada, "/f", &[0]);
    let given_up = AbandonedExtent { id: file.extents[0].id, shards: vec![(0, nodes[0]), (1, nodes[1])] };
    assert_eq!(catalog.remove_abandoned(std::slice::from_ref(&given_up)).await.unwrap(), 0);
    assert_eq!(catalog.remove_abandoned(&[given_up]).await.unwrap(), 0, "once more changes nothing");
    assert_eq!(catalog.removal_count().await.unwrap(), 2);
    refused!(catalog.commit_file(&file).await, CatalogError::Stale);

    let file = stored(&ada, "/g", &[0]);
    put(&catalog, &file).await;
    let used = AbandonedExtent { id: file.extents[0].id, shards: vec![(0, nodes[0])] };
    assert_eq!(
        catalog.remove_abandoned(&[used]).await.unwrap(),
        1,
        "an extent that a file has is left alone"
    );
    assert_eq!(catalog.removal_count().await.unwrap(), 2);
}

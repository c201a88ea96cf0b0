//! Thrown away, brought back, gone.

use super::*;

cases![
    what_is_thrown_away_leaves_the_tree_and_comes_back,
    a_name_is_free_once_its_file_is_thrown_away,
    restoring_makes_missing_parents,
    restoring_onto_something_is_refused,
    the_trash_is_listed_newest_first,
    only_the_owner_finds_the_trash,
    what_expired_goes_for_good,
    a_large_folder_goes_in_steps_and_is_not_restored_half,
    restored_files_are_tagged_if_they_were_not,
];

async fn what_is_thrown_away_leaves_the_tree_and_comes_back(catalog: Catalog) {
    let ada = ada(&catalog).await;
    cluster_of(&catalog, 6).await;
    catalog.mkdir(&ada, &path("/d/e"), true).await.unwrap();
    let file = put(&catalog, &stored(&ada, "/d/e/f", &[0])).await;
    put(&catalog, &stored(&ada, "/d/g", &[0, 1])).await;
    let id = catalog.trash(&ada, &path("/d")).await.unwrap();
    refused!(catalog.stat(&ada, &path("/d/e/f")).await, CatalogError::NotFound(_));
    refused!(catalog.trash(&ada, &path("/d")).await, CatalogError::NotFound(_));
    let trashed = &catalog.trash_list(&ada, None, 10).await.unwrap().items[0];
    assert_eq!((trashed.id, &trashed.path, trashed.is_folder), (id, &path("/d"), true));
    assert_eq!((trashed.files, trashed.bytes), (2, 3000));
    let totals = catalog.totals().await.unwrap();
    assert_eq!((totals.files, totals.bytes, totals.trashed_files, totals.trashed_bytes), (0, 0, 2, 3000));
    assert_eq!(
        catalog.extents(file.content.as_ref().unwrap().id, 0..1).await.unwrap().len(),
        1,
        "its bytes stay"
    );
    let restored = catalog.restore(&ada, &Restore::Path(path("/d"))).await.unwrap();
    assert_eq!((restored.id, restored.path), (trashed.entry, path("/d")));
    assert_eq!(catalog.stat(&ada, &path("/d/e/f")).await.unwrap(), file);
    assert!(catalog.trash_list(&ada, None, 10).await.unwrap().items.is_empty());
    refused!(catalog.restore(&ada, &Restore::Id(id)).await, CatalogError::NotFound(_));
    refused!(catalog.trash(&ada, &path("/")).await, CatalogError::Conflict(_));
}

async fn a_name_is_free_once_its_file_is_thrown_away(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let mut ids = Vec::new();
    for hash in 0..3 {
        let entry = put(&catalog, &NewFile { blake3: [hash; 32], ..empty(&ada, "/f") }).await;
        catalog.trash(&ada, &path("/f")).await.unwrap();
        ids.push(entry.id);
    }
    let restored = catalog.restore(&ada, &Restore::Path(path("/f"))).await.unwrap();
    assert_eq!(restored.id, ids[2], "what was thrown away last comes back first");
    assert_eq!(catalog.trash_list(&ada, None, 10).await.unwrap().items.len(), 2);
}

async fn restoring_makes_missing_parents(catalog: Catalog) {
    let ada = ada(&catalog).await;
    catalog.mkdir(&ada, &path("/a/b"), true).await.unwrap();
    put(&catalog, &empty(&ada, "/a/b/f")).await;
    let file = catalog.trash(&ada, &path("/a/b/f")).await.unwrap();
    catalog.trash(&ada, &path("/a")).await.unwrap();
    let entry = catalog.restore(&ada, &Restore::Id(file)).await.unwrap();
    assert_eq!(entry.path, path("/a/b/f"));
    assert_eq!(listed(&catalog, &ada, "/a/b").await, ["/a/b/f"]);
    refused!(catalog.restore(&ada, &Restore::Path(path("/a"))).await, CatalogError::Exists(_));
}

async fn restoring_onto_something_is_refused(catalog: Catalog) {
    let ada = ada(&catalog).await;
    put(&catalog, &empty(&ada, "/f")).await;
    let id = catalog.trash(&ada, &path("/f")).await.unwrap();
    let new = put(&catalog, &NewFile { blake3: [1; 32], ..empty(&ada, "/f") }).await;
    refused!(catalog.restore(&ada, &Restore::Id(id)).await, CatalogError::Exists(_));
    assert_eq!(catalog.stat(&ada, &path("/f")).await.unwrap(), new);
    catalog.mkdir(&ada, &path("/d"), false).await.unwrap();
    put(&catalog, &empty(&ada, "/d/f")).await;
    let id = catalog.trash(&ada, &path("/d/f")).await.unwrap();
    catalog.trash(&ada, &path("/d")).await.unwrap();
    put(&catalog, &empty(&ada, "/d")).await;
    refused!(catalog.restore(&ada, &Restore::Id(id)).await, CatalogError::NotAFolder);
}

async fn the_trash_is_listed_newest_first(catalog: Catalog) {
    let ada = ada(&catalog).await;
    for number in 0..25 {
        put(&catalog, &empty(&ada, &format!("/{number}"))).await;
        catalog.trash(&ada, &path(&format!("/{number}"))).await.unwrap();
    }
    let (mut paths, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = catalog.trash_list(&ada, cursor.as_deref(), 10).await.unwrap();
        paths.extend(page.items.iter().map(|item| item.path.to_string()));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(paths, (0..25).rev().map(|number| format!("/{number}")).collect::<Vec<_>>());
}

async fn only_the_owner_finds_the_trash(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let bob = catalog.create_user(&user("bob"), "x", Role::Editor).await.unwrap().name;
    put(&catalog, &empty(&ada, "/f")).await;
    let id = catalog.trash(&ada, &path("/f")).await.unwrap();
    assert!(catalog.trash_list(&bob, None, 10).await.unwrap().items.is_empty());
    for what in [Restore::Id(id), Restore::Path(path("/f"))] {
        refused!(catalog.restore(&bob, &what).await, CatalogError::NotFound(_));
    }
}

async fn what_expired_goes_for_good(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let nodes = cluster_of(&catalog, 6).await;
    let file = stored(&ada, "/f", &[0]);
    let entry = put(&catalog, &file).await;
    catalog.add_user_tag(entry.id, &Tag::new("user", "x").unwrap(), &ada).await.unwrap();
    let id = catalog.trash(&ada, &path("/f")).await.unwrap();
    assert_eq!(catalog.purge_expired(now_ms() - 1000, 10).await.unwrap(), Purged::default());
    assert_eq!(catalog.removal_count().await.unwrap(), 0);
    assert_eq!(catalog.purge_expired(now_ms() + 1000, 10).await.unwrap(), Purged { entries: 1, more: true });
    assert_eq!(catalog.purge_expired(now_ms() + 1000, 10).await.unwrap(), Purged::default());
    refused!(catalog.restore(&ada, &Restore::Id(id)).await, CatalogError::NotFound(_));
    refused!(catalog.extent(file.extents[0].id).await, CatalogError::NotFound(_));
    let mut slots = Vec::new();
    for node in nodes {
        slots.extend(catalog.removals_of(node, 10).await.unwrap().iter().map(|removal| removal.slot));
    }
    slots.sort();
    assert_eq!(slots, [0, 1, 2, 3, 4, 5]);
    assert_eq!(catalog.totals().await.unwrap(), Totals::default());
    assert!(catalog.projection(entry.id).await.unwrap().is_none());
}

async fn a_large_folder_goes_in_steps_and_is_not_restored_half(catalog: Catalog) {
    let ada = ada(&catalog).await;
    cluster_of(&catalog, 6).await;
    for number in 0..30 {
        let mut file = stored(&ada, &format!("/d/{}/{number}", number % 3), &[0]);
        file.create_parents = true;
        put(&catalog, &file).await;
    }
    let id = catalog.trash(&ada, &path("/d")).await.unwrap();
    assert_eq!(catalog.purge_expired(now_ms() + 1000, 10).await.unwrap(), Purged { entries: 10, more: true });
    assert_eq!(
        catalog.totals().await.unwrap(),
        Totals { trashed_files: 20, trashed_bytes: 20_000, ..Totals::default() }
    );
    refused!(catalog.restore(&ada, &Restore::Id(id)).await, CatalogError::NotFound(_));
    assert!(catalog.trash_list(&ada, None, 10).await.unwrap().items.is_empty());
    let mut entries = 10;
    while let Purged { entries: step, more: true } = catalog.purge_expired(now_ms() + 1000, 10).await.unwrap()
    {
        assert!(step <= 10);
        entries += step;
    }
    assert_eq!(entries, 34, "30 files, 3 folders and the folder itself");
    assert_eq!(catalog.removal_count().await.unwrap(), 180);
    let told = catalog.outbox_pending(Topic::Graph, 0, 1000).await.unwrap();
    assert_eq!(
        told.iter().filter(|row| row.scope == Scope::Entry).count(),
        60,
        "the graph hears of every file, made and gone"
    );
}

async fn restored_files_are_tagged_if_they_were_not(catalog: Catalog) {
    let ada = ada(&catalog).await;
    catalog.mkdir(&ada, &path("/d"), false).await.unwrap();
    let tagged = put(&catalog, &empty(&ada, "/d/tagged")).await;
    let skipped = put(&catalog, &empty(&ada, "/d/skipped")).await;
    let found = WeightedTag::new("type", "text", 1.0, "").unwrap();
    catalog.set_automatic(tagged.id, tagged.content.unwrap().id, "builtin", "1", &[found]).await.unwrap();
    catalog.trash(&ada, &path("/d")).await.unwrap();
    let rows = catalog.outbox_pending(Topic::Tag, 0, 10).await.unwrap();
    catalog.outbox_done(&rows.iter().map(|row| row.seq).collect::<Vec<_>>()).await.unwrap();
    catalog.restore(&ada, &Restore::Path(path("/d"))).await.unwrap();
    let rows = catalog.outbox_pending(Topic::Tag, 0, 10).await.unwrap();
    assert_eq!(
        rows.iter().map(|row| (row.entry, row.content)).collect::<Vec<_>>(),
        [(skipped.id, skipped.content.map(|c| c.id))]
    );
}

//! Folders, lists and moves.

use super::*;

cases![
    a_new_tree_is_empty,
    folders_are_made_and_found,
    making_parents_is_asked_for,
    a_file_is_no_folder,
    lists_are_folders_first_then_by_bytes,
    pages_cover_a_large_folder_once,
    a_page_survives_changes_beside_it,
    cursors_of_others_are_refused,
    moving_keeps_the_entry_and_all_below,
    moving_into_itself_is_refused,
    moving_onto_something_is_refused,
    moving_too_deep_is_refused,
    another_user_s_tree_does_not_exist,
    numbers_lead_back_to_paths,
    files_below_a_folder_come_in_pieces,
];

async fn a_new_tree_is_empty(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let root = catalog.stat(&ada, &LogicalPath::root()).await.unwrap();
    assert!(root.is_folder() && root.path.is_root());
    assert!(listed(&catalog, &ada, "/").await.is_empty());
    refused!(catalog.stat(&ada, &path("/a")).await, CatalogError::NotFound(_));
    refused!(catalog.list(&ada, &path("/a"), None, 10).await, CatalogError::NotFound(_));
}

async fn folders_are_made_and_found(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let made = catalog.mkdir(&ada, &path("/a"), false).await.unwrap();
    assert!(made.is_folder() && made.path == path("/a") && made.owner == ada);
    assert_eq!(catalog.stat(&ada, &path("/a/")).await.unwrap(), made);
    refused!(catalog.mkdir(&ada, &path("/a"), false).await, CatalogError::Exists(_));
    refused!(catalog.mkdir(&ada, &path("/"), false).await, CatalogError::Exists(_));
}

async fn making_parents_is_asked_for(catalog: Catalog) {
    let ada = ada(&catalog).await;
    refused!(catalog.mkdir(&ada, &path("/a/b/c"), false).await, CatalogError::NotFound(_));
    assert!(listed(&catalog, &ada, "/").await.is_empty(), "a refusal leaves nothing behind");
    let made = catalog.mkdir(&ada, &path("/a/b/c"), true).await.unwrap();
    assert_eq!(catalog.mkdir(&ada, &path("/a/b/c"), true).await.unwrap(), made);
    assert_eq!(listed(&catalog, &ada, "/a").await, ["/a/b"]);
    assert!(catalog.mkdir(&ada, &path("/"), true).await.is_ok());
    let deepest = "/d".repeat(PATH_DEPTH_MAX);
    catalog.mkdir(&ada, &path(&deepest), true).await.unwrap();
    assert_eq!(catalog.stat(&ada, &path(&deepest)).await.unwrap().path, path(&deepest));
}

async fn a_file_is_no_folder(catalog: Catalog) {
    let ada = ada(&catalog).await;
    put(&catalog, &empty(&ada, "/f")).await;
    refused!(catalog.mkdir(&ada, &path("/f"), true).await, CatalogError::Exists(_));
    refused!(catalog.mkdir(&ada, &path("/f/a"), true).await, CatalogError::NotAFolder);
    refused!(catalog.list(&ada, &path("/f"), None, 10).await, CatalogError::NotAFolder);
    refused!(catalog.stat(&ada, &path("/f/a")).await, CatalogError::NotFound(_));
    refused!(catalog.stat(&ada, &path("/f/a/b")).await, CatalogError::NotFound(_));
}

async fn lists_are_folders_first_then_by_bytes(catalog: Catalog) {
    let ada = ada(&catalog).await;
    for name in ["/b", "/B", "/é", "/a b"] {
        put(&catalog, &empty(&ada, name)).await;
    }
    for name in ["/z", "/Z", "/文"] {
        catalog.mkdir(&ada, &path(name), false).await.unwrap();
    }
    assert_eq!(listed(&catalog, &ada, "/").await, ["/Z", "/z", "/文", "/B", "/a b", "/b", "/é"]);
}

async fn pages_cover_a_large_folder_once(catalog: Catalog) {
    let ada = ada(&catalog).await;
    catalog.mkdir(&ada, &path("/many"), false).await.unwrap();
    let names = |number: u32| {
        if number.is_multiple_of(3) { format!("/many/d{number:05}") } else { format!("/many/文{number:05}") }
    };
    let writers = (0..8).map(|writer| {
        let (catalog, ada) = (catalog.clone(), ada.clone());
        tokio::spawn(async move {
            for number in (0..2000u32).filter(|number| number % 8 == writer) {
                if number.is_multiple_of(3) {
                    catalog.mkdir(&ada, &path(&names(number)), false).await.unwrap();
                } else {
                    put(&catalog, &empty(&ada, &names(number))).await;
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let (mut wanted, mut files): (Vec<_>, Vec<_>) =
        (0..2000).map(names).partition(|name| name.contains("/d"));
    wanted.sort();
    files.sort();
    wanted.extend(files);
    assert_eq!(listed(&catalog, &ada, "/many").await, wanted);
    let all = catalog.list(&ada, &path("/many"), None, u32::MAX).await.unwrap();
    assert_eq!(all.items.len(), PAGE_MAX as usize, "no page is larger, whatever is asked for");
    assert_eq!(catalog.list(&ada, &path("/many"), None, 0).await.unwrap().items.len(), 1);
}

async fn a_page_survives_changes_beside_it(catalog: Catalog) {
    let ada = ada(&catalog).await;
    for name in ["/b", "/d", "/f", "/h"] {
        put(&catalog, &empty(&ada, name)).await;
    }
    let first = catalog.list(&ada, &path("/"), None, 2).await.unwrap();
    catalog.trash(&ada, &path("/d")).await.unwrap(); // The last one of the page.
    put(&catalog, &empty(&ada, "/a")).await;
    put(&catalog, &empty(&ada, "/e")).await;
    let second = catalog.list(&ada, &path("/"), first.next.as_deref(), 10).await.unwrap();
    let paths: Vec<_> = second.items.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(paths, ["/e", "/f", "/h"]);
    assert_eq!(second.next, None);
}

async fn cursors_of_others_are_refused(catalog: Catalog) {
    let ada = ada(&catalog).await;
    for cursor in ["", "x", "!!", "MQ==", "AAAA", "' OR 1=1"] {
        refused!(catalog.list(&ada, &path("/"), Some(cursor), 10).await, CatalogError::InvalidCursor);
    }
    refused!(catalog.trash_list(&ada, Some("1; DROP TABLE trash"), 10).await, CatalogError::InvalidCursor);
}

async fn moving_keeps_the_entry_and_all_below(catalog: Catalog) {
    let ada = ada(&catalog).await;
    catalog.mkdir(&ada, &path("/a/b"), true).await.unwrap();
    let file = put(&catalog, &empty(&ada, "/a/b/f")).await;
    catalog.mkdir(&ada, &path("/c"), false).await.unwrap();
    let moved = catalog.move_entry(&ada, &path("/a"), &path("/c/renamed")).await.unwrap();
    assert_eq!(moved.path, path("/c/renamed"));
    let found = catalog.stat(&ada, &path("/c/renamed/b/f")).await.unwrap();
    assert_eq!((found.id, &found.content), (file.id, &file.content));
    refused!(catalog.stat(&ada, &path("/a")).await, CatalogError::NotFound(_));
    assert_eq!(catalog.move_entry(&ada, &path("/c"), &path("/c")).await.unwrap().path, path("/c"));
    refused!(catalog.move_entry(&ada, &path("/none"), &path("/x")).await, CatalogError::NotFound(_));
    refused!(catalog.move_entry(&ada, &path("/c"), &path("/none/x")).await, CatalogError::NotFound(_));
}

async fn moving_into_itself_is_refused(catalog: Catalog) {
    let ada = ada(&catalog).await;
    catalog.mkdir(&ada, &path("/a/b"), true).await.unwrap();
    refused!(catalog.move_entry(&ada, &path("/a"), &path("/a/b/c")).await, CatalogError::Conflict(_));
    refused!(catalog.move_entry(&ada, &path("/a"), &path("/a/x")).await, CatalogError::Conflict(_));
    refused!(catalog.move_entry(&ada, &path("/"), &path("/a/x")).await, CatalogError::Conflict(_));
    refused!(catalog.move_entry(&ada, &path("/a"), &path("/")).await, CatalogError::Conflict(_));
    catalog.move_entry(&ada, &path("/a"), &path("/ab")).await.unwrap();
}

async fn moving_onto_something_is_refused(catalog: Catalog) {
    let ada = ada(&catalog).await;
    catalog.mkdir(&ada, &path("/a"), false).await.unwrap();
    catalog.mkdir(&ada, &path("/b"), false).await.unwrap();
    put(&catalog, &empty(&ada, "/f")).await;
    for (from, to) in [("/a", "/b"), ("/a", "/f"), ("/f", "/a")] {
        refused!(catalog.move_entry(&ada, &path(from), &path(to)).await, CatalogError::Exists(_));
    }
    refused!(catalog.move_entry(&ada, &path("/a"), &path("/f/x")).await, CatalogError::NotAFolder);
}

async fn moving_too_deep_is_refused(catalog: Catalog) {
    let ada = ada(&catalog).await;
    catalog.mkdir(&ada, &path(&"/x".repeat(100)), true).await.unwrap();
    catalog.mkdir(&ada, &path(&"/y".repeat(28)), true).await.unwrap();
    catalog.mkdir(&ada, &path(&"/y".repeat(29)), true).await.unwrap();
    let beside = |depth: usize| path(&format!("{}/x", "/y".repeat(depth)));
    refused!(catalog.move_entry(&ada, &path("/x"), &beside(29)).await, CatalogError::Conflict(_));
    catalog.move_entry(&ada, &path("/x"), &beside(28)).await.unwrap();
    let long = format!("/{}", "l".repeat(NAME_BYTES_MAX));
    catalog.mkdir(&ada, &path(&long.repeat(15)), true).await.unwrap();
    catalog.mkdir(&ada, &path(&format!("/p{long}")), true).await.unwrap();
    let too_long = catalog.move_entry(&ada, &path(&long), &path(&format!("/p{long}{long}"))).await;
    refused!(too_long, CatalogError::Conflict(_));
}

async fn another_user_s_tree_does_not_exist(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let bob = catalog.create_user(&user("bob"), "x", Role::Editor).await.unwrap().name;
    put(&catalog, &empty(&ada, "/secret")).await;
    refused!(catalog.stat(&bob, &path("/secret")).await, CatalogError::NotFound(_));
    refused!(catalog.trash(&bob, &path("/secret")).await, CatalogError::NotFound(_));
    refused!(catalog.move_entry(&bob, &path("/secret"), &path("/mine")).await, CatalogError::NotFound(_));
    put(&catalog, &empty(&bob, "/secret")).await;
    assert_eq!(listed(&catalog, &bob, "/").await, ["/secret"]);
    let nobody = user("nobody");
    refused!(catalog.mkdir(&nobody, &path("/a"), true).await, CatalogError::NotFound(_));
    refused!(catalog.stat(&nobody, &path("/")).await, CatalogError::NotFound(_));
}

async fn numbers_lead_back_to_paths(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let folder = catalog.mkdir(&ada, &path("/a/b"), true).await.unwrap();
    let file = put(&catalog, &empty(&ada, "/a/b/f")).await;
    assert_eq!(catalog.entry(file.id).await.unwrap(), file);
    let both = catalog.entries(&[file.id, EntryId(1 << 40), folder.id]).await.unwrap();
    assert_eq!(both, [file.clone(), folder.clone()]);
    catalog.trash(&ada, &path("/a")).await.unwrap();
    refused!(catalog.entry(file.id).await, CatalogError::NotFound(_));
    assert!(catalog.entries(&[file.id, folder.id]).await.unwrap().is_empty());
    assert_eq!(catalog.files_below(folder.id, None, 10).await.unwrap(), [file.id], "also in the trash");
}

async fn files_below_a_folder_come_in_pieces(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let mut wanted = Vec::new();
    for number in 0..40 {
        let at = format!("/top/{}/{}/{number}", number % 3, number % 5);
        wanted.push(put(&catalog, &NewFile { create_parents: true, ..empty(&ada, &at) }).await.id);
    }
    put(&catalog, &empty(&ada, "/beside")).await;
    let top = catalog.stat(&ada, &path("/top")).await.unwrap().id;
    let pieces = async |gone_between: bool| {
        let (mut files, mut after) = (Vec::new(), None);
        loop {
            let some = catalog.files_below(top, after, 7).await.unwrap();
            files.extend(some.iter().copied());
            let Some(last) = some.last().filter(|_| some.len() == 7) else { break };
            after = Some(*last);
            if gone_between && files.len() == 14 {
                let at = catalog.entry(*last).await.unwrap().path;
                catalog.trash(&ada, &at).await.unwrap();
            }
        }
        files.sort();
        files.dedup();
        files
    };
    assert_eq!(pieces(false).await, wanted);
    assert_eq!(pieces(true).await, wanted, "none is missed when the last of a piece goes away");
    assert_eq!(catalog.files_below(wanted[0], None, 7).await.unwrap(), [wanted[0]], "a file is below itself");
    assert!(catalog.files_below(wanted[0], Some(wanted[0]), 7).await.unwrap().is_empty());
    assert!(catalog.files_below(EntryId(1 << 40), None, 7).await.unwrap().is_empty());
}

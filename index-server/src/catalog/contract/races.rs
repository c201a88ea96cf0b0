//! Many at once on one path: whatever the order, there is one.

use super::*;
use asterism_cluster::placement;
use futures::future::join_all;
use std::collections::BTreeSet;

cases![
    of_many_creators_one_wins,
    of_many_uploads_one_creates_and_all_are_whole,
    conditional_uploads_never_lose_an_update,
    two_moves_never_make_a_cycle,
    moves_to_one_name_have_one_winner,
    a_file_is_moved_once,
    upload_and_removal_of_a_path_leave_one_truth,
    parents_do_not_vanish_under_an_upload,
    fifty_writers_all_get_through,
    a_reader_sees_one_moment,
];

/// Runs `count` calls at once.
pub(super) async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    count: usize,
    call: impl Fn(usize) -> F,
) -> Vec<T> {
    join_all((0..count).map(|number| tokio::spawn(call(number))))
        .await
        .into_iter()
        .map(|done| done.unwrap())
        .collect()
}

async fn of_many_creators_one_wins(catalog: Catalog) {
    let ada = ada(&catalog).await;
    for round in 0..10 {
        let outcomes = at_once(8, |number| {
            let (catalog, ada, at) = (catalog.clone(), ada.clone(), format!("/{round}"));
            async move {
                if number % 2 == 0 {
                    catalog.mkdir(&ada, &path(&at), false).await.map(drop)
                } else {
                    catalog.commit_file(&empty(&ada, &at)).await.map(drop)
                }
            }
        })
        .await;
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(won, 1, "{outcomes:?}");
        for outcome in outcomes.into_iter().filter(Result::is_err) {
            refused!(outcome, CatalogError::Exists(_) | CatalogError::IsAFolder);
        }
    }
}

async fn of_many_uploads_one_creates_and_all_are_whole(catalog: Catalog) {
    let ada = ada(&catalog).await;
    cluster_of(&catalog, 6).await;
    let committed = at_once(12, |number| {
        let mut file =
            NewFile { replace: Replace::Any, blake3: [number as u8; 32], ..stored(&ada, "/a/f", &[0, 1]) };
        file.create_parents = true;
        let catalog = catalog.clone();
        async move { catalog.commit_file(&file).await.unwrap() }
    })
    .await;
    assert_eq!(committed.iter().filter(|done| done.created).count(), 1);
    assert_eq!(committed.iter().map(|done| done.entry.id).collect::<BTreeSet<_>>().len(), 1);
    let last = catalog.stat(&ada, &path("/a/f")).await.unwrap();
    assert!(committed.iter().any(|done| done.entry == last));
    assert_eq!(catalog.extents(last.content.unwrap().id, 0..2000).await.unwrap().len(), 2);
    assert_eq!(
        catalog.removal_count().await.unwrap(),
        11 * 2 * 6,
        "all that was replaced must go, and nothing else"
    );
    assert_eq!(catalog.totals().await.unwrap().files, 1);
}

async fn conditional_uploads_never_lose_an_update(catalog: Catalog) {
    let ada = ada(&catalog).await;
    put(&catalog, &NewFile { blake3: [0; 32], ..empty(&ada, "/counter") }).await;
    // Each raises the counter in the hash by one, as long as it takes.
    at_once(6, |_| {
        let (catalog, ada) = (catalog.clone(), ada.clone());
        async move {
            for _ in 0..5 {
                loop {
                    let seen = catalog.stat(&ada, &path("/counter")).await.unwrap().content.unwrap().blake3;
                    let mut next = seen;
                    next[0] += 1;
                    let file =
                        NewFile { replace: Replace::IfBlake3(seen), blake3: next, ..empty(&ada, "/counter") };
                    match catalog.commit_file(&file).await {
                        Ok(_) => break,
                        Err(CatalogError::Precondition) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                }
            }
        }
    })
    .await;
    let counter = catalog.stat(&ada, &path("/counter")).await.unwrap().content.unwrap().blake3[0];
    assert_eq!(counter, 30, "every update counted");
}

async fn two_moves_never_make_a_cycle(catalog: Catalog) {
    let ada = ada(&catalog).await;
    for round in 0..25 {
        let (a, b) = (format!("/a{round}"), format!("/b{round}"));
        for folder in [&a, &b] {
            catalog.mkdir(&ada, &path(folder), false).await.unwrap();
            put(&catalog, &empty(&ada, &format!("{folder}/kept"))).await;
        }
        let outcomes = at_once(2, |number| {
            let (from, into) = if number == 0 { (a.clone(), b.clone()) } else { (b.clone(), a.clone()) };
            let (catalog, ada) = (catalog.clone(), ada.clone());
            async move { catalog.move_entry(&ada, &path(&from), &path(&format!("{into}/moved"))).await }
        })
        .await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        let top: Vec<_> =
            listed(&catalog, &ada, "/").await.into_iter().filter(|at| *at == a || *at == b).collect();
        assert_eq!(top.len(), 1);
        assert_eq!(listed(&catalog, &ada, &format!("{}/moved", top[0])).await.len(), 1, "no subtree is lost");
    }
}

async fn moves_to_one_name_have_one_winner(catalog: Catalog) {
    let ada = ada(&catalog).await;
    for round in 0..10 {
        for number in 0..4 {
            put(&catalog, &empty(&ada, &format!("/{round}-{number}"))).await;
        }
        let outcomes = at_once(4, |number| {
            let (catalog, ada) = (catalog.clone(), ada.clone());
            async move {
                catalog
                    .move_entry(&ada, &path(&format!("/{round}-{number}")), &path(&format!("/to{round}")))
                    .await
            }
        })
        .await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    }
    assert_eq!(listed(&catalog, &ada, "/").await.len(), 40, "nobody was overwritten");
}

async fn a_file_is_moved_once(catalog: Catalog) {
    let ada = ada(&catalog).await;
    for round in 0..10 {
        put(&catalog, &empty(&ada, &format!("/from{round}"))).await;
        let outcomes = at_once(4, |number| {
            let (catalog, ada) = (catalog.clone(), ada.clone());
            async move {
                catalog
                    .move_entry(&ada, &path(&format!("/from{round}")), &path(&format!("/{round}-{number}")))
                    .await
            }
        })
        .await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    }
    assert_eq!(listed(&catalog, &ada, "/").await.len(), 10);
}

async fn upload_and_removal_of_a_path_leave_one_truth(catalog: Catalog) {
    let ada = ada(&catalog).await;
    cluster_of(&catalog, 6).await;
    at_once(6, |number| {
        let (catalog, ada) = (catalog.clone(), ada.clone());
        async move {
            for _ in 0..10 {
                let outcome = match number % 3 {
                    0 => catalog
                        .commit_file(&NewFile { replace: Replace::Any, ..stored(&ada, "/f", &[0]) })
                        .await
                        .map(drop),
                    1 => catalog.trash(&ada, &path("/f")).await.map(drop),
                    _ => catalog.restore(&ada, &Restore::Path(path("/f"))).await.map(drop),
                };
                match outcome {
                    Ok(()) | Err(CatalogError::NotFound(_) | CatalogError::Exists(_)) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
        }
    })
    .await;
    let totals = catalog.totals().await.unwrap();
    let in_tree = listed(&catalog, &ada, "/").await.len() as u64;
    let in_trash = catalog.trash_list(&ada, None, 1000).await.unwrap().items.len() as u64;
    assert_eq!((totals.files, totals.trashed_files), (in_tree, in_trash));
    // Two writers of ten files each: what is neither in the tree nor in the trash was replaced.
    assert_eq!(catalog.removal_count().await.unwrap(), (20 - in_tree - in_trash) * 6);
}

async fn parents_do_not_vanish_under_an_upload(catalog: Catalog) {
    let ada = ada(&catalog).await;
    for round in 0..15 {
        let folder = format!("/d{round}");
        catalog.mkdir(&ada, &path(&folder), false).await.unwrap();
        let outcomes = at_once(2, |number| {
            let (catalog, ada, folder) = (catalog.clone(), ada.clone(), folder.clone());
            async move {
                if number == 0 {
                    catalog.commit_file(&empty(&ada, &format!("{folder}/f"))).await.map(drop)
                } else {
                    catalog.trash(&ada, &path(&folder)).await.map(drop)
                }
            }
        })
        .await;
        assert!(outcomes[1].is_ok());
        let trashed = &catalog.trash_list(&ada, None, 1).await.unwrap().items[0];
        assert_eq!(
            trashed.files,
            u64::from(outcomes[0].is_ok()),
            "an acknowledged file is in the tree or in the trash"
        );
    }
}

async fn fifty_writers_all_get_through(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let cluster = cluster_of(&catalog, 6).await;
    let groups = catalog.groups().await.unwrap();
    at_once(50, |writer| {
        let (catalog, ada, node) = (catalog.clone(), ada.clone(), cluster[writer % 6]);
        let groups = groups.clone();
        async move {
            for number in 0..6 {
                let mut file = stored(&ada, &format!("/w{writer}/{number}"), &[writer as u32 % 4]);
                file.create_parents = true;
                let entry = put(&catalog, &file).await;
                let (id, members) = (file.extents[0].id, &groups[writer % 4].members);
                let holder = placement::slots(id, members, 6)[1];
                assert!(catalog.mark_short(id, 1, holder).await.unwrap());
                catalog
                    .add_user_tag(entry.id, &Tag::new("user", "same for all").unwrap(), &ada)
                    .await
                    .unwrap();
                catalog.set_intent(node, Intent::Up).await.unwrap();
                catalog.list(&ada, &path("/"), None, 100).await.unwrap();
            }
        }
    })
    .await;
    assert_eq!(catalog.totals().await.unwrap().files, 300);
    assert_eq!(catalog.short_count().await.unwrap(), 300);
    assert_eq!(catalog.tag_names(&ada, "same", None, 10).await.unwrap()[0].files, 300);
}

async fn a_reader_sees_one_moment(catalog: Catalog) {
    let ada = ada(&catalog).await;
    catalog.mkdir(&ada, &path("/a"), false).await.unwrap();
    catalog.mkdir(&ada, &path("/b"), false).await.unwrap();
    put(&catalog, &empty(&ada, "/a/f")).await;
    let mover = {
        let (catalog, ada) = (catalog.clone(), ada.clone());
        tokio::spawn(async move {
            for _ in 0..60 {
                catalog.move_entry(&ada, &path("/a/f"), &path("/b/f")).await.unwrap();
                catalog.move_entry(&ada, &path("/b/f"), &path("/a/f")).await.unwrap();
            }
        })
    };
    let (catalog, ada) = (&catalog, &ada);
    while !mover.is_finished() {
        // Both looks in one snapshot: the file is at one of the two places, at each moment.
        let found = catalog
            .read(|mut tx| async move {
                let mut found = 0;
                for at in ["/a/f", "/b/f"] {
                    found += usize::from(
                        super::super::tree::find(&mut tx, ada, &path(at)).await.unwrap().is_some(),
                    );
                }
                (tx, Ok(found))
            })
            .await
            .unwrap();
        assert_eq!(found, 1);
    }
    mover.await.unwrap();
}

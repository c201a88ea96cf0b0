//! All or nothing, once and for all.

use super::*;
use std::time::Duration;

cases![
    a_named_request_happens_once,
    a_name_belongs_to_one_request,
    old_names_are_forgotten,
    a_dropped_transaction_leaves_nothing,
    an_aborted_call_leaves_all_or_nothing,
    a_failing_transaction_leaves_nothing,
];

fn named(key: &str, hash: u8) -> Option<Idempotency> {
    Some(Idempotency { key: key.to_owned(), request_hash: [hash; 32] })
}

async fn a_named_request_happens_once(catalog: Catalog) {
    let ada = ada(&catalog).await;
    cluster_of(&catalog, 6).await;
    let file =
        NewFile { idempotency: named("key 1 ✓", 1), replace: Replace::Any, ..stored(&ada, "/f", &[0]) };
    assert_eq!(catalog.remembered(&ada, "key 1 ✓").await.unwrap(), None);
    let first = catalog.commit_file(&file).await.unwrap();
    // A repetition has stored its shards anew, so it comes with other extents.
    let again = NewFile { extents: stored(&ada, "/f", &[0]).extents, ..file.clone() };
    assert_eq!(catalog.commit_file(&again).await.unwrap(), first);
    refused!(catalog.extent(again.extents[0].id).await, CatalogError::NotFound(_));
    let remembered = catalog.remembered(&ada, "key 1 ✓").await.unwrap().unwrap();
    assert_eq!((remembered.committed, remembered.request_hash), (first.clone(), [1; 32]));
    put(&catalog, &NewFile { replace: Replace::Any, ..empty(&ada, "/f") }).await;
    assert_eq!(catalog.commit_file(&file).await.unwrap(), first, "also when the file has changed since");
    let racing = (0..8).map(|_| {
        let (catalog, file) = (
            catalog.clone(),
            NewFile { idempotency: named("race", 2), replace: Replace::Any, ..empty(&ada, "/r") },
        );
        tokio::spawn(async move { catalog.commit_file(&file).await.unwrap() })
    });
    let answers = futures::future::join_all(racing).await;
    assert!(answers.windows(2).all(|two| two[0].as_ref().unwrap() == two[1].as_ref().unwrap()));
}

async fn a_name_belongs_to_one_request(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let bob = catalog.create_user(&user("bob"), "x", Role::Editor).await.unwrap().name;
    put(&catalog, &NewFile { idempotency: named("k", 1), ..empty(&ada, "/f") }).await;
    let other = NewFile { idempotency: named("k", 2), ..empty(&ada, "/g") };
    refused!(catalog.commit_file(&other).await, CatalogError::Conflict(_));
    refused!(catalog.stat(&ada, &path("/g")).await, CatalogError::NotFound(_));
    put(&catalog, &NewFile { idempotency: named("k", 2), ..empty(&bob, "/f") }).await;
    put(&catalog, &NewFile { idempotency: named("K", 2), ..empty(&ada, "/g") }).await;
    let long = NewFile { idempotency: named(&"k".repeat(KEY_BYTES_MAX + 1), 1), ..empty(&ada, "/h") };
    refused!(catalog.commit_file(&long).await, CatalogError::Conflict(_));
}

async fn old_names_are_forgotten(catalog: Catalog) {
    let ada = ada(&catalog).await;
    put(&catalog, &NewFile { idempotency: named("k", 1), ..empty(&ada, "/f") }).await;
    assert_eq!(catalog.forget_requests(now_ms() - 86_400_000, 100).await.unwrap(), 0);
    assert_eq!(catalog.forget_requests(now_ms() + 1, 100).await.unwrap(), 2, "the name and the operation");
    assert_eq!(catalog.remembered(&ada, "k").await.unwrap(), None);
}

async fn a_dropped_transaction_leaves_nothing(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let ada = &ada;
    let half_way = catalog.write(|mut tx| async move {
        let made = super::super::tree::folder_made(&mut tx, ada, &path("/a/b")).await;
        std::future::pending::<()>().await;
        (tx, made)
    });
    assert!(tokio::time::timeout(Duration::from_millis(300), half_way).await.is_err());
    assert!(listed(&catalog, ada, "/").await.is_empty());
    catalog.mkdir(ada, &path("/a"), false).await.unwrap();
}

async fn an_aborted_call_leaves_all_or_nothing(catalog: Catalog) {
    let ada = ada(&catalog).await;
    cluster_of(&catalog, 6).await;
    for number in 0..40u64 {
        let file = stored(&ada, &format!("/{number}"), &[0, 1, 2]);
        let (task, ids) = (catalog.clone(), file.extents.iter().map(|extent| extent.id).collect::<Vec<_>>());
        let call = tokio::spawn(async move { task.commit_file(&file).await });
        tokio::time::sleep(Duration::from_micros(number * 250)).await;
        call.abort();
        let _ = call.await;
        // The next write waits for the connection or the lock of the aborted one, so its end is settled after this.
        catalog.mkdir(&ada, &path(&format!("/settled{number}")), false).await.unwrap();
        let there = catalog.stat(&ada, &path(&format!("/{number}"))).await.is_ok();
        for id in ids {
            assert_eq!(catalog.extent(id).await.is_ok(), there, "half a file");
        }
    }
}

async fn a_failing_transaction_leaves_nothing(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let ada = &ada;
    let failed: Result<()> = catalog
        .write(|mut tx| async move {
            let made = super::super::tree::folder_made(&mut tx, ada, &path("/a/b")).await;
            (tx, made.and(Err(CatalogError::Precondition)))
        })
        .await;
    refused!(failed, CatalogError::Precondition);
    assert!(listed(&catalog, ada, "/").await.is_empty());
}

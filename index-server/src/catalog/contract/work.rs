//! The outbox, leases and settings.

use super::*;

cases![
    a_failing_row_waits_and_blocks_nobody,
    done_rows_are_gone,
    a_lease_has_one_holder,
    a_dead_holder_is_replaced_and_learns_of_it,
    a_returned_lease_is_free,
    a_fenced_catalog_stops_with_its_lease,
    of_many_challengers_one_wins,
    a_setting_is_decided_once,
    totals_are_of_all_users,
];

async fn a_failing_row_waits_and_blocks_nobody(catalog: Catalog) {
    let ada = ada(&catalog).await;
    for at in ["/1", "/2", "/3"] {
        put(&catalog, &empty(&ada, at)).await;
    }
    let rows = catalog.outbox_pending(Topic::Tag, 0, 10).await.unwrap();
    assert_eq!(rows.len(), 3);
    let error = format!("{}…tail", "é".repeat(600)); // The cut falls into the middle of a character.
    catalog.outbox_failed(rows[0].seq, &error, 1000).await.unwrap();
    assert_eq!(catalog.outbox_pending(Topic::Tag, 999, 10).await.unwrap(), rows[1..]);
    let again = &catalog.outbox_pending(Topic::Tag, 1000, 10).await.unwrap()[0];
    assert_eq!((again.seq, again.attempts), (rows[0].seq, 1));
    let (waiting, last_error) = catalog.outbox_count(Topic::Tag).await.unwrap();
    assert_eq!(waiting, 3);
    assert!(last_error.unwrap().starts_with("éé"));
    assert_eq!(catalog.outbox_count(Topic::Graph).await.unwrap(), (3, None));
}

async fn done_rows_are_gone(catalog: Catalog) {
    let ada = ada(&catalog).await;
    put(&catalog, &empty(&ada, "/1")).await;
    put(&catalog, &empty(&ada, "/2")).await;
    let rows = catalog.outbox_pending(Topic::Tag, 0, 1).await.unwrap();
    catalog.outbox_done(&[rows[0].seq, 1 << 40]).await.unwrap();
    catalog.outbox_done(&[]).await.unwrap();
    assert_eq!(catalog.outbox_count(Topic::Tag).await.unwrap().0, 1);
    assert_eq!(catalog.outbox_count(Topic::Graph).await.unwrap().0, 2, "topics do not mix");
    catalog.outbox_failed(rows[0].seq, "gone by now", 0).await.unwrap();
}

async fn a_lease_has_one_holder(catalog: Catalog) {
    assert_eq!(catalog.current_epoch("repair").await.unwrap(), 0);
    let held = catalog.acquire_lease("repair", "one", None).await.unwrap();
    assert_eq!((held.epoch, held.holder.as_str()), (1, "one"));
    refused!(catalog.acquire_lease("repair", "two", None).await, CatalogError::Stale);
    let other = catalog.acquire_lease("scrub", "two", None).await.unwrap();
    assert_eq!(other.epoch, 1);
    let renewed = catalog.renew_lease(&held).await.unwrap();
    assert_eq!((renewed.epoch, renewed.beat), (1, held.beat + 1));
    refused!(catalog.renew_lease(&held).await, CatalogError::Stale);
    refused!(catalog.acquire_lease("repair", "two", Some(&held)).await, CatalogError::Stale);
    assert_eq!(catalog.lease("repair").await.unwrap(), Some(renewed));
    refused!(catalog.acquire_lease("repair", "", None).await, CatalogError::Internal(_));
}

async fn a_dead_holder_is_replaced_and_learns_of_it(catalog: Catalog) {
    let dead = catalog.acquire_lease("repair", "one", None).await.unwrap();
    let seen = catalog.lease("repair").await.unwrap();
    let taken = catalog.acquire_lease("repair", "two", seen.as_ref()).await.unwrap();
    assert_eq!(taken.epoch, 2);
    refused!(catalog.renew_lease(&dead).await, CatalogError::Stale);
    refused!(catalog.release_lease(&dead).await, CatalogError::Stale);
    assert_eq!(catalog.current_epoch("repair").await.unwrap(), 2);
}

async fn a_returned_lease_is_free(catalog: Catalog) {
    let held = catalog.acquire_lease("repair", "one", None).await.unwrap();
    catalog.release_lease(&held).await.unwrap();
    refused!(catalog.renew_lease(&held).await, CatalogError::Stale);
    let next = catalog.acquire_lease("repair", "two", None).await.unwrap();
    assert_eq!(next.epoch, 2);
}

async fn a_fenced_catalog_stops_with_its_lease(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let held = catalog.acquire_lease("repair", "one", None).await.unwrap();
    let fenced = catalog.fenced(&held);
    fenced.mkdir(&ada, &path("/a"), false).await.unwrap();
    let held = catalog.renew_lease(&held).await.unwrap();
    fenced.mkdir(&ada, &path("/b"), false).await.unwrap();
    catalog.acquire_lease("repair", "two", Some(&held)).await.unwrap();
    refused!(fenced.mkdir(&ada, &path("/c"), false).await, CatalogError::Stale);
    assert_eq!(listed(&fenced, &ada, "/").await, ["/a", "/b"], "reading goes on");
    catalog.mkdir(&ada, &path("/c"), false).await.unwrap();
}

async fn of_many_challengers_one_wins(catalog: Catalog) {
    for round in 0..10 {
        let seen = catalog.lease("repair").await.unwrap();
        let racing = (0..6).map(|number| {
            let (catalog, seen) = (catalog.clone(), seen.clone());
            tokio::spawn(async move {
                catalog.acquire_lease("repair", &format!("{round}-{number}"), seen.as_ref()).await.ok()
            })
        });
        let won =
            futures::future::join_all(racing).await.into_iter().filter_map(|done| done.unwrap()).count();
        assert_eq!(won, 1);
        assert_eq!(catalog.current_epoch("repair").await.unwrap(), round + 1);
    }
}

async fn a_setting_is_decided_once(catalog: Catalog) {
    assert_eq!(catalog.setting("cluster").await.unwrap(), None);
    assert_eq!(catalog.setting_or("cluster", "erste 一").await.unwrap(), "erste 一");
    assert_eq!(catalog.setting_or("cluster", "second").await.unwrap(), "erste 一");
    assert_eq!(catalog.setting("cluster").await.unwrap().as_deref(), Some("erste 一"));
}

async fn totals_are_of_all_users(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let bob = catalog.create_user(&user("bob"), "x", Role::Editor).await.unwrap().name;
    cluster_of(&catalog, 6).await;
    assert_eq!(catalog.totals().await.unwrap(), Totals::default());
    put(&catalog, &stored(&ada, "/a", &[0, 1])).await;
    put(&catalog, &stored(&bob, "/b", &[0])).await;
    let totals = catalog.totals().await.unwrap();
    assert_eq!((totals.files, totals.bytes), (2, 3000));
}

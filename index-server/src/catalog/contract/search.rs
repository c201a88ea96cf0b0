//! What search finds.

use super::*;
use crate::query::parse;

cases![
    words_match_parts_of_names_and_whole_tags,
    conditions_join_as_they_are_written,
    signs_of_sql_mean_themselves,
    sizes_dates_and_owners_are_compared,
    a_path_reaches_everything_below_it,
    what_is_in_the_trash_is_not_found,
    names_follow_a_move,
    rejected_tags_do_not_match,
    pages_are_in_order_and_complete,
    nobody_finds_the_files_of_others,
];

async fn tagged(catalog: &Catalog, owner: &UserName, at: &str, tags: &[(&str, &str)]) -> Entry {
    let entry = put(catalog, &NewFile { create_parents: true, ..empty(owner, at) }).await;
    let content = entry.content.as_ref().unwrap().id;
    let tags: Vec<_> =
        tags.iter().map(|(kind, name)| WeightedTag::new(kind, name, 0.5, "").unwrap()).collect();
    assert!(catalog.set_automatic(entry.id, content, "builtin", "1", &tags).await.unwrap());
    entry
}

async fn found(catalog: &Catalog, scope: &OwnerScope, query: &str) -> Vec<String> {
    let parsed = parse(query).unwrap();
    let page = catalog.search(scope, &parsed, None, 100).await.unwrap();
    let ids = catalog.search_ids(scope, &parsed, 100).await.unwrap();
    assert_eq!(ids, page.items.iter().map(|found| found.entry.id).collect::<Vec<_>>(), "{query}");
    page.items.into_iter().map(|found| found.entry.path.to_string()).collect()
}

/// The query finds exactly these files of the owner, in this order.
async fn check(catalog: &Catalog, owner: &UserName, query: &str, expected: &[&str]) {
    assert_eq!(found(catalog, &OwnerScope::One(owner.clone()), query).await, expected, "{query}");
}

async fn words_match_parts_of_names_and_whole_tags(catalog: Catalog) {
    let ada = ada(&catalog).await;
    tagged(&catalog, &ada, "/a/Beach PLAN.txt", &[("format", "plain text")]).await;
    tagged(&catalog, &ada, "/b.jpg", &[("keyword", "Beach"), ("keyword", "sand")]).await;
    tagged(&catalog, &ada, "/c.jpg", &[("keyword", "beach holiday")]).await;
    tagged(&catalog, &ada, "/我的假期照片.jpg", &[("place", "海滩")]).await;
    check(&catalog, &ada, "", &["/a/Beach PLAN.txt", "/b.jpg", "/c.jpg", "/我的假期照片.jpg"]).await;
    check(&catalog, &ada, "bEaCh", &["/a/Beach PLAN.txt", "/b.jpg"]).await;
    check(&catalog, &ada, "name:beach", &["/a/Beach PLAN.txt"]).await;
    check(&catalog, &ada, "tag:BEACH", &["/b.jpg"]).await;
    check(&catalog, &ada, "tag:\"beach  Holiday\"", &["/c.jpg"]).await;
    check(&catalog, &ada, "\"beach holiday\"", &["/c.jpg"]).await;
    check(&catalog, &ada, "keyword:sand", &["/b.jpg"]).await;
    check(&catalog, &ada, "place:sand", &[]).await;
    check(&catalog, &ada, "假期", &["/我的假期照片.jpg"]).await;
    check(&catalog, &ada, "海滩 -name:照片", &[]).await;
    check(&catalog, &ada, "place:海滩", &["/我的假期照片.jpg"]).await;
    check(&catalog, &ada, "\u{200b}", &[]).await;
}

async fn conditions_join_as_they_are_written(catalog: Catalog) {
    let ada = ada(&catalog).await;
    tagged(&catalog, &ada, "/1", &[("user", "red"), ("user", "big")]).await;
    tagged(&catalog, &ada, "/2", &[("user", "red")]).await;
    tagged(&catalog, &ada, "/3", &[("user", "blue"), ("user", "big")]).await;
    tagged(&catalog, &ada, "/4", &[]).await;
    check(&catalog, &ada, "tag:red tag:big", &["/1"]).await;
    check(&catalog, &ada, "tag:red OR tag:blue", &["/1", "/2", "/3"]).await;
    check(&catalog, &ada, "tag:big -tag:blue", &["/1"]).await;
    check(&catalog, &ada, "NOT (tag:big OR tag:red)", &["/4"]).await;
    check(&catalog, &ada, "tag:blue OR tag:red tag:big", &["/1", "/3"]).await;
    check(&catalog, &ada, "(tag:blue OR tag:red) tag:big name:3", &["/3"]).await;
    let many = vec!["tag:red"; crate::query::TERMS_MAX].join(" OR ");
    check(&catalog, &ada, &many, &["/1", "/2"]).await;
    let deep = format!("{}tag:red", "-".repeat(crate::query::DEPTH_MAX - 2));
    check(&catalog, &ada, &deep, &["/1", "/2"]).await;
}

async fn signs_of_sql_mean_themselves(catalog: Catalog) {
    let ada = ada(&catalog).await;
    for name in ["/100%", "/100x", "/a_b", "/axb", "/a\\b", "/'; DROP TABLE entries; --"] {
        tagged(&catalog, &ada, name, &[("user", name)]).await;
    }
    check(&catalog, &ada, "name:%", &["/100%"]).await;
    check(&catalog, &ada, "a_b", &["/a_b"]).await;
    check(&catalog, &ada, "name:\"a\\b\"", &["/a\\b"]).await;
    check(&catalog, &ada, "\"' OR 1=1\"", &[]).await;
    check(&catalog, &ada, "\"'; drop\"", &["/'; DROP TABLE entries; --"]).await;
    check(&catalog, &ada, "tag:\"/'; DROP TABLE entries; --\"", &["/'; DROP TABLE entries; --"]).await;
    check(&catalog, &ada, "owner:\"x' OR '1'='1\"", &[]).await;
    check(&catalog, &ada, "owner:名前😀", &[]).await;
    check(&catalog, &ada, "path:\"/' OR 1=1\"", &[]).await;
}

async fn sizes_dates_and_owners_are_compared(catalog: Catalog) {
    let ada = ada(&catalog).await;
    cluster_of(&catalog, WIDTH).await;
    put(&catalog, &empty(&ada, "/empty")).await;
    put(&catalog, &stored(&ada, "/two", &[0, 1])).await;
    tagged(&catalog, &ada, "/old", &[("date", "1997"), ("date", "1997-08")]).await;
    tagged(&catalog, &ada, "/not a date", &[("keyword", "1997-08")]).await;
    check(&catalog, &ada, "size:2k", &["/two"]).await;
    check(&catalog, &ada, "size:>2k", &[]).await;
    check(&catalog, &ada, "size:>=2000 OR size:<1", &["/empty", "/not a date", "/old", "/two"]).await;
    check(&catalog, &ada, "size:1..1MiB", &["/two"]).await;
    for query in
        ["date:1997", "date:1997-08", "date:<1998", "date:1997-08-01..1997-08-31", "date:1997-02..1997-11-02"]
    {
        check(&catalog, &ada, query, &["/old"]).await;
    }
    for query in
        ["date:1997-07", "date:1997-08-02..1998-05", "date:1997-08-01..1997-08-30", "date:<1997-08-31"]
    {
        check(&catalog, &ada, query, &[]).await;
    }
    check(&catalog, &ada, "date:>2020 date:<9000", &["/empty", "/not a date", "/old", "/two"]).await;
    check(&catalog, &ada, "owner:ADA name:two", &["/two"]).await;
    check(&catalog, &ada, "owner:bob", &[]).await;
}

async fn a_path_reaches_everything_below_it(catalog: Catalog) {
    let ada = ada(&catalog).await;
    for at in ["/1", "/a/2", "/a/b/c/3", "/ab/4", "/b/a/5"] {
        tagged(&catalog, &ada, at, &[]).await;
    }
    check(&catalog, &ada, "path:/", &["/1", "/a/2", "/a/b/c/3", "/ab/4", "/b/a/5"]).await;
    check(&catalog, &ada, "path:/a", &["/a/2", "/a/b/c/3"]).await;
    check(&catalog, &ada, "path:/a/b/", &["/a/b/c/3"]).await;
    check(&catalog, &ada, "path:/a path:/a/b OR path:/b", &["/a/b/c/3", "/b/a/5"]).await;
    check(&catalog, &ada, "-path:/a", &["/1", "/ab/4", "/b/a/5"]).await;
    check(&catalog, &ada, "path:/nowhere", &[]).await;
    check(&catalog, &ada, "-path:/nowhere 1", &["/1"]).await;
    check(&catalog, &ada, "path:/1", &[]).await;
    check(&catalog, &ada, &format!("path:/{}", "x".repeat(300)), &[]).await;
}

async fn what_is_in_the_trash_is_not_found(catalog: Catalog) {
    let ada = ada(&catalog).await;
    for at in ["/kept", "/thrown", "/folder/in it", "/folder/deeper/in it too"] {
        tagged(&catalog, &ada, at, &[("user", "x")]).await;
    }
    catalog.trash(&ada, &path("/thrown")).await.unwrap();
    catalog.trash(&ada, &path("/folder")).await.unwrap();
    check(&catalog, &ada, "tag:x", &["/kept"]).await;
    assert_eq!(found(&catalog, &OwnerScope::All, "tag:x").await, ["/kept"]);
    check(&catalog, &ada, "path:/folder", &[]).await;
    catalog.restore(&ada, &Restore::Path(path("/folder"))).await.unwrap();
    check(&catalog, &ada, "tag:x", &["/folder/in it", "/folder/deeper/in it too", "/kept"]).await;
}

async fn names_follow_a_move(catalog: Catalog) {
    let ada = ada(&catalog).await;
    tagged(&catalog, &ada, "/Before", &[]).await;
    catalog.move_entry(&ada, &path("/Before"), &path("/AFTER Ärger")).await.unwrap();
    check(&catalog, &ada, "before", &[]).await;
    check(&catalog, &ada, "after ärger", &["/AFTER Ärger"]).await;
}

async fn rejected_tags_do_not_match(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let entry = tagged(&catalog, &ada, "/1", &[("keyword", "wrong"), ("keyword", "right")]).await;
    catalog.remove_tag(entry.id, &Tag::new("keyword", "wrong").unwrap(), &ada).await.unwrap();
    check(&catalog, &ada, "tag:wrong", &[]).await;
    check(&catalog, &ada, "tag:right -tag:wrong", &["/1"]).await;
    let page = catalog.search(&OwnerScope::One(ada), &parse("").unwrap(), None, 10).await.unwrap();
    let names: Vec<_> = page.items[0].tags.iter().map(|tagging| tagging.tag.name()).collect();
    assert_eq!(names, ["right"]);
}

async fn pages_are_in_order_and_complete(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let mut expected = Vec::new();
    for folder in ["b", "a", "c"] {
        for name in ["x", "X", "同", "é"] {
            expected.push((name, tagged(&catalog, &ada, &format!("/{folder}/{name}"), &[]).await.id));
        }
    }
    expected.sort();
    let (scope, query) = (OwnerScope::One(ada), parse("").unwrap());
    let (mut met, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = catalog.search(&scope, &query, cursor.as_deref(), 5).await.unwrap();
        assert!(page.items.len() <= 5);
        met.extend(page.items.iter().map(|found| found.entry.id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(met, expected.iter().map(|(_, id)| *id).collect::<Vec<_>>());
    for cursor in ["", "short", "no base64!"] {
        refused!(catalog.search(&scope, &query, Some(cursor), 5).await, CatalogError::InvalidCursor);
    }
}

async fn nobody_finds_the_files_of_others(catalog: Catalog) {
    let ada = ada(&catalog).await;
    let bob = catalog.create_user(&user("bob"), "$argon2id$x", Role::Editor).await.unwrap().name;
    tagged(&catalog, &ada, "/same/secret", &[("user", "x")]).await;
    tagged(&catalog, &bob, "/same/own", &[("user", "x")]).await;
    for query in ["", "tag:x", "path:/same", "-tag:y", "owner:bob OR owner:ada", "date:>2000", "size:0"] {
        check(&catalog, &bob, query, &["/same/own"]).await;
        assert_eq!(found(&catalog, &OwnerScope::All, query).await, ["/same/own", "/same/secret"], "{query}");
    }
    check(&catalog, &bob, "owner:ada", &[]).await;
    assert_eq!(found(&catalog, &OwnerScope::All, "owner:ada path:/same").await, ["/same/secret"]);
}

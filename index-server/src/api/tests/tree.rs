//! Folders, moving, copying, and the trash.

use super::{Answer, TestBed};
use crate::test_bed::noise;
use serde_json::{Value, json};

async fn call(bed: &TestBed, verb: &str, body: Value) -> Answer {
    bed.asks("editor", "POST", &format!("/api/v1/files:{verb}")).json(&body).send().await
}

async fn names(bed: &TestBed, folder: &str) -> Vec<String> {
    let list = bed.get("editor", &format!("/api/v1/folders{folder}")).await;
    list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn folders_come_first_and_in_pages() {
    let bed = TestBed::start().await;
    for path in ["/b.txt", "/a.txt", "/z/x", "/c/d/e"] {
        bed.put("editor", path, "x").await;
    }
    bed.asks("editor", "POST", "/api/v1/folders/m/n").send().await.is(201);
    bed.asks("editor", "POST", "/api/v1/folders/m/n").send().await.is(201);
    bed.asks("editor", "POST", "/api/v1/folders/a.txt").send().await.refused(409, "exists");
    bed.asks("editor", "POST", "/api/v1/folders/a.txt/b").send().await.refused(409, "conflict");
    assert_eq!(names(&bed, "/").await, ["c", "m", "z", "a.txt", "b.txt"]);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = bed.get("editor", &format!("/api/v1/folders/?limit=2{cursor}")).await;
        seen.extend(
            page["items"].as_array().unwrap().iter().map(|item| item["path"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, ["/c", "/m", "/z", "/a.txt", "/b.txt"]);
    bed.asks("editor", "GET", "/api/v1/folders/a.txt").send().await.refused(404, "not_found");
    bed.asks("editor", "GET", "/api/v1/folders/none").send().await.refused(404, "not_found");
    assert_eq!(bed.get("editor", "/api/v1/files/c/d").await["kind"], "folder");
}

#[tokio::test]
async fn what_is_moved_is_elsewhere_and_nowhere_else() {
    let bed = TestBed::start().await;
    bed.put("editor", "/a/f", "content").await;
    bed.put("editor", "/taken", "other").await;
    let moved = call(&bed, "move", json!({"from": "/a/f", "to": "/a/g"})).await.is(200).json();
    assert_eq!(moved["path"], "/a/g");
    bed.asks("editor", "GET", "/api/v1/content/a/f").send().await.is(404);
    assert_eq!(bed.content("editor", "/a/g").await, b"content");
    call(&bed, "move", json!({"from": "/a/g", "to": "/taken"})).await.refused(409, "exists");
    call(&bed, "move", json!({"from": "/a/g", "to": "/no/such"})).await.refused(404, "not_found");
    call(&bed, "move", json!({"from": "/none", "to": "/b"})).await.refused(404, "not_found");
    call(&bed, "move", json!({"from": "/a", "to": "/a/b"})).await.refused(409, "conflict");
    call(&bed, "move", json!({"from": "/", "to": "/b"})).await.refused(409, "conflict");
    call(&bed, "move", json!({"from": "/a", "to": "/"})).await.refused(409, "conflict");
    call(&bed, "move", json!({"from": "/a/g", "to": "/taken/g"})).await.refused(409, "conflict");
    call(&bed, "move", json!({"from": "/a", "to": "/a"})).await.is(200);
    call(&bed, "move", json!({"from": "/a", "to": "/c"})).await.is(200);
    assert_eq!(bed.content("editor", "/c/g").await, b"content");
    assert_eq!(bed.content("editor", "/taken").await, b"other");
}

#[tokio::test]
async fn a_copy_has_shards_of_its_own() {
    let bed = TestBed::start().await;
    let content = noise(2_500_000, 1);
    bed.put("editor", "/a", content.clone()).await;
    let copy = call(&bed, "copy", json!({"from": "/a", "to": "/new/folder/b"})).await.is(201).json();
    assert_eq!((&copy["path"], &copy["redundancy"]), (&json!("/new/folder/b"), &json!(2)));
    bed.asks("editor", "DELETE", "/api/v1/files/a").send().await.is(204);
    bed.catalog.purge_expired(i64::MAX, 100).await.unwrap();
    bed.leaks_nothing(&[("editor", "/new/folder/b")]).await;
    assert_eq!(bed.content("editor", "/new/folder/b").await, content);
    call(&bed, "copy", json!({"from": "/new/folder/b", "to": "/new"})).await.refused(409, "exists");
    call(&bed, "copy", json!({"from": "/new", "to": "/c"})).await.refused(409, "conflict");
    call(&bed, "copy", json!({"from": "/none", "to": "/c"})).await.refused(404, "not_found");
    bed.put("editor", "/empty", "").await;
    call(&bed, "copy", json!({"from": "/empty", "to": "/empty2"})).await.is(201);
    bed.leaks_nothing(&[("editor", "/new/folder/b")]).await;
}

#[tokio::test]
async fn a_copy_of_what_cannot_be_read_is_nothing() {
    let bed = TestBed::start().await;
    bed.put("editor", "/a", noise(4_500_000, 1)).await;
    let fault = asterism_cluster::memory::Fault::DiesAfter(2);
    (0..3).for_each(|node| bed.shards.set_fault(bed.nodes[node], fault));
    call(&bed, "copy", json!({"from": "/a", "to": "/b"})).await.refused(503, "too_few_nodes");
    (0..3).for_each(|node| bed.revive(node));
    bed.leaks_nothing(&[("editor", "/a")]).await;
}

#[tokio::test]
async fn the_trash_gives_back_what_it_has() {
    let bed = TestBed::start().await;
    let delete = |path: &'static str| bed.asks("editor", "DELETE", path).send();
    bed.put("editor", "/d/f", "first").await;
    delete("/api/v1/files/d/f").await.is(204);
    delete("/api/v1/files/d/f").await.refused(404, "not_found");
    bed.asks("editor", "GET", "/api/v1/content/d/f").send().await.is(404);
    bed.put("editor", "/d/f", "second").await;
    call(&bed, "restore", json!({"path": "/d/f"})).await.refused(409, "exists");
    delete("/api/v1/files/d").await.is(204);
    let trash = bed.get("editor", "/api/v1/trash").await;
    let kinds: Vec<_> =
        trash["items"].as_array().unwrap().iter().map(|item| (&item["path"], &item["kind"])).collect();
    assert_eq!(kinds, [(&json!("/d"), &json!("folder")), (&json!("/d/f"), &json!("file"))]);
    let oldest = trash["items"][1]["id"].clone();
    let restored = call(&bed, "restore", json!({"id": oldest})).await.is(200).json();
    assert_eq!(restored["path"], "/d/f", "the folder is made again");
    assert_eq!(bed.content("editor", "/d/f").await, b"first");
    call(&bed, "restore", json!({"id": oldest})).await.refused(404, "not_found");
    call(&bed, "restore", json!({"path": "/d"})).await.refused(409, "exists");
    assert_eq!(names(&bed, "/").await, ["d"]);
    // What lies in the trash keeps its shards until it is purged.
    assert_eq!(bed.shard_count(), 6);
    bed.catalog.purge_expired(i64::MAX, 100).await.unwrap();
    bed.leaks_nothing(&[("editor", "/d/f")]).await;
}

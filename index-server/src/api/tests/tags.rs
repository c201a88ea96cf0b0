//! Tags of files, the search, and the graph around what is found.

use super::{TestBed, encoded};
use crate::catalog::WeightedTag;
use serde_json::{Value, json};

async fn tag(bed: &TestBed, file: &str, name: &str) -> Value {
    bed.asks("editor", "PUT", &format!("/api/v1/files{file}/tags/{}", encoded(name)))
        .send()
        .await
        .is(200)
        .json()
}

/// As the tagger does.
async fn tag_automatically(bed: &TestBed, file: &str, tags: &[(&str, &str)]) {
    let entry = bed.catalog.stat(&"editor".parse().unwrap(), &file.parse().unwrap()).await.unwrap();
    let tags: Vec<_> =
        tags.iter().map(|(kind, name)| WeightedTag::new(kind, name, 0.9, "seen").unwrap()).collect();
    assert!(
        bed.catalog.set_automatic(entry.id, entry.content.unwrap().id, "builtin", "1", &tags).await.unwrap()
    );
}

/// Kind, name and state of each, in order.
fn tags_of(tags: &Value) -> Vec<(String, String, String)> {
    let items = tags["items"].as_array().unwrap();
    let text = |item: &'_ Value, name: &str| item[name].as_str().unwrap().to_owned();
    let mut tags: Vec<_> =
        items.iter().map(|item| (text(item, "kind"), text(item, "name"), text(item, "state"))).collect();
    tags.sort();
    tags
}

fn triple(kind: &str, name: &str, state: &str) -> (String, String, String) {
    (kind.into(), name.into(), state.into())
}

#[tokio::test]
async fn people_give_take_and_reject_tags() {
    let bed = TestBed::start().await;
    bed.put("editor", "/a/f.jpg", "x").await;
    tag_automatically(&bed, "/a/f.jpg", &[("type", "image"), ("format", "jpeg")]).await;
    let tags = tag(&bed, "/a/f.jpg", "Summer  Holiday").await;
    assert!(tags_of(&tags).contains(&triple("user", "summer holiday", "confirmed")), "{tags}");
    assert_eq!(tag(&bed, "/a/f.jpg", "summer holiday").await["items"].as_array().unwrap().len(), 3);
    let delete = |target: &'static str| bed.asks("editor", "DELETE", target).send();
    delete("/api/v1/files/a/f.jpg/tags/summer%20holiday").await.is(204);
    delete("/api/v1/files/a/f.jpg/tags/summer%20holiday").await.refused(404, "not_found");
    delete("/api/v1/files/a/f.jpg/tags/jpeg?kind=type").await.refused(404, "not_found");
    delete("/api/v1/files/a/f.jpg/tags/jpeg?kind=format").await.is(204);
    let tags = bed.get("editor", "/api/v1/files/a/f.jpg/tags").await;
    let expected = [triple("format", "jpeg", "rejected"), triple("type", "image", "suggested")];
    assert_eq!(tags_of(&tags), expected);
    tag_automatically(&bed, "/a/f.jpg", &[("type", "image"), ("format", "jpeg")]).await;
    let file = bed.get("editor", "/api/v1/files/a/f.jpg").await;
    let again = json!({"items": file["tags"]});
    assert_eq!(tags_of(&again), expected, "a rejected tag stays rejected");
    assert_eq!(
        bed.get("editor", "/api/v1/tags").await["items"],
        json!([{"name": "image", "kind": "type", "files": 1}])
    );
}

#[tokio::test]
async fn tags_are_for_files_that_are_there() {
    let bed = TestBed::start().await;
    bed.put("editor", "/d/f", "x").await;
    let put = |target: String| bed.asks("editor", "PUT", &target).send();
    put("/api/v1/files/none/tags/x".into()).await.refused(404, "not_found");
    put("/api/v1/files/d/tags/x".into()).await.refused(404, "not_found");
    put("/api/v1/files/d/f".into()).await.refused(404, "not_found");
    for name in ["%20", "%e2%80%8b", "%09"] {
        put(format!("/api/v1/files/d/f/tags/{name}")).await.refused(400, "invalid_request");
    }
    put("/api/v1/files/d/f/tags/a%2fb".into()).await.refused(400, "invalid_path");
    for kind in ["", "UPPER", "a%20b", &"k".repeat(33)] {
        put(format!("/api/v1/files/d/f/tags/x?kind={kind}")).await.refused(400, "invalid_request");
    }
    put("/api/v1/files/d/f/tags/x?sort=name".into()).await.refused(400, "invalid_request");
    bed.asks("editor", "GET", "/api/v1/files/d/f/other").send().await.refused(404, "not_found");
    for name in ["<img src=x onerror=alert(1)>", "'; DROP TABLE tags;--", "🎈", "标签", "a b", "$(id)"] {
        tag(&bed, "/d/f", name).await;
        let found =
            bed.get("editor", &format!("/api/v1/search?q={}", encoded(&format!("tag:\"{name}\"")))).await;
        assert_eq!(found["items"].as_array().unwrap().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_folder_may_be_called_tags() {
    let bed = TestBed::start().await;
    bed.put("editor", "/d/tags/x", "content").await;
    assert_eq!(bed.get("editor", "/api/v1/files/d/tags").await["kind"], "folder");
    assert_eq!(bed.get("editor", "/api/v1/files/d/tags/x").await["kind"], "file");
    assert_eq!(bed.get("editor", "/api/v1/files/d/tags/x/tags").await["items"], json!([]));
    bed.asks("editor", "DELETE", "/api/v1/files/d/tags/x").send().await.is(204);
    bed.asks("editor", "GET", "/api/v1/files/d/tags/x").send().await.is(404);
}

#[tokio::test]
async fn search_and_graph_show_the_same_files() {
    let bed = TestBed::start().await;
    for file in ["/one.jpg", "/two.jpg", "/three.txt"] {
        bed.put("editor", file, file.to_owned()).await;
    }
    for file in ["/one.jpg", "/two.jpg"] {
        tag(&bed, file, "holiday").await;
        tag(&bed, file, "sea").await;
    }
    tag(&bed, "/three.txt", "sea").await;
    crate::workers::tests::project(&bed.catalog, &bed.api.graph).await;
    let found = bed.get("editor", "/api/v1/search?q=tag:holiday&limit=1").await;
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    assert!(!found["items"][0]["tags"].as_array().unwrap().is_empty());
    let next = found["next"].as_str().unwrap();
    let rest = bed.get("editor", &format!("/api/v1/search?q=tag:holiday&limit=1&cursor={next}")).await;
    assert_ne!(rest["items"][0]["path"], found["items"][0]["path"]);
    let graph = bed.get("editor", "/api/v1/graph?q=tag:holiday").await;
    let labels: Vec<&str> =
        graph["nodes"].as_array().unwrap().iter().map(|node| node["label"].as_str().unwrap()).collect();
    for label in ["one.jpg", "two.jpg", "holiday", "sea"] {
        assert!(labels.contains(&label), "{graph}");
    }
    assert!(!labels.contains(&"three.txt"), "{graph}");
    let related = bed.get("editor", "/api/v1/tags/holiday/related").await;
    assert_eq!(related["items"][0]["name"], "sea", "{related}");
    let similar = bed.get("editor", "/api/v1/files/one.jpg/similar").await;
    assert_eq!(similar["items"][0]["path"], "/two.jpg", "{similar}");
    for query in ["%28", "size%3A%3E12parsecs", "tag%3A", "AND"] {
        for route in ["search", "graph"] {
            bed.asks("editor", "GET", &format!("/api/v1/{route}?q={query}"))
                .send()
                .await
                .refused(400, "invalid_query");
        }
    }
}

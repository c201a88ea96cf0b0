//! What is somebody else's does not exist, by whatever way it is asked for.

use super::TestBed;
use crate::{catalog::Role, events::Event};
use serde_json::json;

/// A bed where the editor has a tagged file, another in the trash, and eve has nothing.
async fn with_eve() -> TestBed {
    let bed = TestBed::start().await;
    bed.add("eve", Role::Operator).await;
    bed.put("editor", "/secret/plan.txt", "the plan").await;
    bed.put("editor", "/secret/gone.txt", "gone").await;
    bed.asks("editor", "PUT", "/api/v1/files/secret/plan.txt/tags/conspiracy").send().await.is(200);
    bed.asks("editor", "DELETE", "/api/v1/files/secret/gone.txt").send().await.is(204);
    crate::workers::tests::project(&bed.catalog, &bed.api.graph).await;
    bed
}

#[tokio::test]
async fn every_way_to_a_file_of_another_ends_as_if_it_were_not_there() {
    let bed = with_eve().await;
    for (method, target, body) in [
        ("GET", "/api/v1/content/secret/plan.txt", json!(null)),
        ("HEAD", "/api/v1/content/secret/plan.txt", json!(null)),
        ("GET", "/api/v1/files/secret/plan.txt", json!(null)),
        ("GET", "/api/v1/files/secret", json!(null)),
        ("GET", "/api/v1/files/secret/plan.txt/tags", json!(null)),
        ("GET", "/api/v1/files/secret/plan.txt/similar", json!(null)),
        ("PUT", "/api/v1/files/secret/plan.txt/tags/mine", json!(null)),
        ("DELETE", "/api/v1/files/secret/plan.txt/tags/conspiracy", json!(null)),
        ("DELETE", "/api/v1/files/secret/plan.txt", json!(null)),
        ("DELETE", "/api/v1/files/secret", json!(null)),
        ("GET", "/api/v1/folders/secret", json!(null)),
        ("POST", "/api/v1/files:move", json!({"from": "/secret/plan.txt", "to": "/mine"})),
        ("POST", "/api/v1/files:copy", json!({"from": "/secret/plan.txt", "to": "/mine"})),
        ("POST", "/api/v1/files:restore", json!({"path": "/secret/gone.txt"})),
    ] {
        for user in ["eve", "admin"] {
            let mut answers = Vec::new();
            // The same way to what is nobody's looks the same.
            for nobodys in [target.to_owned(), target.replace("secret", "nothing")] {
                let body =
                    body.to_string().replace("secret", if nobodys == target { "secret" } else { "nothing" });
                let ask =
                    bed.asks(user, method, &nobodys).header("content-type", "application/json").body(body);
                let answer = ask.send().await.is(404);
                let mut problem = if method == "HEAD" { json!({}) } else { answer.json() };
                problem["request_id"] = json!(null);
                answers.push(problem);
            }
            assert_eq!(answers[0], answers[1], "{user} {method} {target}");
        }
    }
    let range = bed.asks("eve", "GET", "/api/v1/content/secret/plan.txt").header("range", "bytes=0-1");
    range.send().await.refused(404, "not_found");
    assert_eq!(bed.content("editor", "/secret/plan.txt").await, b"the plan");
}

#[tokio::test]
async fn numbers_lead_nowhere_either() {
    let bed = with_eve().await;
    let trash = bed.get("editor", "/api/v1/trash").await;
    let body = json!({"id": trash["items"][0]["id"]});
    bed.asks("eve", "POST", "/api/v1/files:restore").json(&body).send().await.refused(404, "not_found");
    assert_eq!(bed.get("eve", "/api/v1/trash").await["items"], json!([]));
    bed.asks("editor", "POST", "/api/v1/files:restore").json(&body).send().await.is(200);
}

#[tokio::test]
async fn lists_searches_and_graphs_show_the_own_files_alone() {
    let bed = with_eve().await;
    for user in ["eve", "admin"] {
        for target in [
            "/api/v1/folders/",
            "/api/v1/search",
            "/api/v1/search?q=plan",
            "/api/v1/search?q=tag:conspiracy",
            "/api/v1/search?q=owner:editor",
            "/api/v1/search?q=path:/secret",
            "/api/v1/search?q=NOT%20nothing",
            "/api/v1/tags",
            "/api/v1/tags?prefix=cons",
            "/api/v1/tags/conspiracy/related",
            "/api/v1/trash",
        ] {
            assert_eq!(bed.get(user, target).await["items"], json!([]), "{user} {target}");
        }
        for target in ["/api/v1/graph", "/api/v1/graph?q=plan", "/api/v1/graph?q=tag:conspiracy"] {
            let graph = bed.get(user, target).await;
            assert_eq!((&graph["nodes"], &graph["edges"]), (&json!([]), &json!([])), "{user} {target}");
        }
    }
}

#[tokio::test]
async fn two_people_have_two_trees() {
    let bed = with_eve().await;
    bed.put("eve", "/secret/plan.txt", "another plan").await;
    assert_eq!(bed.content("eve", "/secret/plan.txt").await, b"another plan");
    assert_eq!(bed.content("editor", "/secret/plan.txt").await, b"the plan");
    bed.asks("eve", "DELETE", "/api/v1/files/secret").send().await.is(204);
    assert_eq!(bed.content("editor", "/secret/plan.txt").await, b"the plan");
}

#[tokio::test]
async fn events_are_told_to_the_owner_alone() {
    let bed = with_eve().await;
    let (missed, _) = bed.api.events.subscribe(Some(0));
    assert!(missed.len() >= 4, "{missed:?}");
    let eve = "eve".parse().unwrap();
    assert!(missed.iter().all(|event| !event.is_for(&eve) && event.is_for(&"editor".parse().unwrap())));
    assert!(missed.iter().any(|event| event.event == Event::FileRemoved { path: "/secret/gone.txt".into() }));
}

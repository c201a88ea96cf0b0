//! What is told of nodes and the cluster.

use super::TestBed;
use crate::test_bed::says;
use serde_json::json;

#[tokio::test]
async fn nodes_are_listed_as_they_are() {
    let bed = TestBed::start().await;
    bed.bury(2).await;
    let nodes = bed.get("reader", "/api/v1/nodes").await;
    let states: Vec<_> = nodes["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (node["name"].as_str().unwrap(), node["state"].as_str().unwrap()))
        .collect();
    assert_eq!(states[..2], [("n1", "online"), ("n2", "online")]);
    assert_ne!(states[2].1, "online");
    let node = bed.get("reader", "/api/v1/nodes/n1").await;
    assert_eq!((&node["pid"], &node["address"]), (&json!(7), &json!("127.0.0.1:9001")));
    bed.asks("reader", "GET", "/api/v1/nodes/n99").send().await.refused(404, "not_found");
}

#[tokio::test]
async fn nodes_that_lie_about_their_room_break_nothing() {
    let bed = TestBed::start().await;
    for node in 0..3 {
        let mut lie = says(u64::MAX);
        lie.capacity_bytes = u64::MAX;
        lie.load1 = f64::NAN;
        bed.members.hear(bed.nodes[node], lie);
    }
    let mark = |user| bed.asks(user, "PATCH", "/api/v1/messages/7");
    mark("reader").json(&json!({"acknowledged": true})).send().await.refused(403, "forbidden");
    mark("reader").json(&json!({"read": true})).send().await.refused(503, "unavailable");
    mark("reader").json(&json!({"red": true})).send().await.refused(400, "invalid_request");
    bed.asks("admin", "PATCH", "/api/v1/messages/x").json(&json!({})).send().await.refused(404, "not_found");
    let cluster = bed.get("reader", "/api/v1/cluster").await;
    assert_eq!(cluster["nodes"], json!({"online": 6}));
    bed.put("editor", "/a", "x").await;
}

#[tokio::test]
async fn without_a_monitor_acts_and_the_log_are_away() {
    let bed = TestBed::start().await;
    for (method, target) in [
        ("POST", "/api/v1/nodes/n1/stop"),
        ("POST", "/api/v1/nodes/n1/wake?dry_run=true"),
        ("GET", "/api/v1/timeline"),
        ("GET", "/api/v1/messages"),
        ("GET", "/api/v1/silences"),
        ("DELETE", "/api/v1/silences/1"),
    ] {
        bed.asks("admin", method, target).send().await.refused(503, "unavailable");
    }
    bed.asks("operator", "POST", "/api/v1/nodes/n1/stop?force=true").send().await.refused(403, "forbidden");
    bed.asks("operator", "POST", "/api/v1/nodes/n99/stop").send().await.refused(404, "not_found");
    for query in ["force=maybe", "forse=true", "dry_run=true&dry_run=false"] {
        let target = format!("/api/v1/nodes/n1/stop?{query}");
        bed.asks("admin", "POST", &target).send().await.refused(400, "invalid_request");
    }
    let cluster = bed.get("reader", "/api/v1/cluster").await;
    assert_eq!(
        (&cluster["monitor"], &cluster["graph"]),
        (&json!({"reachable": false}), &json!({"kind": "sql", "reachable": true}))
    );
    assert_eq!(cluster["policy"], "4+2");
}

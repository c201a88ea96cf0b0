//! Nodes that leave, come back, and weigh more or less.

use super::{Answer, TestBed};
use crate::{catalog::Intent, test_bed::noise};
use serde_json::{Value, json};

/// Seven nodes in groups, with files.
async fn of_seven() -> TestBed {
    let mut bed = TestBed::start().await;
    bed.cluster_mut().join(7, "z1").await;
    bed.settle().await;
    for number in 0..12 {
        bed.put("editor", &format!("/{number}"), noise(200_000, number)).await;
    }
    bed
}

async fn act(bed: &TestBed, node: &str, verb: &str) -> Answer {
    bed.asks("admin", "POST", &format!("/api/v1/nodes/{node}/{verb}")).send().await
}

async fn state(bed: &TestBed, node: &str) -> Value {
    bed.get("reader", &format!("/api/v1/nodes/{node}")).await["state"].clone()
}

#[tokio::test]
async fn a_plan_comes_first_and_changes_nothing() {
    let bed = of_seven().await;
    for verb in ["drain", "retire"] {
        let said = act(&bed, "n2", &format!("{verb}?dry_run=true")).await.is(200).json();
        assert_eq!(said["outcome"], "dry_run", "{said}");
        let plan = &said["plan"];
        assert_eq!((&plan["places"], &plan["groups"]), (&json!(16), &json!(16)), "{plan}");
        assert_eq!(
            (&plan["files"], &plan["worst_margin"], &plan["measured"]),
            (&json!(12), &json!(2), &json!(false))
        );
        assert_eq!(plan["bytes"].as_u64().unwrap(), plan["shards"].as_u64().unwrap() * 50_000);
        assert_eq!(plan["bytes_per_second"], 1 << 30);
        assert!(plan["seconds"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(state(&bed, "n2").await, "online");
}

#[tokio::test]
async fn a_node_is_drained_and_wanted_again() {
    let bed = of_seven().await;
    let said = act(&bed, "n2", "drain").await.is(200).json();
    assert_eq!((&said["outcome"], &said["state"]), (&json!("done"), &json!("draining")), "{said}");
    assert_eq!(act(&bed, "n2", "drain").await.is(200).json()["outcome"], "unchanged");
    let listed = bed.get("reader", "/api/v1/nodes").await;
    assert_eq!(listed["items"][1]["state"], "draining");
    assert_eq!(bed.get("reader", "/api/v1/cluster").await["nodes"], json!({"online": 6, "draining": 1}));
    // Uploads use the others, and lack nothing.
    assert_eq!(bed.put("editor", "/new", noise(100_000, 99)).await["redundancy"], 2);
    bed.settle().await;
    crate::workers::tests::delete(&bed.api.extents).await;
    assert_eq!(bed.shards.count(bed.nodes[1]), 0);
    assert_eq!(bed.content("editor", "/3").await, noise(200_000, 3));
    let rehearsed = act(&bed, "n2", "wake?dry_run=true").await.is(200).json();
    assert_eq!(rehearsed["outcome"], "dry_run");
    assert!(rehearsed["plan"]["places"].as_u64().unwrap() > 0, "{rehearsed}");
    let said = act(&bed, "n2", "wake").await.is(200).json();
    assert_eq!((&said["outcome"], &said["state"]), (&json!("done"), &json!("online")), "{said}");
    bed.settle().await;
    assert!(bed.shards.count(bed.nodes[1]) > 0);
}

#[tokio::test]
async fn a_node_is_retired_when_it_is_empty() {
    let bed = of_seven().await;
    let said = act(&bed, "n3", "retire").await.is(200).json();
    assert_eq!((&said["outcome"], &said["state"]), (&json!("started"), &json!("draining")), "{said}");
    for _ in 0..3 {
        bed.settle().await;
        crate::workers::tests::delete(&bed.api.extents).await;
    }
    assert_eq!(state(&bed, "n3").await, "retired");
    for verb in ["drain", "retire"] {
        assert_eq!(act(&bed, "n3", verb).await.is(200).json()["outcome"], "unchanged");
    }
    let catalog = bed.catalog.nodes().await.unwrap();
    assert_eq!(catalog.iter().filter(|row| row.intent == Intent::Retired).count(), 1);
    assert_eq!(act(&bed, "n3", "wake").await.is(200).json()["state"], "online");
}

#[tokio::test]
async fn who_cannot_leave_is_told_why() {
    let bed = TestBed::start().await;
    let refused = act(&bed, "n1", "drain?force=true").await.refused(409, "refused").json();
    assert!(refused["detail"].as_str().unwrap().contains("4+2 needs 6 nodes"), "{refused}");
    assert_eq!(refused["act"]["outcome"], "refused");
    let bed = of_seven().await;
    bed.bury(3).await;
    let refused = act(&bed, "n4", "retire").await.refused(409, "refused").json();
    assert!(refused["detail"].as_str().unwrap().contains("force"), "{refused}");
    (0..7).filter(|node| *node != 3).for_each(|node| bed.has_room(node, 1000));
    let refused = act(&bed, "n1", "drain").await.refused(409, "refused").json();
    assert!(refused["detail"].as_str().unwrap().contains("more than fits"), "{refused}");
    for user in ["operator", "editor"] {
        let forced = bed.asks(user, "POST", "/api/v1/nodes/n4/retire?force=true").send().await;
        forced.refused(403, "forbidden");
    }
    act(&bed, "n99", "drain").await.refused(404, "not_found");
    act(&bed, "n1", "drain?soon=true").await.refused(400, "invalid_request");
    assert_eq!(state(&bed, "n1").await, "online");
}

#[tokio::test]
async fn a_dead_node_is_retired_by_force() {
    let bed = of_seven().await;
    bed.bury(4).await;
    assert_eq!(act(&bed, "n5", "retire?force=true").await.is(200).json()["outcome"], "started");
    bed.settle().await;
    assert_eq!(state(&bed, "n5").await, "retired");
    for number in 0..12 {
        let file = bed.get("editor", &format!("/api/v1/files/{number}")).await;
        assert_eq!(file["redundancy"], 2, "rebuilt from the others");
        assert_eq!(bed.content("editor", &format!("/{number}")).await, noise(200_000, number));
    }
}

#[tokio::test]
async fn a_weight_is_set_and_said() {
    let bed = of_seven().await;
    let weigh = async |node: &str, query: &str, body: Value| {
        bed.asks("operator", "PUT", &format!("/api/v1/nodes/{node}/weight{query}")).json(&body).send().await
    };
    let weight = async || bed.get("reader", "/api/v1/nodes/n7").await["weight"].clone();
    assert_eq!(weight().await, 1.0);
    let said = weigh("n7", "?dry_run=true", json!({"factor": 0.01})).await.is(200).json();
    assert!(said["plan"]["places"].as_u64().unwrap() > 0, "{said}");
    assert_eq!((&said["outcome"], weight().await), (&json!("dry_run"), json!(1.0)));
    assert_eq!(weigh("n7", "", json!({"factor": 2.5})).await.is(200).json()["outcome"], "done");
    assert_eq!(weight().await, 2.5);
    for body in [
        json!({"factor": 0}),
        json!({"factor": -1}),
        json!({"factor": 101}),
        json!({"factor": "2"}),
        json!({}),
        json!({"factor": 1, "x": 1}),
    ] {
        weigh("n7", "", body).await.refused(400, "invalid_request");
    }
    weigh("n99", "", json!({"factor": 1})).await.refused(404, "not_found");
    bed.asks("editor", "PUT", "/api/v1/nodes/n7/weight")
        .json(&json!({"factor": 1}))
        .send()
        .await
        .refused(403, "forbidden");
    assert_eq!(weight().await, 2.5);
}

#[tokio::test]
async fn an_upload_uses_a_spare_node_before_it_is_short() {
    let bed = of_seven().await;
    bed.bury(1).await;
    for number in 0..10 {
        let file = bed.put("editor", &format!("/spared{number}"), noise(300_000, 50 + number)).await;
        assert_eq!(file["redundancy"], 2, "six nodes are left, and six are needed");
    }
    let cluster = bed.get("reader", "/api/v1/cluster").await;
    assert_eq!(cluster["short_extents"], 0);
    assert_eq!(cluster["groups"]["worst_margin"], 1, "the older files lack the node");
    // Without the spare too, one shard of everything is gone and what is new is short.
    bed.bury(6).await;
    assert_eq!(bed.put("editor", "/short", noise(300_000, 70)).await["redundancy"], 1);
}

//! Uploads while clients and nodes fail.

use super::TestBed;
use crate::test_bed::noise;
use asterism_cluster::memory::Fault;
use axum::body::{Body, Bytes};
use futures::stream;
use serde_json::json;
use std::io;

/// Breaks off after `bytes`.
fn cut_off(bytes: usize) -> Body {
    let pieces = [Ok(Bytes::from(noise(bytes, 3))), Err(io::Error::other("connection reset"))];
    Body::from_stream(stream::iter(pieces))
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let bed = TestBed::start().await;
    bed.put("editor", "/kept", "before").await;
    for (path, bytes) in [("new", 0), ("new", 5), ("new", 5_000_000), ("kept", 2_000_000)] {
        let answer =
            bed.asks("editor", "PUT", &format!("/api/v1/content/{path}")).body(cut_off(bytes)).send().await;
        answer.refused(400, "invalid_request");
    }
    bed.asks("editor", "GET", "/api/v1/files/new").send().await.is(404);
    assert_eq!(bed.content("editor", "/kept").await, b"before");
    assert!(bed.catalog.removal_count().await.unwrap() >= 6, "shards that may be there are to be removed");
    bed.leaks_nothing(&[("editor", "/kept")]).await;
}

/// Stores while something is wrong with the first nodes; the redundancy that is told.
async fn check_written(bed: &TestBed, path: &str, bytes: usize, redundancy: i32) {
    let content = noise(bytes, 4);
    let file = bed.put("editor", path, content.clone()).await;
    assert_eq!(file["redundancy"], redundancy, "{file}");
    assert_eq!(bed.content("editor", path).await, content);
}

#[tokio::test]
async fn with_one_node_gone_files_are_short_and_say_so() {
    let bed = TestBed::start().await;
    check_written(&bed, "/whole", 100_000, 2).await;
    assert_eq!(bed.catalog.short_count().await.unwrap(), 0);
    bed.kill(0); // Nobody knows yet.
    check_written(&bed, "/unnoticed", 100_000, 1).await;
    bed.bury(0).await;
    check_written(&bed, "/noticed", 100_000, 1).await;
    assert_eq!(bed.catalog.short_count().await.unwrap(), 2);
    let whole = bed.get("editor", "/api/v1/files/whole").await;
    assert_eq!(whole["redundancy"], 1, "who is away counts for what was whole too");
}

#[tokio::test]
async fn with_two_nodes_gone_nothing_is_acknowledged() {
    let bed = TestBed::start().await;
    bed.kill(0);
    bed.kill(1);
    let put = || bed.asks("editor", "PUT", "/api/v1/content/no").body(noise(100_000, 5)).send();
    put().await.refused(503, "too_few_nodes");
    bed.bury(0).await;
    bed.bury(1).await;
    let answer = put().await.refused(503, "too_few_nodes");
    assert_eq!(answer.header("retry-after"), "2");
    assert_eq!(answer.json()["detail"], "only 4 of at least 5 storage nodes are there");
    bed.asks("editor", "GET", "/api/v1/files/no").send().await.is(404);
    bed.revive(0);
    bed.revive(1);
    bed.leaks_nothing(&[]).await;
}

#[tokio::test]
async fn nodes_that_die_in_the_middle_of_an_upload_are_missed() {
    let bed = TestBed::start().await;
    bed.shards.set_fault(bed.nodes[2], Fault::DiesAfter(2));
    check_written(&bed, "/one-died", 5_000_000, 1).await;
    bed.shards.set_fault(bed.nodes[3], Fault::DiesAfter(1));
    let put = bed.asks("editor", "PUT", "/api/v1/content/two-died").body(noise(5_000_000, 6)).send().await;
    put.refused(503, "too_few_nodes");
    (2..4).for_each(|node| bed.revive(node));
    bed.leaks_nothing(&[("editor", "/one-died")]).await;
}

#[tokio::test]
async fn full_nodes_are_said_to_be_full() {
    let bed = TestBed::start().await;
    (0..6).for_each(|node| bed.has_room(node, 1000));
    let put = || bed.asks("editor", "PUT", "/api/v1/content/f").body(noise(1_500_000, 7)).send();
    put().await.refused(507, "insufficient_storage");
    // They said that they have room, and have none.
    (0..6).for_each(|node| bed.revive(node));
    (0..2).for_each(|node| bed.shards.set_fault(bed.nodes[node], Fault::Full));
    put().await.refused(507, "insufficient_storage");
    bed.leaks_nothing(&[]).await;
    bed.shards.set_fault(bed.nodes[0], Fault::None);
    assert_eq!(put().await.is(201).json()["redundancy"], 1);
}

#[tokio::test]
async fn the_cluster_says_what_is_short() {
    let bed = TestBed::start().await;
    bed.kill(5);
    bed.put("editor", "/a", noise(100_000, 8)).await;
    bed.bury(5).await;
    let cluster = bed.get("reader", "/api/v1/cluster").await;
    assert_eq!(cluster["short_extents"], 1, "{cluster}");
    assert_eq!(cluster["groups"], json!({"total": 16, "worst_margin": 1, "by_margin": {"1": 16}}));
    assert_eq!((&cluster["files"], &cluster["bytes"]), (&json!(1), &json!(100_000)));
}

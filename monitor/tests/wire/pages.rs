//! The monitor's own HTTP port.

use crate::bed::{Bed, eventually};
use asterism_proto::monitor::Verb;
use serde_json::Value;
use std::net::SocketAddr;

/// Status and body of a page.
pub(crate) async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client.get(format!("http://{address}{path}")).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

pub(crate) async fn json(address: SocketAddr, path: &str) -> Value {
    let (status, body) = get(address, path).await;
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn prometheus_finds_every_node() {
    let bed = Bed::new(2).await;
    let monitor = bed.monitor().await;
    let targets = json(monitor.http_address, "/sd").await;
    assert_eq!(targets.as_array().unwrap().len(), 2);
    assert_eq!(targets[0]["targets"], serde_json::json!(["127.0.0.1:8599"]));
    let labels = &targets[0]["labels"];
    assert_eq!(
        (&labels["node"], &labels["zone"], &labels["cluster"]),
        (&"n1".into(), &"z1".into(), &"asterism".into())
    );
    assert_eq!(labels["__meta_asterism_state"], "online");
}

#[tokio::test]
async fn nodes_and_timeline_can_be_read() {
    let bed = Bed::new(1).await;
    let monitor = bed.monitor().await;
    let node = &json(monitor.http_address, "/api/v1/nodes").await["items"][0];
    assert_eq!(
        (&node["name"], &node["state"], &node["free_bytes"]),
        (&"n1".into(), &"online".into(), &700.into())
    );
    eventually("two rows", async || monitor.timeline().await.len() == 2).await;
    let rows = json(monitor.http_address, "/api/v1/timeline?after=1&limit=5").await;
    assert_eq!(rows["items"].as_array().unwrap().len(), 1);
    assert_eq!((&rows["items"][0]["from"], &rows["items"][0]["to"]), (&"joining".into(), &"online".into()));
    for bad in ["after=x", "limit=-1", "sql=1"] {
        let (status, body) = get(monitor.http_address, &format!("/api/v1/timeline?{bad}")).await;
        assert_eq!(status, 400);
        assert!(body.contains("invalid_request"), "{body}");
    }
}

#[tokio::test]
async fn the_proof_of_a_stop_is_kept_with_its_numbers() {
    let bed = Bed::new(1).await;
    let monitor = bed.monitor().await;
    monitor.act(&bed.nodes[0], Verb::Stop).await;
    let rows = json(monitor.http_address, "/api/v1/timeline").await;
    let row = rows["items"].as_array().unwrap().iter().find(|row| row["to"] == "stopping").unwrap();
    let (detail, proof) = (&row["detail"], &row["detail"]["proof"]);
    assert_eq!((&detail["request"], &proof["granted"]), (&"r1".into(), &true.into()), "{row}");
    assert_eq!((&proof["groups_counted"], &proof["epoch"]), (&256.into(), &7.into()), "{row}");
}

#[tokio::test]
async fn the_own_figures_are_those_of_the_cluster() {
    let bed = Bed::new(2).await;
    let monitor = bed.monitor().await;
    let (_, text) = get(monitor.http_address, "/metrics").await;
    for line in [
        "asterism_storage_nodes{state=\"online\"} 2",
        "asterism_storage_nodes{state=\"offline\"} 0",
        "asterism_storage_free_bytes{node=\"n1\"} 700",
        "asterism_storage_capacity_bytes{node=\"n2\"} 1000",
        "asterism_placement_groups{margin=\"2\"} 250",
        "asterism_placement_groups{margin=\"-1\"} 6",
        "asterism_build_info{",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn readiness_follows_the_index_server() {
    let mut bed = Bed::new(1).await;
    let monitor = bed.monitor().await;
    assert_eq!(get(monitor.http_address, "/healthz").await.0, 200);
    assert_eq!(get(monitor.http_address, "/readyz").await.0, 200);
    bed.stop_index().await;
    eventually("it is not ready", async || get(monitor.http_address, "/readyz").await.0 == 503).await;
    assert_eq!(get(monitor.http_address, "/healthz").await.0, 200);
}

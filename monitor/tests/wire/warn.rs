//! From a fault to the message that names it.

use crate::{
    alone::{self, call},
    bed::{Bed, Running, eventually},
    pages,
};
use reqwest::Method;
use serde_json::{Value, json};

async fn open(monitor: &Running) -> Vec<Value> {
    pages::json(monitor.http_address, "/api/v1/messages?open=true").await["items"].as_array().unwrap().clone()
}

async fn told(monitor: &Running, name: &str) -> Value {
    let mut found = None;
    eventually(name, async || {
        found = open(monitor).await.into_iter().find(|message| message["name"] == name);
        found.is_some()
    })
    .await;
    found.unwrap()
}

#[tokio::test]
async fn a_dead_node_is_a_message_that_names_its_files_and_ends_with_it() {
    let bed = Bed::new(2).await;
    let monitor = bed.monitor_with(&alone::config(&bed)).await;
    monitor.wait_for("n2", "online").await;
    monitor.wait_for("n1", "online").await;
    bed.nodes[0].kill().await;
    let message = told(&monitor, "NodeProcessDead").await;
    assert_eq!((&message["labels"]["node"], &message["severity"]), (&"n1".into(), &"warning".into()));
    eventually("the files are counted", async || told(&monitor, "NodeProcessDead").await["files"] == 7).await;
    assert_eq!(
        told(&monitor, "NodeProcessDead").await["owners"],
        json!([]),
        "whose they are is for operators"
    );
    let (_, shown) = call(&monitor, Method::GET, "/api/v1/messages?open=true", alone::TOKEN, "").await;
    assert_eq!((&shown["items"][0]["owners"], &shown["items"][0]["tags"]), (&json!(["ada"]), &json!(["n1"])));
    // A restart of the monitor begins no new message.
    monitor.stop().await;
    let monitor = bed.monitor_with(&bed.config("")).await;
    assert_eq!(told(&monitor, "NodeProcessDead").await["id"], message["id"]);
    bed.nodes[0].start().await;
    eventually("it has ended", async || open(&monitor).await.is_empty()).await;
    let all = pages::json(monitor.http_address, "/api/v1/messages").await;
    assert_eq!(
        (&all["items"][0]["id"], &all["items"][0]["name"]),
        (&message["id"], &"NodeProcessDead".into())
    );
    assert!(all["items"][0]["ended_at"].is_string(), "{all}");
}

#[tokio::test]
async fn a_dead_zone_is_one_message() {
    let bed = Bed::new(3).await;
    let monitor = bed.monitor().await;
    for node in &bed.nodes {
        node.kill().await;
    }
    eventually("the zone alone is told of", async || {
        let open = open(&monitor).await;
        open.len() == 1 && open[0]["name"] == "ZoneDown" && open[0]["children"] == 3
    })
    .await;
    assert_eq!(told(&monitor, "ZoneDown").await["labels"]["zone"], "z1");
}

#[tokio::test]
async fn a_dead_index_server_and_a_bad_margin_are_told() {
    let mut bed = Bed::new(1).await;
    let monitor = bed.monitor().await;
    assert!(open(&monitor).await.is_empty());
    bed.index.members().worst_margin = -1;
    assert_eq!(told(&monitor, "FilesUnreadable").await["value"], -1.0);
    bed.stop_index().await;
    assert_eq!(told(&monitor, "IndexServerDown").await["severity"], "critical");
}

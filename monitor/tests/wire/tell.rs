//! Messages sent on to a webhook, and the call to a dead man's switch.

use crate::{
    bed::{Bed, Running, eventually},
    pages,
    receiver::{Manner, Receiver},
};
use serde_json::Value;
use std::{os::unix::fs::OpenOptionsExt, path::Path};

async fn telling(bed: &Bed, receiver: &Receiver, more: &str) -> Running {
    let webhook = format!(
        "webhooks = [{{ name = 'chat', url = 'http://{}/hook', allow_private = true, {more} }}]",
        receiver.address
    );
    let running = bed.monitor_with(&bed.config(&webhook)).await;
    for node in &bed.nodes {
        running.wait_for(&node.name, "online").await;
    }
    running
}

/// What was posted: node and state, in order.
fn told(receiver: &Receiver) -> Vec<(String, String)> {
    let bodies =
        receiver.requests().into_iter().map(|(_, body)| serde_json::from_slice::<Value>(&body).unwrap());
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    bodies.map(|body| (word(&body["labels"]["node"]), word(&body["state"]))).collect()
}

fn pair(node: &str, state: &str) -> (String, String) {
    (node.into(), state.into())
}

#[tokio::test]
async fn a_message_arrives_at_its_beginning_and_its_end_and_once_over_a_restart() {
    let bed = Bed::new(2).await;
    let receiver = Receiver::start(Manner::Answers(204)).await;
    let monitor = telling(&bed, &receiver, "").await;
    bed.nodes[0].kill().await;
    eventually("the beginning", async || told(&receiver) == [pair("n1", "firing")]).await;
    monitor.stop().await;
    let monitor = telling_again(&bed, &receiver).await;
    bed.nodes[0].start().await;
    eventually("the end", async || told(&receiver).len() == 2).await;
    assert_eq!(told(&receiver)[1], pair("n1", "resolved"));
    let line = "asterism_monitor_deliveries_total{channel=\"chat\",result=\"taken\"} 1";
    eventually("it is counted, once since the restart", async || {
        pages::get(monitor.http_address, "/metrics").await.1.lines().any(|counted| counted == line)
    })
    .await;
}

/// The same monitor again; a node is away.
async fn telling_again(bed: &Bed, receiver: &Receiver) -> Running {
    let url = format!("http://{}/hook", receiver.address);
    let webhook = format!("webhooks = [{{ name = 'chat', url = '{url}', allow_private = true }}]");
    let running = bed.monitor_with(&bed.config(&webhook)).await;
    running.wait_for("n1", "offline").await;
    running
}

#[tokio::test]
async fn a_receiver_that_fails_is_told_again_in_order() {
    let bed = Bed::new(2).await;
    let receiver = Receiver::start(Manner::Answers(503)).await;
    let _monitor = telling(&bed, &receiver, "").await;
    bed.nodes[0].kill().await;
    eventually("it is tried", async || !receiver.requests().is_empty()).await;
    bed.nodes[1].kill().await;
    eventually("it is tried again", async || receiver.requests().len() >= 2).await;
    receiver.change(Manner::Answers(200));
    eventually("both are told", async || told(&receiver).last().is_some_and(|(node, _)| node != "n1")).await;
    let told = told(&receiver);
    let first_other = told.iter().position(|(node, _)| node != "n1").unwrap();
    assert!(told[..first_other].iter().all(|told| *told == pair("n1", "firing")), "{told:?}");
}

#[tokio::test]
async fn nobody_is_sent_elsewhere_by_a_redirect() {
    let bed = Bed::new(2).await;
    let inside = Receiver::start(Manner::Answers(200)).await;
    let receiver = Receiver::start(Manner::Redirects(inside.address)).await;
    let _monitor = telling(&bed, &receiver, "").await;
    bed.nodes[0].kill().await;
    eventually("it is tried again", async || receiver.requests().len() >= 2).await;
    assert!(inside.requests().is_empty());
}

#[tokio::test]
async fn a_chat_gets_its_own_words() {
    let bed = Bed::new(2).await;
    let receiver = Receiver::start(Manner::Answers(200)).await;
    let _monitor = telling(&bed, &receiver, "template = '{\"text\": \"{severity}: {summary}\"}'").await;
    bed.nodes[0].kill().await;
    eventually("it is told", async || !receiver.requests().is_empty()).await;
    let (head, body) = receiver.requests().remove(0);
    assert!(head.starts_with("post /hook ") && head.contains("content-type: application/json"), "{head}");
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["text"], "warning: The storage node n1 has died on a live host");
}

fn private(path: &Path, text: &str) {
    let file = std::fs::File::options().create(true).write(true).truncate(true).mode(0o600).open(path);
    std::io::Write::write_all(&mut file.unwrap(), text.as_bytes()).unwrap();
}

#[tokio::test]
async fn the_dead_mans_switch_is_called_again_and_again() {
    let bed = Bed::new(1).await;
    let receiver = Receiver::start(Manner::Answers(200)).await;
    let file = bed.dir.path().join("switch.url");
    private(&file, &format!("http://{}/ping\n", receiver.address));
    let more = format!(
        "heartbeat = {{ url_file = '{}', interval_seconds = 0.1, allow_private = true }}",
        file.display()
    );
    let _monitor = bed.monitor_with(&bed.config(&more)).await;
    eventually("it is called twice", async || receiver.requests().len() >= 2).await;
    assert!(receiver.requests()[0].0.starts_with("get /ping "));
}

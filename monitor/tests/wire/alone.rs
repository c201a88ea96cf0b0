//! The monitor when no index-server is there: it shows, warns and wakes.

use crate::{
    bed::{Bed, Running, eventually},
    pages::{get, json},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::os::unix::fs::OpenOptionsExt;

pub(crate) const TOKEN: &str = "the-operators-token";

pub(crate) fn config(bed: &Bed) -> asterism_monitor::Config {
    let file = bed.dir.path().join("operator.token");
    let options = std::fs::File::options().create(true).write(true).truncate(true).mode(0o600).open(&file);
    std::io::Write::write_all(&mut options.unwrap(), TOKEN.as_bytes()).unwrap();
    bed.config(&format!("operator_token_file = '{}'", file.display()))
}

pub(crate) async fn call(
    monitor: &Running,
    method: Method,
    path: &str,
    token: &str,
    body: &str,
) -> (u16, Value) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.request(method, format!("http://{}{path}", monitor.http_address)).bearer_auth(token);
    let response = request.body(body.to_owned()).send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
}

#[tokio::test]
async fn with_the_index_server_dead_from_the_start_it_shows_warns_and_wakes() {
    let mut bed = Bed::new(2).await;
    let config = config(&bed);
    let monitor = bed.monitor_with(&config).await;
    for node in &bed.nodes {
        monitor.wait_for(&node.name, "online").await;
    }
    // Written down within seconds; a restart is what it is for.
    eventually("the nodes are remembered", async || {
        let pool = asterism_monitor::database::open(&bed.data_dir()).await.unwrap();
        asterism_monitor::known::load(&pool).await.unwrap().len() == 2
    })
    .await;
    monitor.stop().await;
    bed.stop_index().await;
    bed.nodes[0].kill().await;

    let monitor = bed.monitor_with(&config).await;
    monitor.wait_for("n1", "offline").await;
    monitor.wait_for("n2", "online").await;
    eventually("both are told", async || {
        let open = json(monitor.http_address, "/api/v1/messages?open=true").await;
        let names: Vec<&str> =
            open["items"].as_array().unwrap().iter().filter_map(|message| message["name"].as_str()).collect();
        names.contains(&"IndexServerDown") && names.contains(&"NodeProcessDead")
    })
    .await;
    let (_, page) = get(monitor.http_address, "/").await;
    for part in ["No index-server answers", "has died on a live host", "<button>Wake n1</button>"] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    let (status, act) = call(&monitor, Method::POST, "/api/v1/nodes/n1/wake", TOKEN, "").await;
    assert_eq!((status, &act["outcome"]), (200, &"done".into()), "{act}");
    assert!(bed.nodes[0].runs());
    // A stop needs the proof, and there is nobody to give it.
    let (status, problem) = call(&monitor, Method::POST, "/api/v1/nodes/n2/stop", TOKEN, "").await;
    assert_eq!((status, &problem["code"]), (409, &"refused".into()), "{problem}");
    assert!(problem["act"]["message"].as_str().unwrap().contains("proof"), "{problem}");
    assert!(bed.nodes[1].runs());
}

#[tokio::test]
async fn only_who_has_the_token_may_act() {
    let bed = Bed::new(1).await;
    let monitor = bed.monitor_with(&config(&bed)).await;
    monitor.wait_for("n1", "online").await;
    for (method, path) in [
        (Method::POST, "/api/v1/nodes/n1/wake"),
        (Method::POST, "/api/v1/nodes/n1/stop"),
        (Method::PATCH, "/api/v1/messages/1"),
        (Method::POST, "/api/v1/silences"),
        (Method::POST, "/api/v1/alerts/webhook"),
    ] {
        let (status, problem) = call(&monitor, method, path, "guessed", "{}").await;
        assert_eq!((status, &problem["code"]), (401, &"unauthenticated".into()), "{path}");
    }
    let body = r#"{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"Fan","node":"n1"}}]}"#;
    let (status, taken) = call(&monitor, Method::POST, "/api/v1/alerts/webhook", TOKEN, body).await;
    assert_eq!((status, taken), (200, json!({"alerts": 1, "dropped": 0})));
    let message = json(monitor.http_address, "/api/v1/messages?open=true").await["items"][0].clone();
    assert_eq!((&message["name"], &message["read"]), (&"Fan".into(), &false.into()));
    let path = format!("/api/v1/messages/{}", message["id"]);
    assert_eq!(call(&monitor, Method::PATCH, &path, TOKEN, r#"{"read":true}"#).await.0, 204);
    assert_eq!(call(&monitor, Method::PATCH, &path, TOKEN, r#"{"red":true}"#).await.0, 400);
    assert_eq!(call(&monitor, Method::PATCH, "/api/v1/messages/99", TOKEN, "{}").await.0, 404);
    let unread = json(monitor.http_address, "/api/v1/messages?unread=true").await;
    assert_eq!(unread["items"], json!([]));
    let silence = r#"{"name":"Fan","seconds":60}"#;
    assert_eq!(call(&monitor, Method::POST, "/api/v1/silences", TOKEN, silence).await.0, 201);
    assert_eq!(json(monitor.http_address, "/api/v1/messages?open=true").await["items"], json!([]));
    assert_eq!(call(&monitor, Method::POST, "/api/v1/silences", TOKEN, r#"{"seconds":60}"#).await.0, 400);
}

#[tokio::test]
async fn without_a_token_the_port_only_shows() {
    let bed = Bed::new(1).await;
    let monitor = bed.monitor().await;
    let (status, problem) = call(&monitor, Method::POST, "/api/v1/nodes/n1/wake", "", "").await;
    assert_eq!((status, &problem["code"]), (403, &"forbidden".into()));
    let (status, page) = get(monitor.http_address, "/").await;
    assert!(status == 200 && page.contains("n1") && !page.contains("<button>"), "{page}");
}

#[tokio::test]
async fn a_form_of_the_page_wakes_for_who_types_the_token() {
    let bed = Bed::new(1).await;
    let monitor = bed.monitor_with(&config(&bed)).await;
    monitor.wait_for("n1", "online").await;
    bed.nodes[0].kill().await;
    monitor.wait_for("n1", "offline").await;
    for bad in ["node=n1&token=guessed", "node=n1", "node=n1&token=x&more=y", "\0"] {
        assert!(call(&monitor, Method::POST, "/wake", "", bad).await.0 >= 400, "{bad:?}");
    }
    assert!(!bed.nodes[0].runs());
    let form = format!("node=n1&token={TOKEN}");
    assert_eq!(call(&monitor, Method::POST, "/wake", "", &form).await.0, 200);
    assert!(bed.nodes[0].runs());
}

#[tokio::test]
async fn the_page_shows_hostile_words_as_words() {
    let bed = Bed::new(1).await;
    let monitor = bed.monitor_with(&config(&bed)).await;
    let hostile = "<img src=x onerror=alert(1)>";
    let body = json!({"version": "4", "alerts": [{"status": "firing",
        "labels": {"alertname": "X", "severity": hostile}, "annotations": {"summary": hostile, "description": hostile}}]});
    assert_eq!(call(&monitor, Method::POST, "/api/v1/alerts/webhook", TOKEN, &body.to_string()).await.0, 200);
    let (_, page) = get(monitor.http_address, "/").await;
    assert!(page.contains("&lt;img") && !page.contains("<img"), "{page}");
}

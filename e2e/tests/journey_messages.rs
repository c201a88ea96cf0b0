//! A node is killed: the monitor's own message names the files, and so does the one that went Prometheus → Alertmanager →
//! webhook. People read it by the API, the command line and the page, and wake the node from there. And with the index-server
//! frozen, the monitor does the same alone.

use anyhow::{Context, ensure};
use asterism_e2e::process::signal;
use asterism_e2e::servers::prometheus::Targets;
use asterism_e2e::servers::{Alertmanager, Prometheus};
use asterism_e2e::story::node_is;
use asterism_e2e::{Cluster, Options, http, locate, page, until, within};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::Duration;

/// Scrape, evaluation, grouping and delivery, each a few seconds, on a busy machine.
const ARRIVING_LIMIT: Duration = Duration::from_secs(120);

/// The messages that `query` lets through.
async fn messages(cluster: &Cluster, query: &str) -> anyhow::Result<Vec<Value>> {
    let answer = cluster.call(Method::GET, &format!("/messages?{query}")).await?.ok()?.json()?;
    Ok(answer["items"].as_array().context("a list")?.clone())
}

/// Waits for a message about `node` from `source`, with its files named.
async fn told(cluster: &Cluster, source: &str, node: &str) -> anyhow::Result<Value> {
    until(&format!("{source} tells of {node}"), ARRIVING_LIMIT, async || {
        let open = messages(cluster, "open=true").await?;
        let about = |message: &&Value| {
            message["source"] == source
                && message["name"] == "NodeProcessDead"
                && message["labels"]["node"] == node
                && message["files"] == 1
        };
        open.iter().find(about).cloned().with_context(|| format!("there is only {open:?}"))
    })
    .await
}

/// Where the monitor's own page and API are.
fn monitor_address(cluster: &Cluster) -> anyhow::Result<String> {
    let config = std::fs::read_to_string(cluster.config("monitor"))?;
    let listens = config.lines().find_map(|line| line.strip_prefix("http_listen = "));
    Ok(listens.context("the monitor listens")?.trim_matches('"').to_owned())
}

async fn patch(cluster: &Cluster, id: &Value, body: Value) -> anyhow::Result<()> {
    http::send(cluster.request(Method::PATCH, &format!("/messages/{id}")).json(&body)).await?.ok().map(drop)
}

#[tokio::test]
async fn a_killed_node_is_told_by_both_ways_and_woken_from_the_page() -> anyhow::Result<()> {
    within(Duration::from_secs(600), async {
        let cluster = Cluster::start(Options::default()).await?;
        let file = cluster.home().join("report.txt");
        std::fs::write(&file, "quarterly figures of the observatory\n".repeat(2000))?;
        cluster.put(&[&file], "/report.txt").await?.ok()?;
        http::send(cluster.request(Method::PUT, "/files/report.txt/tags/observatory")).await?.ok()?;

        let hook = format!("{}/api/v1/alerts/webhook", cluster.url());
        let alertmanager = Alertmanager::start_with_token(&hook, Some(cluster.token())).await?;
        let monitor = monitor_address(&cluster)?;
        let rules = locate::repository().join("deploy/prometheus/rules.yml");
        let targets = Targets {
            addresses: vec![monitor],
            alerts: Some((alertmanager.address(), rules.display().to_string())),
            ..Targets::default()
        };
        let _prometheus = Prometheus::start(&targets).await?;

        cluster.kill_node("n3").await?;
        node_is(&cluster, "n3", "offline").await?;
        let own = told(&cluster, "monitor", "n3").await?;
        ensure!(own["owners"] == json!(["admin"]), "{own}");
        ensure!(own["tags"].as_array().is_some_and(|tags| tags.contains(&json!("observatory"))), "{own}");
        ensure!(own["acts"] == json!([{"verb": "wake", "node": "n3"}]), "{own}");
        let others = told(&cluster, "alertmanager", "n3").await?;
        ensure!(
            others["summary"] == own["summary"] && others["advice"] == own["advice"],
            "{others} and {own}"
        );
        let all = messages(&cluster, "all=true").await?;
        ensure!(all.iter().all(|message| message["name"] != "Watchdog"), "{all:?}");

        // Read is the reader's own; taken on is for all to see; silenced is out of the way.
        let unread = messages(&cluster, "unread=true").await?.len();
        patch(&cluster, &own["id"], json!({"read": true})).await?;
        ensure!(messages(&cluster, "unread=true").await?.len() == unread - 1);
        patch(&cluster, &own["id"], json!({"read": false, "acknowledged": true})).await?;
        let listed = cluster.cli(&["messages", "--json"]).await?.json()?;
        let taken = listed.as_array().context("a list")?.iter().find(|message| message["id"] == own["id"]);
        ensure!(taken.is_some_and(|message| message["acknowledged_by"] == "admin"), "{listed}");
        let said = cluster.cli(&["messages"]).await?.ok()?;
        ensure!(said.says("has died on a live host") && said.says("observatory"), "{}", said.message());
        let silence =
            json!({"name": "NodeProcessDead", "labels": {"node": "n3"}, "seconds": 60, "reason": "a test"});
        let silenced =
            http::send(cluster.request(Method::POST, "/silences").json(&silence)).await?.ok()?.json()?;
        ensure!(
            messages(&cluster, "open=true").await?.iter().all(|message| message["labels"]["node"] != "n3")
        );
        cluster.call(Method::DELETE, &format!("/silences/{}", silenced["id"])).await?.ok()?;

        // What is no alert is refused, and who may not post is, too.
        let post = |body: &'static str| cluster.request(Method::POST, "/alerts/webhook").body(body);
        ensure!(http::send(post("{\"version\":\"4\"}")).await?.status == 400);
        let nobody = http::send(http::client().post(&hook).body("{}")).await?;
        ensure!(nobody.status == 401, "{nobody:?}");

        let password = cluster.password()?;
        let access = [("SERVER", cluster.url()), ("USER_NAME", "admin"), ("PASSWORD", password.as_str())];
        page::run("messages.mjs", &access).await?;
        node_is(&cluster, "n3", "online").await?;
        until("both messages end", ARRIVING_LIMIT, async || {
            let open = messages(&cluster, "open=true").await?;
            ensure!(open.iter().all(|message| message["labels"]["node"] != "n3"), "{open:?}");
            Ok(())
        })
        .await?;
        let kept = messages(&cluster, "").await?;
        let ended = kept.iter().find(|message| message["id"] == own["id"]).context("it is kept")?;
        ensure!(ended["state"] == "resolved" && ended["acts"] == json!([]), "{ended}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn with_the_index_server_frozen_the_monitor_shows_warns_and_wakes() -> anyhow::Result<()> {
    within(Duration::from_secs(600), async {
        let cluster =
            Cluster::start(Options { nodes: 3, policy: "2+1".into(), ..Options::default() }).await?;
        let monitor = format!("http://{}", monitor_address(&cluster)?);
        let alone =
            async |arguments: &[&str]| cluster.cli(&[&["--monitor", &monitor], arguments].concat()).await;
        // The cluster is ready when the index-server has all nodes; the monitor hears of them a moment later.
        until("the monitor knows all nodes", ARRIVING_LIMIT, async || {
            let nodes: Value = serde_json::from_str(&http::get(&format!("{monitor}/api/v1/nodes")).await?)?;
            let nodes = nodes["items"].as_array().context("a list")?;
            ensure!(nodes.len() == 3 && nodes.iter().all(|node| node["state"] == "online"), "{nodes:?}");
            Ok(())
        })
        .await?;
        let index = cluster.processes("index-server");
        ensure!(index.len() == 1, "{index:?}");
        let node = cluster.node("n2").await?.pid.context("n2 runs")?;
        signal(index[0], Signal::STOP)?;
        signal(node, Signal::KILL)?;

        until("the command line tells of both", ARRIVING_LIMIT, async || {
            let said = alone(&["messages"]).await?.ok()?;
            ensure!(
                said.says("the monitor at") && said.says("No index-server answers"),
                "{}",
                said.message()
            );
            ensure!(said.says("n2 has died on a live host"), "{}", said.message());
            Ok(())
        })
        .await?;
        let page = http::get(&monitor).await?;
        ensure!(page.contains("No index-server answers") && page.contains("Wake n2"), "{page}");
        alone(&["node", "stop", "n1"]).await?.refused("proof")?;
        alone(&["node", "wake", "n2"]).await?.ok()?;
        let nodes = alone(&["node", "ls", "--json"]).await?.json()?;
        let woken = nodes.as_array().context("a list")?.iter().find(|node| node["name"] == "n2");
        ensure!(woken.is_some_and(|node| node["state"] == "online"), "{nodes}");

        signal(index[0], Signal::CONT)?;
        node_is(&cluster, "n2", "online").await?;
        Ok(())
    })
    .await
}

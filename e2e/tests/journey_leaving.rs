//! A machine leaves for good: its files go to the others while they are read, it is counted empty, and retired; it comes back as a new
//! one and takes its share.

use anyhow::{Context, ensure};
use asterism_e2e::samples::noise;
use asterism_e2e::story::{HEALING_LIMIT, node_is};
use asterism_e2e::wait::until;
use asterism_e2e::{Cluster, Ledger, Options, within};
use reqwest::Method;
use std::time::Duration;

/// Files of a size above that of copies, and one of several stripes.
const FILES: u64 = 24;

#[tokio::test]
async fn a_machine_leaves_and_no_file_does() -> anyhow::Result<()> {
    within(Duration::from_secs(600), async {
        let cluster = Cluster::start(Options { nodes: 7, ..Options::default() }).await?;
        let mut ledger = Ledger::default();
        let mut files = vec![noise(&cluster.home().join("large"), 5 << 20, 1)?];
        for number in 0..FILES {
            files.push(noise(&cluster.home().join(format!("file{number}")), 100_000, 2 + number)?);
        }
        ledger.put(&cluster, &files, "/kept").await?;
        holds(&cluster, "n1", true).await?;

        // Said before it is done.
        let plan = cluster.cli(&["node", "drain", "n1", "--dry-run", "--json"]).await?.json()?;
        ensure!(plan["outcome"] == "dry_run" && plan["plan"]["places"].as_u64() > Some(0), "{plan}");
        ensure!(plan["plan"]["worst_margin"] == 2 && plan["plan"]["bytes"].as_u64() > Some(0), "{plan}");
        ensure!(cluster.node("n1").await?.state == "online", "a rehearsal is no act");

        let begun = cluster.cli(&["node", "retire", "n1", "--json"]).await?.json()?;
        ensure!(begun["outcome"] == "started", "{begun}");
        // With six that take shards left, none of them may go.
        cluster.cli(&["node", "drain", "n2"]).await?.refused("needs 6 nodes")?;
        node_is(&cluster, "n1", "retired").await?;
        holds(&cluster, "n1", false).await?;
        ledger.check(&cluster).await?;
        cluster.whole_until(HEALING_LIMIT).await?;
        timeline_says(&cluster, "n1", "draining", "by admin").await?;

        // All copies count: any two of the others may die.
        cluster.cli(&["node", "wake", "n1"]).await?.ok()?;
        node_is(&cluster, "n1", "online").await?;
        holds(&cluster, "n1", true).await?;
        cluster.whole_until(HEALING_LIMIT).await?;
        cluster.kill_node("n2").await?;
        cluster.kill_node("n3").await?;
        ledger.check(&cluster).await
    })
    .await
}

/// Whether the monitor wrote down that the node went into a state, and why.
async fn timeline_says(cluster: &Cluster, node: &str, to: &str, why: &str) -> anyhow::Result<()> {
    until(&format!("the log of {node} {to}"), Duration::from_secs(30), async || {
        let log = cluster.call(Method::GET, "/timeline").await?.ok()?.json()?;
        let entries = log["items"].as_array().into_iter().flatten();
        let found = entries.filter(|entry| entry["subject"] == node && entry["to"] == to);
        let causes: Vec<&str> = found.filter_map(|entry| entry["cause"].as_str()).collect();
        ensure!(causes.iter().any(|cause| cause.contains(why)), "{causes:?}");
        Ok(())
    })
    .await
}

/// How many shards the node counts on its own disk.
async fn shards(cluster: &Cluster, node: &str) -> anyhow::Result<u64> {
    let shown = cluster.cli(&["node", "show", node, "--json"]).await?.json()?;
    shown["shards"].as_u64().with_context(|| format!("no shards in {shown}"))
}

/// Waits until the node says that it holds shards, or none.
async fn holds(cluster: &Cluster, node: &str, some: bool) -> anyhow::Result<()> {
    until(&format!("{node} holds {}", if some { "shards" } else { "nothing" }), HEALING_LIMIT, async || {
        let shards = shards(cluster, node).await?;
        ensure!((shards > 0) == some, "{node} holds {shards}");
        Ok(())
    })
    .await
    .with_context(|| cluster.log_tail())
}

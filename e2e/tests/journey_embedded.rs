//! What a person sees who has one machine and nothing else: files go in, are found by their tags, and come out with two
//! machines dead; a third may not be stopped; the dead ones come back and everything is whole again.

use anyhow::ensure;
use asterism_e2e::samples::noise;
use asterism_e2e::story::{
    HEALING_LIMIT, TAGGING_LIMIT, find_by_tag, node_is, stop_is_refused, store_the_library, wake,
};
use asterism_e2e::{Cluster, Ledger, Options, within};
use std::time::Duration;

#[tokio::test]
async fn files_are_found_and_survive_two_dead_machines() -> anyhow::Result<()> {
    within(Duration::from_secs(900), async {
        let cluster = Cluster::start(Options::default()).await?;
        let mut ledger = Ledger::default();

        let samples = store_the_library(&cluster, &mut ledger).await?;
        let status = cluster.tagged_until(TAGGING_LIMIT).await?;
        ensure!(status["files"].as_u64() == Some(ledger.files() as u64), "{status}");
        ensure!(status["bytes"].as_u64() == Some(ledger.bytes()), "{status}");
        find_by_tag(&cluster, &samples).await?;

        // With one machine dead, files still go in, and the answer says how safe they are.
        cluster.kill_node("n1").await?;
        let large = noise(&cluster.home().join("large"), 3 << 20, 1)?;
        let stored = ledger.put(&cluster, &[large], "/while-n1-is-dead").await?;
        ensure!(stored[0]["redundancy"] == 1, "five of six shards survive one loss: {stored:?}");

        // With two dead, everything is read, nothing is taken, and no third may go.
        cluster.kill_node("n2").await?;
        ledger.check(&cluster).await?;
        stop_is_refused(&cluster, "n3").await?;
        let refused = noise(&cluster.home().join("refused"), 3 << 20, 2)?;
        cluster.put(&[&refused.file], "/refused").await?.refused("node")?;
        ledger.absent("/refused");

        // A stop is refused too when the cluster has long seen what happened.
        node_is(&cluster, "n1", "offline").await?;
        node_is(&cluster, "n2", "offline").await?;
        stop_is_refused(&cluster, "n3").await?;

        wake(&cluster, "n1").await?;
        wake(&cluster, "n2").await?;
        cluster.whole_until(HEALING_LIMIT).await?;

        // "Whole" was said of real shards: other two may die now, and the file that n1 never saw is still read.
        cluster.kill_node("n3").await?;
        cluster.kill_node("n4").await?;
        ledger.check(&cluster).await
    })
    .await
}

#[tokio::test]
async fn a_node_is_stopped_and_woken_and_the_cluster_says_so() -> anyhow::Result<()> {
    within(Duration::from_secs(600), async {
        let cluster = Cluster::start(Options::default()).await?;
        let mut ledger = Ledger::default();
        let file = noise(&cluster.home().join("file"), 2 << 20, 3)?;
        ledger.put(&cluster, &[file], "/a").await?;

        let before = cluster.node("n5").await?;
        let answer = cluster.cli(&["node", "stop", "n5", "--dry-run", "--json"]).await?.json()?;
        ensure!(answer["outcome"] == "dry_run", "{answer}");
        ensure!(cluster.node("n5").await?.pid == before.pid, "a dry run stopped the node");

        let answer = cluster.cli(&["node", "stop", "n5", "--json"]).await?.json()?;
        ensure!(answer["outcome"] == "done" && answer["worst_margin"] == 1, "{answer}");
        node_is(&cluster, "n5", "asleep").await?;
        ensure!(cluster.processes("storage-node").len() == 5, "the process runs on");
        // The floor is one spare shard: the next one may not go.
        stop_is_refused(&cluster, "n6").await?;
        ledger.check(&cluster).await?;

        wake(&cluster, "n5").await?;
        ensure!(cluster.node("n5").await?.pid != before.pid);
        // Both are repeated without harm.
        let answer = cluster.cli(&["node", "wake", "n5", "--json"]).await?.json()?;
        ensure!(answer["outcome"] == "unchanged", "{answer}");
        cluster.whole_until(HEALING_LIMIT).await?;
        ledger.check(&cluster).await
    })
    .await
}

//! A cluster that is stopped, or cut off in the middle, goes on with everything it acknowledged.

use anyhow::ensure;
use asterism_e2e::cluster::Node;
use asterism_e2e::samples::{self, Sample, noise};
use asterism_e2e::story::{HEALING_LIMIT, LIBRARY, TAGGING_LIMIT, found, store_the_library};
use asterism_e2e::{Cluster, Ledger, Options, within};
use std::time::Duration;
use tokio::sync::watch;

/// What a node is known by.
fn ids(nodes: Vec<Node>) -> Vec<(String, String)> {
    nodes.into_iter().map(|node| (node.name, node.id)).collect()
}

#[tokio::test]
async fn a_clean_stop_ends_every_process_and_the_next_start_has_everything() -> anyhow::Result<()> {
    within(Duration::from_secs(900), async {
        let mut cluster = Cluster::start(Options::default()).await?;
        let mut ledger = Ledger::default();
        store_the_library(&cluster, &mut ledger).await?;
        cluster.cli(&["mkdir", "/licences"]).await?.ok()?;
        cluster.cli(&["mv", "/library/GPL-3", "/licences/gpl"]).await?.ok()?;
        ledger.moved("/library/GPL-3", "/licences/gpl")?;
        cluster.cli(&["rm", "/library/BSD"]).await?.ok()?;
        ledger.absent("/library/BSD");
        cluster.tagged_until(TAGGING_LIMIT).await?;
        let found_before = found(&cluster, "type:image").await?;
        let nodes_before = ids(cluster.nodes().await?);

        cluster.stop().await?;
        cluster.start_again().await?;

        ensure!(ids(cluster.nodes().await?) == nodes_before, "the nodes are others");
        ensure!(found(&cluster, "type:image").await? == found_before, "tags were lost");
        ensure!(cluster.password().is_err(), "the password was shown again");
        cluster.whole_until(HEALING_LIMIT).await?;
        ledger.check(&cluster).await?;
        cluster.cli(&["restore", "/library/BSD"]).await?.ok()?;
        let bsd = samples::gather()?.into_iter().find(|sample| sample.name == "BSD").expect("a sample");
        ledger.acknowledged("/library/BSD", &bsd);
        ledger.check(&cluster).await
    })
    .await
}

#[tokio::test]
async fn every_process_is_killed_during_uploads_and_no_acknowledged_file_is_lost() -> anyhow::Result<()> {
    within(Duration::from_secs(900), async {
        let mut cluster = Cluster::start(Options::default()).await?;
        let mut ledger = Ledger::default();
        for round in 1..=ROUNDS {
            let cut = upload_until_killed(&cluster, &mut ledger, round).await?;
            cluster.kill_everything();
            cluster.start_again().await?;
            ledger.settle(&cluster, &cut.0, &cut.1).await?;
            ledger.check(&cluster).await?;
        }
        ensure!(ledger.files() > 20, "too little was acknowledged to prove anything: {}", ledger.files());
        cluster.whole_until(HEALING_LIMIT).await?;
        ledger.check(&cluster).await
    })
    .await
}

const ROUNDS: u64 = 3;

/// Uploads file after file; after some of them everything is killed. Gives the one that was on its way.
async fn upload_until_killed(
    cluster: &Cluster,
    ledger: &mut Ledger,
    round: u64,
) -> anyhow::Result<(String, Sample)> {
    let (acknowledged, mut seen) = watch::channel(0);
    let upload = async {
        for number in 0.. {
            let name = format!("{round}-{number}");
            let file = noise(&cluster.home().join(&name), 40_000 * (number + 1), round)?;
            let path = format!("/killed/{name}");
            if !cluster.put(&[&file.file], &path).await?.success() {
                return Ok((path, file));
            }
            ledger.acknowledged(path, &file);
            acknowledged.send_replace(number);
        }
        anyhow::bail!("the numbers never end")
    };
    let kill = async {
        seen.wait_for(|number| *number >= 8 * round).await?;
        // Somewhere in the middle of the next upload, elsewhere in each round.
        tokio::time::sleep(Duration::from_millis(17 * round)).await;
        cluster.kill_processes();
        anyhow::Ok(())
    };
    let (cut, killed) = tokio::join!(upload, kill);
    killed?;
    cut
}

#[tokio::test]
async fn files_of_every_awkward_length_survive_a_restart_on_three_nodes() -> anyhow::Result<()> {
    within(Duration::from_secs(300), async {
        let options = Options { nodes: 3, policy: "2+1".to_owned(), ..Options::default() };
        let mut cluster = Cluster::start(options).await?;
        let mut ledger = Ledger::default();
        // Around every boundary of the layout: nothing, one byte, a cell, a stripe.
        for size in [0, 1, 4_095, 4_096, 262_143, 262_144, 262_145, 524_287, 524_288, 524_289, 5_000_001] {
            let file = noise(&cluster.home().join(format!("{size}-bytes")), size, size)?;
            ledger.put(&cluster, &[file], LIBRARY).await?;
        }
        ledger.check(&cluster).await?;
        cluster.stop().await?;
        cluster.start_again().await?;
        ledger.check(&cluster).await
    })
    .await
}

//! The same cluster on the servers of a production site: metadata in MariaDB, the tag graph in Neo4j.

use anyhow::{Context, ensure};
use asterism_e2e::samples;
use asterism_e2e::servers::{Mariadb, Neo4j};
use asterism_e2e::story::{
    HEALING_LIMIT, LIBRARY, TAGGING_LIMIT, find_by_tag, stop_is_refused, store_the_library, wake,
};
use asterism_e2e::{Cluster, Ledger, Options, until, within};
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;

#[tokio::test]
async fn the_graph_dies_during_uploads_and_is_complete_when_it_is_back() -> anyhow::Result<()> {
    within(Duration::from_secs(900), async {
        let (database, mut graph) = (Mariadb::start().await?, Neo4j::start().await?);
        let options = Options {
            database: Some(database.database("asterism")?),
            graph: Some(graph.url()),
            ..Options::default()
        };
        let cluster = Cluster::start(options).await?;
        let mut ledger = Ledger::default();

        // Neo4j is killed while files go in: every one of them is stored all the same.
        let bolt = graph_is(&cluster, true).await?;
        ensure!(bolt["graph"]["kind"] == "neo4j", "{bolt}");
        let stored = store_the_library(&cluster, &mut ledger);
        let killed = async {
            cluster
                .status_until("the first uploads", Duration::from_secs(60), |status| {
                    status["files"].as_u64().is_some_and(|files| files >= 5)
                })
                .await?;
            graph.kill();
            anyhow::Ok(())
        };
        let (samples, killed) = tokio::join!(stored, killed);
        let samples = samples?;
        killed?;
        let more = &samples::gather()?[..5];
        ledger.put(&cluster, more, "/while-the-graph-is-dead").await?;
        graph_is(&cluster, false).await?;
        ledger.check(&cluster).await?;

        graph.start_again().await?;
        cluster.tagged_until(TAGGING_LIMIT).await?;
        let expected = taggings(&cluster, ledger.files()).await?;
        let found = graph.count("MATCH (:File)-[tagging]->(:Tag) RETURN count(tagging)").await?;
        ensure!(found == expected, "{found} of {expected} edges are in the graph");
        let files = graph.count("MATCH (file:File) RETURN count(file)").await?;
        ensure!(files == ledger.files() as u64, "{files} of {} files are in the graph", ledger.files());
        cluster.cli(&["rm", "/while-the-graph-is-dead"]).await?.ok()?;
        for sample in more {
            ledger.absent(format!("/while-the-graph-is-dead/{}", sample.name));
        }
        cluster.tagged_until(TAGGING_LIMIT).await?;
        find_by_tag(&cluster, &samples).await
    })
    .await
}

#[tokio::test]
async fn mariadb_keeps_the_names_through_dead_nodes_and_its_own_death() -> anyhow::Result<()> {
    within(Duration::from_secs(900), async {
        let mut database = Mariadb::start().await?;
        let options = Options { database: Some(database.database("asterism")?), ..Options::default() };
        let cluster = Cluster::start(options).await?;
        let mut ledger = Ledger::default();
        let samples = store_the_library(&cluster, &mut ledger).await?;
        cluster.tagged_until(TAGGING_LIMIT).await?;
        find_by_tag(&cluster, &samples).await?;

        cluster.kill_node("n1").await?;
        cluster.kill_node("n2").await?;
        ledger.check(&cluster).await?;
        stop_is_refused(&cluster, "n3").await?;
        wake(&cluster, "n1").await?;
        wake(&cluster, "n2").await?;
        cluster.whole_until(HEALING_LIMIT).await?;

        // Without its database the server says so, and goes on by itself when the database is back.
        database.kill();
        let refused = &samples[..1];
        cluster.put(&[&refused[0].file], "/no-database").await?.refused("")?;
        database.start_again().await?;
        until("the cluster with its database", Duration::from_secs(60), async || cluster.status().await)
            .await?;
        ledger.absent("/no-database");
        ledger.put(&cluster, &samples[..3], &format!("{LIBRARY}-again")).await?;
        ledger.check(&cluster).await
    })
    .await
}

#[tokio::test]
async fn a_database_that_may_forget_commits_is_refused() -> anyhow::Result<()> {
    within(Duration::from_secs(300), async {
        let database = Mariadb::with_settings(&["--innodb-flush-log-at-trx-commit=2"]).await?;
        let options = Options { database: Some(database.database("asterism")?), ..Options::default() };
        Cluster::refused(&options).await?.refused("innodb_flush_log_at_trx_commit")?;

        // A wrong password is told at once, and stands in no message.
        let url = database.database("other")?;
        let wrong = url.replacen(":only-on-loopback@", ":wrong-password@", 1);
        ensure!(wrong != url);
        let options = Options { database: Some(wrong), ..Options::default() };
        let answer = Cluster::refused(&options).await?;
        answer.refused("denied")?;
        ensure!(!answer.says("wrong-password"), "the password is in the message: {}", answer.message());
        Ok(())
    })
    .await
}

/// Waits until the status says whether the graph answers.
async fn graph_is(cluster: &Cluster, reachable: bool) -> anyhow::Result<Value> {
    let what = if reachable { "a reachable graph" } else { "an unreachable graph" };
    cluster
        .status_until(what, Duration::from_secs(60), |status| status["graph"]["reachable"] == reachable)
        .await
}

/// How many taggings all files have together, by the API.
async fn taggings(cluster: &Cluster, files: usize) -> anyhow::Result<u64> {
    let answer = cluster.cli(&["find", "--all", "--json", "path:/"]).await?.json()?;
    let items = answer["items"].as_array().context("items")?;
    ensure!(items.len() == files, "{} of {files} files are found", items.len());
    let mut sum = 0;
    for item in items {
        let path = item["path"].as_str().context("a path")?;
        let url = format!("/files{}/tags", asterism_e2e::http::encoded(path));
        let tags = cluster.call(Method::GET, &url).await?.ok()?.json()?;
        let tags = tags["items"].as_array().context("tags")?;
        sum += tags.iter().filter(|tag| tag["state"] != "rejected").count() as u64;
    }
    Ok(sum)
}

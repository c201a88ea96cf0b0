//! What the monitor tells the world: node counts and free bytes at the Pushgateway, scraped by a real Prometheus.

use anyhow::{Context, ensure};
use asterism_e2e::servers::prometheus::Targets;
use asterism_e2e::servers::{Prometheus, Pushgateway};
use asterism_e2e::story::node_is;
use asterism_e2e::{Cluster, Options, until, within};
use std::time::Duration;

/// The monitor pushes every few seconds, Prometheus scrapes each second.
const FOLLOWING_LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_pushgateway_follows_the_nodes_and_forgets_a_stopped_cluster() -> anyhow::Result<()> {
    within(Duration::from_secs(600), async {
        let gateway = Pushgateway::start().await?;
        let targets = Targets { addresses: vec![gateway.address()], ..Targets::default() };
        let prometheus = Prometheus::start(&targets).await?;
        let mut cluster =
            Cluster::start(Options { pushgateway: Some(gateway.url()), ..Options::default() }).await?;

        pushed(&gateway, "asterism_storage_nodes", "state=\"online\"", 6.0).await?;
        for node in cluster.nodes().await? {
            let label = format!("node=\"{}\"", node.name);
            let lines = series(&gateway, "asterism_storage_free_bytes", &label).await?;
            ensure!(lines.len() == 1, "{lines:?}");
            ensure!(value(&lines[0])? > 0.0, "{lines:?}");
        }

        let online = "asterism_storage_nodes{job=\"asterism\",state=\"online\"}";
        scraped(&prometheus, online, 6.0).await?;
        scraped(&prometheus, "count(asterism_storage_free_bytes{job=\"asterism\"})", 6.0).await?;

        cluster.kill_node("n4").await?;
        node_is(&cluster, "n4", "offline").await?;
        pushed(&gateway, "asterism_storage_nodes", "state=\"offline\"", 1.0).await?;
        scraped(&prometheus, online, 5.0).await?;

        cluster.stop().await?;
        let left = series(&gateway, "asterism_storage_nodes", "").await?;
        ensure!(left.is_empty(), "the gateway still shows a stopped cluster: {left:?}");
        Ok(())
    })
    .await
}

/// The pushed lines of a metric whose labels hold `label`.
async fn series(gateway: &Pushgateway, name: &str, label: &str) -> anyhow::Result<Vec<String>> {
    let start = format!("{name}{{");
    let lines = gateway.metrics().await?;
    Ok(lines.into_iter().filter(|line| line.starts_with(&start) && line.contains(label)).collect())
}

fn value(line: &str) -> anyhow::Result<f64> {
    let (_, value) = line.rsplit_once(' ').with_context(|| line.to_owned())?;
    Ok(value.parse()?)
}

async fn pushed(gateway: &Pushgateway, name: &str, label: &str, expected: f64) -> anyhow::Result<()> {
    until(&format!("{name}{{{label}}} {expected}"), FOLLOWING_LIMIT, async || {
        let lines = series(gateway, name, label).await?;
        ensure!(lines.len() == 1 && lines[0].contains("job=\"asterism\"") && lines[0].contains("cluster=\""));
        let found = value(&lines[0])?;
        ensure!((found - expected).abs() < f64::EPSILON, "it is {found}");
        Ok(())
    })
    .await
}

async fn scraped(prometheus: &Prometheus, query: &str, expected: f64) -> anyhow::Result<()> {
    until(&format!("{query} = {expected}"), FOLLOWING_LIMIT, async || {
        let samples = prometheus.query(query).await?;
        let (_, found) = samples.first().context("nothing scraped")?;
        ensure!((found - expected).abs() < f64::EPSILON, "it is {found}");
        Ok(())
    })
    .await
}

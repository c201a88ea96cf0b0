//! Each real server starts, answers by its own protocol, and is gone afterwards. Journeys rely on that.

use anyhow::ensure;
use asterism_e2e::servers::prometheus::Targets;
use asterism_e2e::servers::{Alertmanager, Mariadb, Neo4j, Prometheus, Pushgateway, Sshd};
use asterism_e2e::{http, locate, until, within};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(300);

#[tokio::test]
async fn mariadb_keeps_what_it_acknowledged_through_a_kill() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut server = Mariadb::start().await?;
        let url = server.database("files")?;
        ensure!(url.starts_with("mysql://asterism:"), "{url}");
        server.sql("CREATE TABLE files.t (id INT PRIMARY KEY); INSERT INTO files.t VALUES (1), (2)")?;
        server.kill();
        ensure!(server.sql("SELECT 1").is_err(), "a killed server answers");
        server.start_again().await?;
        ensure!(server.sql("SELECT COUNT(*) FROM files.t")?.trim() == "2");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn neo4j_answers_cypher_and_comes_back_after_a_kill() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut server = Neo4j::start().await?;
        server.query("CREATE (:Tag {name: 'jpeg'}), (:Tag {name: '中文'})").await?;
        ensure!(server.count("MATCH (t:Tag) RETURN count(t)").await? == 2);
        ensure!(server.query("NOT CYPHER").await.is_err());
        server.kill();
        ensure!(server.count("RETURN 1").await.is_err(), "a killed server answers");
        server.start_again().await?;
        ensure!(server.count("MATCH (t:Tag {name: '中文'}) RETURN count(t)").await? == 1);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn prometheus_scrapes_what_was_pushed() -> anyhow::Result<()> {
    within(LIMIT, async {
        let gateway = Pushgateway::start().await?;
        let push = http::client().put(format!("{}/metrics/job/lab", gateway.url())).body("answer 42\n");
        http::send(push).await?.ok()?;
        ensure!(
            gateway.metrics().await?.iter().any(|line| line.starts_with("answer{") && line.ends_with(" 42"))
        );

        let targets = Targets { addresses: vec![gateway.address()], ..Targets::default() };
        let prometheus = Prometheus::start(&targets).await?;
        let value = until("the scraped value", Duration::from_secs(30), async || {
            let samples = prometheus.query("answer{job='lab'}").await?;
            samples.first().map(|(_, value)| *value).ok_or_else(|| anyhow::anyhow!("nothing scraped yet"))
        })
        .await?;
        ensure!((value - 42.0).abs() < f64::EPSILON);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn alertmanager_is_ready() -> anyhow::Result<()> {
    within(LIMIT, async {
        let server = Alertmanager::start("http://127.0.0.1:9/hook").await?;
        let status = http::get(&format!("http://{}/api/v2/status", server.address())).await?;
        ensure!(status.contains("hook"), "{status}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn sshd_lets_the_key_in_and_a_changed_host_key_is_noticed() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut server = Sshd::start().await?;
        let known_hosts = server.known_hosts()?;
        let answer = ssh(&server, &known_hosts, "echo in")?;
        ensure!(answer.stdout == b"in\n", "{answer:?}");

        server.authorise("restrict,command=\"echo forced\"")?;
        let answer = ssh(&server, &known_hosts, "echo in")?;
        ensure!(answer.stdout == b"forced\n", "{answer:?}");

        server.change_host_key().await?;
        let refused = ssh(&server, &known_hosts, "echo in")?;
        ensure!(
            String::from_utf8_lossy(&refused.stderr).contains("IDENTIFICATION HAS CHANGED"),
            "{refused:?}"
        );
        Ok(())
    })
    .await
}

fn ssh(server: &Sshd, known_hosts: &Path, command: &str) -> anyhow::Result<Output> {
    let output = Command::new(locate::program("ssh")?)
        .args(["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"])
        .args(["-o", &format!("UserKnownHostsFile={}", known_hosts.display())])
        .arg("-i")
        .arg(server.client_key())
        .args(["-p", &server.port().to_string(), "127.0.0.1", command])
        .output()?;
    Ok(output)
}

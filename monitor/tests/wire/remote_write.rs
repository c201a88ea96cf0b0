//! Figures written straight into a real Prometheus, and into receivers that fail.

use crate::{
    bed::{Bed, Running, eventually},
    pages,
    push::counted,
    receiver::{Manner, Receiver},
};
use serde_json::Value;
use std::{
    net::SocketAddr,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// A Prometheus that scrapes nothing and takes what is written to it.
struct Prometheus {
    address: SocketAddr,
    process: Child,
    _dir: TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _gone_already = self.process.kill();
        let _status = self.process.wait();
    }
}

impl Prometheus {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("prometheus.yml");
        std::fs::write(&config, "global: {}\n").unwrap();
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--web.enable-remote-write-receiver")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus is installed: make test-servers");
        eventually("Prometheus is ready", async || {
            tokio::net::TcpStream::connect(address).await.is_ok()
                && pages::get(address, "/-/ready").await.0 == 200
        })
        .await;
        Self { address, process, _dir: dir }
    }

    /// The value of the one series that a query finds.
    async fn value(&self, query: &str) -> Option<f64> {
        let query = query.replace('{', "%7B").replace('}', "%7D").replace('"', "%22");
        let (_, body) = pages::get(self.address, &format!("/api/v1/query?query={query}")).await;
        let answer: Value = serde_json::from_str(&body).unwrap();
        let result = answer["data"]["result"].as_array().unwrap().clone();
        assert!(result.len() <= 1, "{answer}");
        result.first()?["value"][1].as_str()?.parse().ok()
    }
}

async fn writing(bed: &Bed, address: SocketAddr) -> Running {
    let more = format!(
        "cluster = 'home'\nremote_write = {{ url = 'http://{address}/api/v1/write', interval_seconds = 0.2 }}"
    );
    bed.monitor_with(&bed.config(&more)).await
}

#[tokio::test]
async fn a_real_prometheus_has_the_figures_without_scraping() {
    let bed = Bed::new(2).await;
    let prometheus = Prometheus::start().await;
    let monitor = writing(&bed, prometheus.address).await;
    monitor.wait_for("n2", "online").await;
    eventually("the figures are there", async || {
        let free = "asterism_storage_free_bytes{job=\"asterism\",cluster=\"home\",node=\"n1\"}";
        let offline = "asterism_storage_node_offline{node=\"n2\"}";
        prometheus.value(free).await == Some(700.0) && prometheus.value(offline).await == Some(0.0)
    })
    .await;
    bed.nodes[1].kill().await;
    eventually("the death is there", async || {
        prometheus.value("asterism_storage_node_offline{node=\"n2\"}").await == Some(1.0)
    })
    .await;
    assert!(counted(&monitor, "asterism_remote_write_samples_total").await > 10);
    assert_eq!(counted(&monitor, "asterism_remote_write_dropped_samples_total").await, 0);
}

#[tokio::test]
async fn what_was_not_taken_is_written_again_and_what_is_refused_is_not() {
    let bed = Bed::new(1).await;
    let receiver = Receiver::start(Manner::Answers(503)).await;
    let monitor = writing(&bed, receiver.address).await;
    eventually("it is tried again", async || receiver.requests().len() >= 2).await;
    let requests = receiver.requests();
    assert_eq!(requests[0].1, requests[1].1, "the same, in order");
    let head = &requests[0].0;
    for header in
        ["content-encoding: snappy", "application/x-protobuf", "x-prometheus-remote-write-version: 0.1.0"]
    {
        assert!(head.contains(header), "{head}");
    }
    receiver.change(Manner::Answers(204));
    eventually("all is taken", async || counted(&monitor, "asterism_remote_write_samples_total").await > 0)
        .await;
    receiver.change(Manner::Answers(400));
    eventually("what is refused is dropped", async || {
        counted(&monitor, "asterism_remote_write_dropped_samples_total").await > 0
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_hangs_or_sends_elsewhere_is_harmless() {
    let inside = Receiver::start(Manner::Answers(200)).await;
    for manner in [Manner::Hangs, Manner::Redirects(inside.address)] {
        let bed = Bed::new(1).await;
        let receiver = Receiver::start(manner).await;
        let monitor = writing(&bed, receiver.address).await;
        monitor.wait_for("n1", "online").await;
        eventually("it is tried", async || !receiver.requests().is_empty()).await;
        bed.nodes[0].kill().await;
        monitor.wait_for("n1", "offline").await;
        monitor.stop().await;
    }
    assert!(inside.requests().is_empty());
}

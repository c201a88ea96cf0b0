//! Pushing to a Pushgateway that behaves, and to some that do not.

use crate::{
    bed::{Bed, Running, eventually},
    pages,
    receiver::{Manner, Receiver},
};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::net::TcpListener;

async fn pushing(bed: &Bed, gateway: SocketAddr) -> Running {
    let more = format!("pushgateway = 'http://{gateway}'\npush_interval_seconds = 0.1\ncluster = 'home'");
    bed.monitor_with(&bed.config(&more)).await
}

pub(crate) async fn counted(monitor: &Running, metric: &str) -> u64 {
    let (_, text) = pages::get(monitor.http_address, "/metrics").await;
    let line = text.lines().find_map(|line| line.strip_prefix(metric)).unwrap();
    line.trim().parse().unwrap()
}

#[tokio::test]
async fn figures_are_put_as_a_group_and_deleted_at_the_end() {
    let bed = Bed::new(1).await;
    let gateway = Receiver::start(Manner::Answers(200)).await;
    let monitor = pushing(&bed, gateway.address).await;
    monitor.wait_for("n1", "online").await;
    eventually("the free bytes are pushed", async || {
        let named = |body: &[u8], name: &str| body.windows(name.len()).any(|part| part == name.as_bytes());
        let names = [
            "asterism_storage_nodes",
            "asterism_storage_free_bytes",
            "asterism_storage_capacity_bytes",
            "asterism_placement_groups",
            "asterism_push_time_seconds",
            "n1",
            "online",
        ];
        gateway.requests().iter().any(|(_, body)| names.iter().all(|name| named(body, name)))
    })
    .await;
    let (head, _) = gateway.requests().pop().unwrap();
    assert!(head.starts_with("put /metrics/job/asterism/cluster/home http/1.1"), "{head}");
    assert!(head.contains("proto=io.prometheus.client.metricfamily; encoding=delimited"), "{head}");
    assert!(counted(&monitor, "asterism_pushes_total").await > 0);
    monitor.stop().await;
    let (head, _) = gateway.requests().pop().unwrap();
    assert!(head.starts_with("delete /metrics/job/asterism/cluster/home "), "{head}");
}

/// A bad gateway is counted, and watching, acting and stopping go on as if there were none.
async fn check_harmless(gateway: SocketAddr) {
    let bed = Bed::new(1).await;
    let monitor = pushing(&bed, gateway).await;
    monitor.wait_for("n1", "online").await;
    eventually("failures are counted", async || counted(&monitor, "asterism_push_failures_total").await > 0)
        .await;
    bed.nodes[0].kill().await;
    monitor.wait_for("n1", "offline").await;
    let begin = Instant::now();
    monitor.stop().await;
    assert!(begin.elapsed() < Duration::from_secs(9), "stopping took {:?}", begin.elapsed());
}

#[tokio::test]
async fn a_gateway_that_refuses_is_harmless() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    check_harmless(closed).await;
}

#[tokio::test]
async fn a_gateway_that_hangs_is_harmless() {
    check_harmless(Receiver::start(Manner::Hangs).await.address).await;
}

#[tokio::test]
async fn a_gateway_that_fails_is_harmless() {
    check_harmless(Receiver::start(Manner::Answers(500)).await.address).await;
    check_harmless(Receiver::start(Manner::Answers(302)).await.address).await;
}

#[tokio::test]
async fn a_gateway_that_drips_is_harmless() {
    check_harmless(Receiver::start(Manner::Drips).await.address).await;
}

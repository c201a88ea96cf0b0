//! Pushing to a Pushgateway that behaves, and to some that do not.

use crate::{
    bed::{Bed, Running, eventually},
    pages,
};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What the stub does with a request.
#[derive(Clone, Copy)]
enum Manner {
    Answers(u16),
    Hangs,
    /// One byte of the answer every tenth of a second.
    Drips,
}

/// Head and body.
type Request = (String, Vec<u8>);
type Requests = Arc<Mutex<Vec<Request>>>;

/// A Pushgateway as far as a client sees it.
struct Gateway {
    address: SocketAddr,
    requests: Requests,
    task: JoinHandle<()>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Gateway {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Requests::default();
        let task = tokio::spawn({
            let requests = Arc::clone(&requests);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, manner, Arc::clone(&requests)));
                }
            }
        });
        Self { address, requests, task }
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, manner: Manner, requests: Requests) {
    while let Some(request) = read_request(&mut stream).await {
        requests.lock().unwrap().push(request);
        let answer = |code| format!("HTTP/1.1 {code} x\r\ncontent-length: 0\r\n\r\n").into_bytes();
        match manner {
            Manner::Answers(code) => stream.write_all(&answer(code)).await.unwrap(),
            Manner::Hangs => std::future::pending().await,
            Manner::Drips => {
                for byte in answer(200) {
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

/// The next request; `None` at the end.
async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut read = Vec::new();
    let head_end = loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(read[..head_end].to_vec()).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    let length: usize = length.parse().unwrap();
    while read.len() < head_end + length {
        stream.read_buf(&mut read).await.ok()?;
    }
    Some((head, read[head_end..].to_vec()))
}

async fn pushing(bed: &Bed, gateway: SocketAddr) -> Running {
    let more = format!("pushgateway = 'http://{gateway}'\npush_interval_seconds = 0.1\ncluster = 'home'");
    bed.monitor_with(&bed.config(&more)).await
}

async fn counted(monitor: &Running, metric: &str) -> u64 {
    let (_, text) = pages::get(monitor.http_address, "/metrics").await;
    let line = text.lines().find_map(|line| line.strip_prefix(metric)).unwrap();
    line.trim().parse().unwrap()
}

#[tokio::test]
async fn figures_are_put_as_a_group_and_deleted_at_the_end() {
    let bed = Bed::new(1).await;
    let gateway = Gateway::start(Manner::Answers(200)).await;
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
    check_harmless(Gateway::start(Manner::Hangs).await.address).await;
}

#[tokio::test]
async fn a_gateway_that_fails_is_harmless() {
    check_harmless(Gateway::start(Manner::Answers(500)).await.address).await;
    check_harmless(Gateway::start(Manner::Answers(302)).await.address).await;
}

#[tokio::test]
async fn a_gateway_that_drips_is_harmless() {
    check_harmless(Gateway::start(Manner::Drips).await.address).await;
}

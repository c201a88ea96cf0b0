//! Files put and fetched by so many clients at once, each with a connection of its own.

use crate::{
    content::Content,
    http::{Connection, Target},
    measure::{Sample, Work, quantile},
    process::own_cpu_seconds,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};
use tokio::task::JoinSet;

/// What is done with each file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Put,
    Get,
}

/// A file of the load.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) content: Content,
}

/// How it went.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) seconds: f64,
    /// Of this process: near one core means that the client was measured, not the server.
    pub(crate) client_cpu_seconds: f64,
    /// Of each file, sorted.
    pub(crate) latencies_ms: Vec<f64>,
}

impl Run {
    /// What this run with `files` says about `work`.
    pub(crate) fn sample(&self, work: Work, files: &[File]) -> Sample {
        let amount = match work.unit() {
            "MB/s" => files.iter().map(|file| file.content.bytes as f64 / 1e6).sum(),
            _ => files.len() as f64,
        };
        let quantile = |percent| quantile(&self.latencies_ms, percent);
        Sample {
            client_cpu_seconds: Some(self.client_cpu_seconds),
            latency_ms: quantile(50).zip(quantile(99)),
            ..Sample::of(amount, self.seconds)
        }
    }
}

/// Puts or fetches all `files`; the first failure ends everything.
pub(crate) async fn run(
    target: &Target,
    verb: Verb,
    files: Arc<[File]>,
    concurrency: usize,
) -> anyhow::Result<Run> {
    let mut connections = Vec::with_capacity(concurrency);
    for _ in 0..concurrency.min(files.len()) {
        connections.push(Connection::open(target).await?);
    }
    let next = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    let (begin, cpu) = (Instant::now(), own_cpu_seconds()?);
    for connection in connections {
        clients.spawn(client(connection, verb, files.clone(), next.clone()));
    }
    let mut latencies_ms = Vec::with_capacity(files.len());
    while let Some(client) = clients.join_next().await {
        latencies_ms.extend(client??);
    }
    let (seconds, cpu) = (begin.elapsed().as_secs_f64(), own_cpu_seconds()? - cpu);
    latencies_ms.sort_by(f64::total_cmp);
    Ok(Run { seconds, client_cpu_seconds: cpu, latencies_ms })
}

async fn client(
    mut connection: Connection,
    verb: Verb,
    files: Arc<[File]>,
    next: Arc<AtomicUsize>,
) -> anyhow::Result<Vec<f64>> {
    let mut latencies = Vec::new();
    while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
        let begin = Instant::now();
        match verb {
            Verb::Put => connection.put(&file.path, file.content).await?,
            Verb::Get => connection.get(&file.path, file.content).await?,
        }
        latencies.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    Ok(latencies)
}

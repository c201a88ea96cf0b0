//! Clients of the HTTP API.

use anyhow::{Context, ensure};
use asterism_client::Client;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tokio::task::JoinSet;

const LARGE: &str = "/bench/large";

/// Seconds to store one large file.
pub(crate) async fn put_large(client: &Client, file: &Path) -> anyhow::Result<f64> {
    let begin = Instant::now();
    client.put_file(file, LARGE, "bench-large", Arc::new(|_| ())).await?;
    Ok(begin.elapsed().as_secs_f64())
}

/// Seconds to fetch it, to nowhere.
pub(crate) async fn get_large(client: &Client, bytes: u64) -> anyhow::Result<f64> {
    let begin = Instant::now();
    let nowhere: asterism_client::Progress = Arc::new(|_| ());
    let received = client.get_to(LARGE, &mut tokio::io::sink(), |_| (), &nowhere).await?;
    ensure!(received == bytes, "{received} of {bytes} bytes came");
    Ok(begin.elapsed().as_secs_f64())
}

/// What is done with each small file.
#[derive(Clone, Copy)]
pub(crate) enum Verb {
    Put,
    Get,
}

/// How small files went.
pub(crate) struct Small {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// Puts or gets `count` small files by so many clients at once.
pub(crate) async fn small(
    client: &Client,
    verb: Verb,
    count: usize,
    bytes: usize,
    clients: usize,
) -> anyhow::Result<Small> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    let begin = Instant::now();
    for _ in 0..clients {
        let (client, next) = (client.clone(), next.clone());
        tasks.spawn(async move {
            let mut milliseconds = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return anyhow::Ok(milliseconds);
                }
                let begin = Instant::now();
                one(&client, verb, number, bytes).await?;
                milliseconds.push(begin.elapsed().as_secs_f64() * 1e3);
            }
        });
    }
    let mut milliseconds = Vec::with_capacity(count);
    while let Some(task) = tasks.join_next().await {
        milliseconds.extend(task??);
    }
    let seconds = begin.elapsed().as_secs_f64();
    milliseconds.sort_by(f64::total_cmp);
    Ok(Small {
        per_second: count as f64 / seconds,
        p50_ms: quantile(&milliseconds, 50)?,
        p99_ms: quantile(&milliseconds, 99)?,
    })
}

async fn one(client: &Client, verb: Verb, number: usize, bytes: usize) -> anyhow::Result<()> {
    let path = format!("/bench/small/{number}");
    match verb {
        Verb::Put => {
            // Each file has its own content: equal ones could be had cheaper.
            let content: Vec<u8> =
                (0..bytes).map(|index| (index * 31 + number * 7 + index / 251) as u8).collect();
            client.put_bytes(content, &path).await?;
        }
        Verb::Get => {
            let nowhere: asterism_client::Progress = Arc::new(|_| ());
            let received = client.get_to(&path, &mut tokio::io::sink(), |_| (), &nowhere).await?;
            ensure!(received == bytes as u64, "{path}: {received} of {bytes} bytes came");
        }
    }
    Ok(())
}

fn quantile(sorted: &[f64], percent: usize) -> anyhow::Result<f64> {
    let index = sorted.len() * percent / 100;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied().context("nothing was measured")
}

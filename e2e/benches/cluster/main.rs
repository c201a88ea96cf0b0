//! `make bench`: a whole cluster on this machine, through its HTTP API, beside what the machine can do at all.
//!
//! Absolute figures say little on a shared machine; each stands beside a ceiling that was measured in the same run.

mod ceiling;
mod load;
mod report;

use asterism_client::Client;
use asterism_e2e::process::{cpu_seconds, peak_memory_bytes};
use asterism_e2e::samples::noise;
use asterism_e2e::strays::command_line;
use asterism_e2e::{Cluster, Options};
use report::{Report, Row};
use std::path::Path;

const LARGE_BYTES: u64 = 1 << 30;
const SMALL_BYTES: usize = 4 << 10;
const SMALL_FILES: usize = 2_000;
/// Clients at once.
const CONCURRENCY: usize = 8;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cluster = Cluster::start(Options::default()).await?;
    let client = Client::new(cluster.url(), Some(cluster.token().to_owned()))?;
    let mut report = Report::default();

    let memcpy = ceiling::memcpy();
    let tcp = ceiling::loopback_tcp(LARGE_BYTES).await?;
    let disk = ceiling::disk_stream(cluster.home(), LARGE_BYTES)?;
    let files = ceiling::disk_files(cluster.home(), SMALL_BYTES, SMALL_FILES, CONCURRENCY)?;
    report
        .fact(format!("memcpy {memcpy:.0} MB/s, loopback TCP {tcp:.0} MB/s, disk with fsync {disk:.0} MB/s"));
    let exchanges = ceiling::loopback_exchanges(SMALL_BYTES, 20 * SMALL_FILES, CONCURRENCY).await?;
    report.fact(format!("{files:.0} files of 4 KiB a second, each with fsync, {CONCURRENCY} at once"));

    large(&cluster, &client, &mut report, disk, tcp).await?;
    small(&cluster, &client, &mut report, files, exchanges).await?;
    memory(&cluster, &mut report)?;
    report.print()
}

async fn large(
    cluster: &Cluster,
    client: &Client,
    report: &mut Report,
    disk: f64,
    tcp: f64,
) -> anyhow::Result<()> {
    let file = noise(&cluster.home().join("large"), LARGE_BYTES, 1)?;
    let megabytes = LARGE_BYTES as f64 / 1e6;
    let before = cpu(cluster);
    let seconds = load::put_large(client, &file.file).await?;
    let row = Row { name: "PUT 1 GiB", rate: megabytes / seconds, unit: "MB/s", ..Row::default() };
    report.row(Row {
        ceiling: disk,
        ceiling_name: "disk with fsync",
        cpu_seconds: cpu(cluster) - before,
        ..row
    });

    let before = cpu(cluster);
    let seconds = load::get_large(client, LARGE_BYTES).await?;
    let row = Row { name: "GET 1 GiB", rate: megabytes / seconds, unit: "MB/s", ..Row::default() };
    report.row(Row { ceiling: tcp, ceiling_name: "loopback TCP", cpu_seconds: cpu(cluster) - before, ..row });
    Ok(())
}

async fn small(
    cluster: &Cluster,
    client: &Client,
    report: &mut Report,
    files: f64,
    exchanges: f64,
) -> anyhow::Result<()> {
    for (name, verb, ceiling, ceiling_name) in [
        ("PUT 2,000 × 4 KiB", load::Verb::Put, files, "files with fsync"),
        ("GET 2,000 × 4 KiB", load::Verb::Get, exchanges, "loopback TCP"),
    ] {
        let before = cpu(cluster);
        let small = load::small(client, verb, SMALL_FILES, SMALL_BYTES, CONCURRENCY).await?;
        report.row(Row {
            name,
            rate: small.per_second,
            unit: "files/s",
            ceiling,
            ceiling_name,
            cpu_seconds: cpu(cluster) - before,
            latency_ms: Some((small.p50_ms, small.p99_ms)),
        });
    }
    Ok(())
}

/// Processor time of all processes of the cluster so far.
fn cpu(cluster: &Cluster) -> f64 {
    cluster.processes("").into_iter().filter_map(|process| cpu_seconds(process).ok()).sum()
}

fn memory(cluster: &Cluster, report: &mut Report) -> anyhow::Result<()> {
    for process in cluster.processes("") {
        let line = command_line(process);
        let mut words = line.split_whitespace();
        let binary = words.next().and_then(|path| Path::new(path).file_name()).unwrap_or_default().to_owned();
        let rest: Vec<_> = words.take(3).collect();
        let peak = peak_memory_bytes(process)? as f64 / f64::from(1 << 20);
        report.fact(format!("peak memory {peak:6.0} MiB  {} {}", binary.display(), rest.join(" ")));
    }
    Ok(())
}

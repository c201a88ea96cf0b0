//! Measures a whole cluster on this machine, through its HTTP API, beside what the machine can do at all.
//!
//! Figures of a shared machine say little by themselves: each stands beside a ceiling, or beside a peer that does the same
//! work, measured in the same run, in rounds that take turns, as the median of all rounds.

mod args;
mod ceiling;
mod cluster;
mod codec;
mod compare;
mod content;
mod goals;
mod http;
mod load;
mod machine;
mod measure;
mod needs;
mod peer;
mod process;
mod report;
mod rounds;
mod s3;
mod table;
mod up;
mod wait;

use anyhow::bail;
use args::Args;
use clap::Parser;
use report::Report;
use std::io::Write;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    // Whoever loses is dropped, and with it the cluster and all its processes.
    let report = tokio::select! {
        report = rounds::run(&args) => report?,
        _ = interrupt.recv() => bail!("interrupted"),
        _ = terminate.recv() => bail!("terminated"),
    };
    print(&report, args.json)
}

fn print(report: &Report, json: bool) -> anyhow::Result<()> {
    let text = if json { serde_json::to_string_pretty(report)? } else { report.to_string() };
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(())
}

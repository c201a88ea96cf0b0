//! `storage-node --config FILE` runs a node; `storage-node check DIR` reads every shard of a node that does not run.

use asterism_service::{config, logging, stop};
use asterism_storage_node::{
    Config, NodeProcess,
    store::{self, Bad, Summary},
};
use clap::{Parser, Subcommand};
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Keeps the shards of one node of an Asterism cluster.
#[derive(Parser)]
#[command(
    name = "storage-node",
    version,
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true
)]
struct Args {
    /// The node's configuration (TOML)
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Reads every shard in the directory of a node that does not run, and names each that does not verify
    Check {
        /// The node's data_dir
        directory: PathBuf,
        /// Write one JSON object instead of lines
        #[arg(long)]
        json: bool,
        /// Write the index of every log anew
        #[arg(long)]
        rebuild_index: bool,
        /// Say where every shard lies instead of reading it
        #[arg(long, conflicts_with = "rebuild_index")]
        list: bool,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match (args.command, args.config) {
        (Some(Command::Check { directory, json, list: true, .. }), _) => list(&directory, json),
        (Some(Command::Check { directory, json, rebuild_index, .. }), _) => {
            check(&directory, json, rebuild_index)
        }
        (None, Some(config)) => run(&config).map(|()| ExitCode::SUCCESS),
        (None, None) => return ExitCode::from(2),
    };
    done.unwrap_or_else(|error| {
        eprintln!("storage-node: {error:#}");
        ExitCode::FAILURE
    })
}

#[tokio::main]
async fn run(path: &Path) -> anyhow::Result<()> {
    let config: Config = config::load(path)?;
    logging::start(&config.log_level, config.log_format)?;
    let stop = stop::on_signal()?;
    NodeProcess::bind(&config).await?.serve(stop).await
}

fn list(directory: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let places = store::places(directory)?;
    let mut out = io::stdout().lock();
    if json {
        let places = places.iter().map(|place| {
            serde_json::json!({
                "extent": place.key.extent(),
                "slot": place.key.slot(),
                "file": place.file,
                "offset": place.offset,
                "bytes": place.bytes,
            })
        });
        writeln!(out, "{}", serde_json::json!({ "shards": places.collect::<Vec<_>>() }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for place in places {
        writeln!(out, "{} {} {} {}", place.key, place.file, place.offset, place.bytes)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn check(directory: &Path, json: bool, rebuild_index: bool) -> anyhow::Result<ExitCode> {
    let mut found = Vec::new();
    let summary = store::check(directory, rebuild_index, |bad| {
        if !json {
            // A reader that went away wants no more lines; the exit code still tells.
            let shard = bad.shard.map(|key| format!("shard {key}: ")).unwrap_or_default();
            let _ = writeln!(io::stdout(), "{}: {shard}{}", bad.file, bad.reason);
        }
        found.push(bad.clone());
    })?;
    let out = io::stdout();
    match json {
        true => writeln!(&out, "{}", as_json(&summary, &found))?,
        false => writeln!(
            &out,
            "{} good shards of {} bytes, {} bad, {} unfinished, {} in quarantine, {} set aside, {} indexes rebuilt",
            summary.good,
            summary.good_bytes,
            summary.bad,
            summary.unfinished,
            summary.quarantined,
            summary.aside,
            summary.rebuilt
        )?,
    }
    Ok(if summary.bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_json(summary: &Summary, found: &[Bad]) -> serde_json::Value {
    let bad = found.iter().map(|bad| {
        serde_json::json!({
            "file": bad.file,
            "extent": bad.shard.map(|key| key.extent()),
            "slot": bad.shard.map(|key| key.slot()),
            "reason": bad.reason,
            "unreadable": bad.unreadable,
        })
    });
    serde_json::json!({
        "cluster": summary.owner.cluster,
        "node": summary.owner.node,
        "good": summary.good,
        "good_bytes": summary.good_bytes,
        "bad": bad.collect::<Vec<_>>(),
        "unfinished": summary.unfinished,
        "quarantined": summary.quarantined,
        "aside": summary.aside,
        "rebuilt": summary.rebuilt,
    })
}

//! The monitor as a process of its own.

mod ask;
mod enrol;

use anyhow::Context;
use asterism_monitor::{Config, Monitor, rules::prometheus};
use asterism_service::{logging, stop};
use clap::{Parser, Subcommand};
use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

/// Watches a cluster, remembers every change, and stops or wakes its machines.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Args {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/asterism/monitor.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Pins a host's SSH key: shows its fingerprint and, once confirmed, trusts it from then on
    Enrol(enrol::Args),
    /// Prints the table of rules as a rule file for Prometheus
    Rules,
    /// Hands one order to a supervisor's socket; for the forced command of a host
    Ask(ask::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let ended = match args.command {
        Some(Command::Enrol(args)) => enrol::run(&args).await,
        Some(Command::Ask(args)) => ask::run(&args).await,
        Some(Command::Rules) => print_rules(),
        None => serve(&args.config).await,
    };
    if let Err(error) = ended {
        eprintln!("monitor: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn print_rules() -> anyhow::Result<()> {
    Ok(io::stdout().write_all(prometheus::rule_file().as_bytes())?)
}

async fn serve(config: &std::path::Path) -> anyhow::Result<()> {
    let config = Config::load(config)?;
    logging::start(&config.log_level, config.log_format)?;
    let stop = stop::on_signal()?;
    let monitor = Monitor::bind(&config).await.context("the monitor cannot start")?;
    tracing::info!(address = %monitor.address, http = %monitor.http_address, "monitor listening");
    monitor.serve(stop).await
}

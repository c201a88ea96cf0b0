//! The index-server by itself.

use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

/// Keeps names, tags and users of a cluster, and serves its page and API.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Configuration file
    #[arg(long)]
    config: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Make the first user, and say its password this once
    Bootstrap,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let ended = match args.command {
        None => asterism_index_server::run(&args.config).await,
        Some(Command::Bootstrap) => bootstrap(&args.config).await,
    };
    if let Err(error) = ended {
        eprintln!("index-server: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

#[allow(clippy::print_stdout, reason = "the password is this command's output")]
async fn bootstrap(config: &std::path::Path) -> anyhow::Result<()> {
    let made = asterism_index_server::bootstrap(config, false).await?;
    match made.password {
        Some(password) => println!("user admin, password {}", password.expose()),
        None => println!("there are users already"),
    }
    Ok(())
}

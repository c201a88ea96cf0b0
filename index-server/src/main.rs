//! The index-server by itself.

use clap::{Parser, Subcommand};
use std::path::PathBuf;

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
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    match args.command {
        None => asterism_index_server::run(&args.config).await,
        Some(Command::Bootstrap) => bootstrap(&args.config).await,
    }
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

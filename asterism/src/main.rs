//! `asterism`: starts a whole cluster on one machine, and is the command line of any cluster.

mod args;
mod ca;
mod cli;
mod server;
mod up;

use args::{Args, Command};
use clap::Parser;
use std::process::ExitCode;

/// Refused or failed.
const FAILED: u8 = 1;

fn main() -> ExitCode {
    let args = Args::parse();
    if matches!(args.command, Command::Process(args::Process::TagWorker)) {
        // Confines itself before anything else runs in this process.
        return ended(asterism_tagger::worker::run().map_err(Into::into));
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("asterism: cannot start: {error}");
            return FAILED.into();
        }
    };
    ended(runtime.block_on(run(args)))
}

fn ended(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("asterism: {error:#}");
            FAILED.into()
        }
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Up(options) => up::run(options).await,
        Command::Ca(command) => ca::run(command, args.connection.json),
        Command::Process(process) => server::run(process).await,
        Command::Client(command) => cli::run(command, &args.connection).await,
    }
}

//! `monitor ask`: one order to a supervisor's socket. A host's forced command hands on through it what it was asked.

use anyhow::Context;
use asterism_monitor::{
    config::Seconds,
    power::{Answer, Local, LocalConfig, PowerDriver, Verb},
};
use asterism_proto::NodeName;
use std::{
    io::{self, Write},
    path::PathBuf,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The supervisor's Unix socket
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
    /// wake, stop or status
    verb: Verb,
    /// The node's name
    node: NodeName,
}

/// Hands the order on and prints the answer in the words of the line protocol.
pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    let config = LocalConfig { socket: args.socket.clone(), timeout_seconds: Seconds::from_millis(30_000) };
    let answer = Local::new(&config).run(args.verb, &args.node).await;
    let line = match &answer {
        Ok(Answer::Running { pid }) => format!("ok running {pid}"),
        Ok(Answer::Stopped) => "ok stopped".to_owned(),
        Err(error) => format!("error {error}"),
    };
    writeln!(io::stdout(), "{line}")?;
    answer.map(|_| ()).context("the order was not carried out")
}

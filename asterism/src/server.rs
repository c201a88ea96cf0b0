//! The servers inside this binary, each run as a process of its own.

use crate::args::{Process, ServerArgs};
use anyhow::ensure;
use asterism_monitor::Monitor;
use asterism_service::{config, logging, stop};
use asterism_storage_node::NodeProcess;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

pub(crate) async fn run(process: Process) -> anyhow::Result<()> {
    match process {
        Process::StorageNode(args) => {
            bind_to_parent(&args)?;
            let config: asterism_storage_node::Config = config::load(&args.config)?;
            logging::start(&config.log_level, config.log_format)?;
            NodeProcess::bind(&config).await?.serve(stop::on_signal()?).await
        }
        Process::IndexServer(args) => {
            bind_to_parent(&args)?;
            asterism_index_server::run(&args.config).await
        }
        Process::Monitor(args) => {
            bind_to_parent(&args)?;
            let config = asterism_monitor::Config::load(&args.config)?;
            logging::start(&config.log_level, config.log_format)?;
            Monitor::bind(&config).await?.serve(stop::on_signal()?).await
        }
        Process::TagWorker => unreachable!("runs before the runtime is built"),
    }
}

/// Has the kernel end this process with the one that started it, so that a killed `up` leaves nothing running.
fn bind_to_parent(args: &ServerArgs) -> anyhow::Result<()> {
    if let Some(parent) = args.with_parent {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        let now = getppid().map(|pid| pid.as_raw_nonzero().get());
        ensure!(now == Some(parent), "the process that started this one has ended");
    }
    Ok(())
}

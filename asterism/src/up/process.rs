//! One child process: started with its log, stopped gently and then surely.

use crate::up::home::Home;
use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// What a process is given to finish what it does.
const STOP_DEADLINE: Duration = Duration::from_secs(15);
/// A log that has grown beyond this is put aside when its process starts.
const LOG_BYTES_MAX: u64 = 16 << 20;

/// How one process is run.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) name: String,
    /// The hidden subcommand.
    server: &'static str,
    config: PathBuf,
    log: PathBuf,
    /// Whether it is started again when it ends by itself. Storage nodes are not: that is a person's or the monitor's decision.
    pub(crate) restart: bool,
}

impl Program {
    pub(crate) fn server(home: &Home, name: &'static str) -> Self {
        Self {
            name: name.into(),
            server: name,
            config: home.config(name),
            log: home.log(name),
            restart: true,
        }
    }

    pub(crate) fn storage_node(home: &Home, name: &str) -> Self {
        let server = "storage-node";
        Self { name: name.into(), server, config: home.config(name), log: home.log(name), restart: false }
    }

    pub(crate) fn spawn(&self) -> anyhow::Result<Child> {
        let log = open_log(&self.log).with_context(|| format!("cannot write {}", self.log.display()))?;
        let child = Command::new(std::env::current_exe()?)
            .arg(self.server)
            .arg("--config")
            .arg(&self.config)
            .args(["--with-parent", &std::process::id().to_string()])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.name))?;
        Ok(child)
    }
}

fn open_log(path: &Path) -> std::io::Result<File> {
    if path.metadata().is_ok_and(|metadata| metadata.len() > LOG_BYTES_MAX) {
        std::fs::rename(path, path.with_extension("log.1"))?;
    }
    File::options().create(true).append(true).open(path)
}

/// Asks the process to stop; kills it if it does not in time.
pub(crate) async fn stop(child: &mut Child) -> std::io::Result<ExitStatus> {
    if let Some(pid) = child.id().and_then(|pid| Pid::from_raw(pid as i32))
        && let Err(error) = kill_process(pid, Signal::TERM)
    {
        tracing::debug!(%error, "process had ended already");
    }
    match timeout(STOP_DEADLINE, child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            child.kill().await?;
            child.wait().await
        }
    }
}

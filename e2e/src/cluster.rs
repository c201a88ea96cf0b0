//! A whole cluster, started by `asterism up` as a person would, and its command line.

mod api;
mod cli;
mod options;
mod status;

pub use cli::Output;
pub use options::Options;
pub use status::Node;

use crate::locate;
use crate::process::{Process, bound_command, runs, signal};
use crate::strays::{Mark, command_line};
use crate::wait::until;
use anyhow::{Context, bail, ensure};
use rustix::process::Signal;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// Start of all processes, on debug builds and a machine that compiles beside it.
const READY_LIMIT: Duration = Duration::from_secs(120);
/// A clean stop lets what is in flight finish.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// So much of each process's log stands in a failure message.
const LOG_LINES: usize = 25;

/// A running cluster; dropping it kills every process that it started, however deep.
#[derive(Debug)]
pub struct Cluster {
    process: Process,
    mark: Mark,
    options: Options,
    data_dir: PathBuf,
    address: String,
    token: String,
    /// Declared last: the directory goes when all processes are gone.
    home: TempDir,
}

impl Cluster {
    /// Starts a cluster and waits until it says that it is ready.
    ///
    /// # Errors
    /// It does not start; the message carries its log.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let home = tempfile::Builder::new().prefix("cluster-").tempdir()?;
        let data_dir = options.data_dir.clone().unwrap_or_else(|| home.path().join("data"));
        let mark = Mark::fresh();
        let process = Process::start("up", options.command(&data_dir, &mark)?, home.path())?;
        let mut cluster =
            Self { process, mark, options, data_dir, address: String::new(), token: String::new(), home };
        cluster.ready().await?;
        Ok(cluster)
    }

    /// Starts `asterism up` where it must refuse, and gives what it said.
    ///
    /// # Errors
    /// It does not end by itself.
    pub async fn refused(options: &Options) -> anyhow::Result<Output> {
        let home = tempfile::Builder::new().prefix("cluster-").tempdir()?;
        let data_dir = options.data_dir.clone().unwrap_or_else(|| home.path().join("data"));
        let mark = Mark::fresh();
        let mut process = Process::start("up", options.command(&data_dir, &mark)?, home.path())?;
        let result = process.wait(READY_LIMIT).await;
        mark.kill_all();
        let status = result?;
        Ok(Output {
            status,
            stdout: process.output(),
            stderr: process.errors(),
            command: "asterism up".to_owned(),
        })
    }

    /// Starts the same cluster again, on the same directory.
    ///
    /// # Errors
    /// It still runs, or does not start.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let left = self.mark.processes();
        ensure!(left.is_empty(), "processes of the cluster still run: {}", describe(&left));
        let folder = tempfile::Builder::new().prefix("up-").tempdir_in(self.home.path())?.keep();
        self.process = Process::start("up", self.options.command(&self.data_dir, &self.mark)?, &folder)?;
        self.ready().await
    }

    /// Asks the cluster to stop, and expects that nothing of it is left.
    ///
    /// # Errors
    /// It does not end, ends with a failure, or leaves a process behind.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.process.terminate()?;
        let status = self.process.wait(STOP_LIMIT).await?;
        ensure!(status.success(), "up ended with {status}:\n{}", self.log_tail());
        until("the end of every process", STOP_LIMIT, async || {
            let left = self.mark.processes();
            ensure!(left.is_empty(), "still running: {}", describe(&left));
            Ok(())
        })
        .await
    }

    /// Kills every process of the cluster at once, in the middle of whatever it does.
    pub fn kill_processes(&self) {
        self.mark.kill_all();
    }

    /// Kills every process of the cluster and buries it, so that it can start again.
    pub fn kill_everything(&mut self) {
        self.kill_processes();
        self.process.kill();
    }

    /// Kills the process of one node, by its id.
    ///
    /// # Errors
    /// There is no such node, or it does not run.
    pub async fn kill_node(&self, name: &str) -> anyhow::Result<()> {
        let node = self.node(name).await?;
        let id = node.pid.with_context(|| format!("{name} has no process: {node:?}"))?;
        let role = command_line(id);
        ensure!(role.contains("storage-node"), "process {id} of {name} is no storage node: {role}");
        signal(id, Signal::KILL)?;
        until(&format!("the end of {name}"), STOP_LIMIT, async || {
            ensure!(!runs(id), "it still runs");
            Ok(())
        })
        .await
    }

    /// The processes of the cluster whose command line holds `word` (`storage-node`, `index-server`, `monitor`).
    pub fn processes(&self, word: &str) -> Vec<u32> {
        let mut found = self.mark.processes();
        found.retain(|id| command_line(*id).contains(word));
        found
    }

    /// The ends of the logs of `up` and of its processes.
    pub fn log_tail(&self) -> String {
        let mut text = self.process.log_tail();
        let mut logs: Vec<_> =
            fs::read_dir(self.seen(&self.data_dir.join("logs"))).into_iter().flatten().flatten().collect();
        logs.sort_by_key(std::fs::DirEntry::file_name);
        for log in logs {
            let lines = fs::read_to_string(log.path()).unwrap_or_default();
            let lines: Vec<_> = lines.lines().rev().take(LOG_LINES).collect();
            text.push_str(&format!("\n--- {}\n", log.file_name().to_string_lossy()));
            for line in lines.iter().rev() {
                text.push_str(line);
                text.push('\n');
            }
        }
        text
    }

    /// The admin's password, which the first start says once.
    ///
    /// # Errors
    /// This start did not say it.
    pub fn password(&self) -> anyhow::Result<String> {
        let output = self.process.output();
        let (_, rest) =
            output.split_once("password ").with_context(|| format!("no password in {output:?}"))?;
        Ok(rest.split_whitespace().next().context("a password follows")?.to_owned())
    }

    /// A path as the processes of the cluster see it, which may have mounts of their own.
    pub fn seen(&self, path: &Path) -> PathBuf {
        if self.options.wrapper.is_empty() {
            return path.to_owned();
        }
        Path::new("/proc")
            .join(self.process.id().to_string())
            .join("root")
            .join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The mark on every process of the cluster.
    pub fn mark(&self) -> &Mark {
        &self.mark
    }

    /// Starts one server by itself, as on a site with many machines, with the configuration that `up` wrote for it.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_server(&self, kind: &str, name: &str) -> anyhow::Result<Process> {
        let mut command = bound_command(&locate::binary("asterism")?)?;
        self.mark.set(&mut command).arg(kind).arg("--config").arg(self.config(name));
        Process::start(name, command, self.home.path())
    }

    /// The configuration that `up` wrote for a process.
    pub fn config(&self, name: &str) -> PathBuf {
        self.data_dir.join("config").join(format!("{name}.toml"))
    }

    /// The process of `up` itself.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The whole standard output of `up`.
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// Where everything is kept.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// A directory of the test's own that goes with the cluster.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The URL of page and API.
    pub fn url(&self) -> &str {
        &self.address
    }

    /// The admin's API token.
    pub fn token(&self) -> &str {
        &self.token
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let process = &mut self.process;
        let mut ended = None;
        let address = until("the line `ready http://…`", READY_LIMIT, async || {
            if let Err(error) = process.must_run() {
                ended = Some(error);
                return Ok(String::new());
            }
            let output = process.output();
            let mut lines = output.lines().filter_map(|line| line.strip_prefix("ready "));
            lines.next().map(str::to_owned).context("not yet")
        })
        .await;
        if let Some(error) = ended {
            bail!(error.context("the cluster did not start"));
        }
        self.address =
            address.with_context(|| self.process.log_tail())?.trim().trim_end_matches('/').to_owned();
        ensure!(self.address.starts_with("http://"), "ready at {:?}", self.address);
        let token = self.seen(&self.data_dir.join("admin.token"));
        self.token =
            fs::read_to_string(&token).with_context(|| token.display().to_string())?.trim().to_owned();
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill_everything();
    }
}

fn describe(ids: &[u32]) -> String {
    ids.iter().map(|id| format!("{id} ({})", command_line(*id))).collect::<Vec<_>>().join(", ")
}

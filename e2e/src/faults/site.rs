//! A site of many machines: each server runs by itself, so that a test can kill, stop, slow or move any one of them.

use crate::cluster::{Cluster, Options};
use crate::faults::oracle::{Checked, Oracle};
use crate::http;
use crate::locate;
use crate::process::{Process, bound_command, runs, signal};
use crate::story::HEALING_LIMIT;
use crate::strays::command_line;
use crate::wait::until;
use anyhow::{Context, anyhow, ensure};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::ops::Deref;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The name of the server that people speak to.
pub const INDEX: &str = "index-server";
/// The name of the server that watches.
pub const MONITOR: &str = "monitor";
/// Start of a process by a debug build on a machine that compiles beside it.
const START_LIMIT: Duration = Duration::from_secs(60);
/// What a process may take to end after SIGTERM: its drain, and more.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// One server of the site.
#[derive(Debug)]
struct Server {
    kind: &'static str,
    /// A command that it is started through, with its arguments.
    wrapper: Vec<String>,
    environment: Vec<(String, String)>,
    process: Option<Process>,
}

/// A cluster whose servers were each started alone; it is a [`Cluster`] in all else.
#[derive(Debug)]
pub struct Site {
    servers: BTreeMap<String, Server>,
    cluster: Cluster,
}

impl Deref for Site {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl Site {
    /// Makes a cluster, and leaves all its servers stopped.
    ///
    /// # Errors
    /// The cluster does not start or does not stop.
    pub async fn prepare(options: Options) -> anyhow::Result<Self> {
        let nodes = options.nodes;
        let mut cluster = Cluster::start(options).await?;
        cluster.stop().await?;
        let nodes = (1..=nodes).map(|number| (format!("n{number}"), "storage-node"));
        let servers = [(INDEX.to_owned(), "index-server"), (MONITOR.to_owned(), "monitor")].into_iter();
        let server = |kind| Server { kind, wrapper: Vec::new(), environment: Vec::new(), process: None };
        let servers = servers.chain(nodes).map(|(name, kind)| (name, server(kind))).collect();
        Ok(Self { servers, cluster })
    }

    /// Makes a cluster and starts every server of it.
    ///
    /// # Errors
    /// A server does not start.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let mut site = Self::prepare(options).await?;
        site.start_all().await?;
        Ok(site)
    }

    /// The names of all nodes, n1 first.
    pub fn node_names(&self) -> Vec<String> {
        let nodes = self.servers.iter().filter(|(_, server)| server.kind == "storage-node");
        let mut names: Vec<_> = nodes.map(|(name, _)| name.clone()).collect();
        names.sort_by_key(|name| (name.len(), name.clone()));
        names
    }

    /// The directory that holds a node's shards.
    ///
    /// # Errors
    /// There is no such node.
    pub fn node_dir(&self, name: &str) -> anyhow::Result<PathBuf> {
        Ok(self.configured(name, "data_dir")?.into())
    }

    /// Sets a top-level field of a server's configuration to `value`, as it stands in TOML; from its next start on.
    ///
    /// # Errors
    /// There is no such file.
    pub fn configure(&self, name: &str, field: &str, value: &str) -> anyhow::Result<()> {
        let path = self.config(name);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let start = format!("{field} = ");
        let kept: Vec<_> = text.lines().filter(|line| !line.starts_with(&start)).collect();
        // In front of everything, and so before the first table.
        fs::write(&path, format!("{start}{value}\n{}\n", kept.join("\n")))?;
        Ok(())
    }

    /// The value of a top-level field, as it stands in TOML.
    ///
    /// # Errors
    /// There is none.
    pub fn configured(&self, name: &str, field: &str) -> anyhow::Result<String> {
        let text = fs::read_to_string(self.config(name))?;
        let start = format!("{field} = ");
        let value = text.lines().find_map(|line| line.strip_prefix(&start));
        Ok(value.with_context(|| format!("no {field} in {text}"))?.trim_matches(['"', '\'']).to_owned())
    }

    /// Has a server started through another command from now on (`strace …`, `ip netns exec …`); an empty one ends that.
    pub fn wrap(&mut self, name: &str, wrapper: &[&str]) {
        if let Some(server) = self.servers.get_mut(name) {
            server.wrapper = wrapper.iter().map(ToString::to_string).collect();
        }
    }

    /// Gives a server an environment variable from its next start on; an empty value takes it away.
    pub fn set_variable(&mut self, name: &str, variable: &str, value: &str) {
        if let Some(server) = self.servers.get_mut(name) {
            server.environment.retain(|(known, _)| known != variable);
            if !value.is_empty() {
                server.environment.push((variable.to_owned(), value.to_owned()));
            }
        }
    }

    /// Starts one server that does not run, and does not wait for it.
    ///
    /// # Errors
    /// It runs, or cannot be started.
    pub fn launch(&mut self, name: &str) -> anyhow::Result<()> {
        ensure!(self.pid(name).is_none(), "{name} runs");
        let binary = locate::binary("asterism")?;
        let (config, home) = (self.config(name), self.home().to_owned());
        let mark = self.mark().clone();
        let server = self.server(name)?;
        let mut command = match server.wrapper.split_first() {
            Some((program, arguments)) => {
                let mut command = bound_command(&locate::program(program)?)?;
                command.args(arguments).arg(&binary);
                command
            }
            None => bound_command(&binary)?,
        };
        mark.set(&mut command).envs(server.environment.iter().map(|(name, value)| (name, value)));
        command.arg(server.kind).arg("--config").arg(config);
        server.process = Some(Process::start(name, command, &home)?);
        Ok(())
    }

    /// Starts every server that does not run, and waits until the cluster is ready with all of them.
    ///
    /// # Errors
    /// One of them does not come up.
    pub async fn start_all(&mut self) -> anyhow::Result<()> {
        if self.pid(INDEX).is_none() {
            self.launch(INDEX)?;
        }
        // Nodes that find nobody wait longer and longer: let the index-server listen first.
        self.index_ready().await?;
        let names: Vec<_> = self.servers.keys().cloned().collect();
        for name in names {
            if self.pid(&name).is_none() {
                self.launch(&name)?;
            }
        }
        self.all_running_online().await?;
        let down: Vec<_> = self.node_names().into_iter().filter(|name| self.pid(name).is_none()).collect();
        ensure!(down.is_empty(), "{down:?} did not start: {}", self.log_tails());
        Ok(())
    }

    /// Starts a node and waits until the cluster sees it.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn start_node(&mut self, name: &str) -> anyhow::Result<()> {
        self.launch(name)?;
        self.all_running_online().await
    }

    /// Waits until the index-server answers.
    ///
    /// # Errors
    /// It ended, or is not ready in time.
    pub async fn index_ready(&mut self) -> anyhow::Result<()> {
        let url = format!("{}/healthz", self.url());
        let process = self.server(INDEX)?.process.as_mut().context("the index-server was not started")?;
        let mut ended = None;
        let ready = until("an answer of the index-server", START_LIMIT, async || {
            match process.must_run() {
                Err(error) => ended = Some(error),
                Ok(()) => drop(http::get(&url).await?),
            }
            Ok(())
        })
        .await;
        match ended {
            Some(error) => Err(error),
            None => ready,
        }
    }

    /// Waits until every node that runs is online: this very process of it, not the memory of one that was killed.
    ///
    /// # Errors
    /// One is not in time.
    pub async fn all_running_online(&self) -> anyhow::Result<()> {
        let running: Vec<_> =
            self.node_names().into_iter().filter_map(|name| Some((self.pid(&name)?, name))).collect();
        until("the running nodes online", START_LIMIT, async || {
            let nodes = self.seen_nodes().await?;
            for (pid, name) in &running {
                let node = nodes.iter().find(|node| node["name"] == **name).context("a node of that name")?;
                ensure!(node["state"] == "online" && node["pid"] == *pid, "{pid} is not yet {node}");
            }
            Ok(())
        })
        .await
        .with_context(|| self.log_tails())
    }

    /// Waits until the cluster says that a node is in this state.
    ///
    /// # Errors
    /// It does not in time.
    pub async fn node_is(&self, name: &str, state: &str) -> anyhow::Result<()> {
        until(&format!("{name} {state}"), START_LIMIT, async || {
            let states = self.states().await?;
            ensure!(states.get(name).is_some_and(|now| now == state), "{states:?}");
            Ok(())
        })
        .await
        .with_context(|| self.log_tails())
    }

    /// Waits until every group has its full margin, nothing is short and nobody is to be counted or rebuilt; says how long that
    /// took. Tags may still be made and shards removed: a load never ends that.
    ///
    /// # Errors
    /// It is not so in time.
    pub async fn healed(&self) -> anyhow::Result<Duration> {
        let begin = Instant::now();
        let parity = self.parity()?;
        until("a whole cluster", HEALING_LIMIT, async || {
            let status = self.idle(&["repair", "census"]).await?;
            let margin = status["groups"]["worst_margin"].as_i64();
            ensure!(margin == Some(parity) && status["short_extents"] == 0, "{status}");
            Ok(())
        })
        .await
        .with_context(|| self.log_tails())?;
        Ok(begin.elapsed())
    }

    /// Waits until every shard that is to be removed is removed.
    ///
    /// # Errors
    /// It is not so in time.
    pub async fn removed(&self) -> anyhow::Result<()> {
        until("the removals", HEALING_LIMIT, async || self.idle(&["deletion"]).await.map(drop))
            .await
            .with_context(|| self.log_tails())
    }

    /// The status of the cluster, if these workers have nothing to do.
    async fn idle(&self, workers: &[&str]) -> anyhow::Result<Value> {
        let status = self.call(Method::GET, "/cluster").await?.ok()?.json()?;
        let reports = status["background"].as_array().context("background work")?;
        let busy = |report: &&Value| {
            report["name"].as_str().is_some_and(|name| workers.contains(&name)) && report["queue"] != 0
        };
        ensure!(!reports.iter().any(|report| busy(&report)), "{status}");
        Ok(status)
    }

    /// Compares the cluster with the oracle; see [`Oracle::check`].
    ///
    /// # Errors
    /// They differ; the message carries the ends of all logs.
    pub async fn check(&self, oracle: &Oracle) -> anyhow::Result<Checked> {
        let checked = oracle.check(&self.cluster).await;
        checked.map_err(|error| anyhow!("{error:#}\n{}", self.log_tails()))
    }

    /// The state of every node, by the API.
    ///
    /// # Errors
    /// The index-server does not answer.
    pub async fn states(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let nodes = self.seen_nodes().await?;
        Ok(nodes.iter().map(|node| (text(&node["name"]), text(&node["state"]))).collect())
    }

    /// How many shards each node says it holds.
    ///
    /// # Errors
    /// The index-server does not answer.
    pub async fn shards(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let nodes = self.seen_nodes().await?;
        let count = |node: &Value| Some((node["name"].as_str()?.to_owned(), node["shards"].as_u64()?));
        Ok(nodes.iter().filter_map(count).collect())
    }

    /// The same once all nodes have told it and the numbers rest.
    ///
    /// # Errors
    /// They do not come to rest.
    pub async fn settled_shards(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let mut before = BTreeMap::new();
        until("numbers of shards that rest", START_LIMIT, async || {
            let last = std::mem::replace(&mut before, self.shards().await?);
            // Nodes tell it each second.
            tokio::time::sleep(Duration::from_millis(1_200)).await;
            ensure!(last == before && !last.is_empty(), "{last:?}, then {before:?}");
            Ok(last)
        })
        .await
    }

    async fn seen_nodes(&self) -> anyhow::Result<Vec<Value>> {
        let nodes = self.call(Method::GET, "/nodes").await?.ok()?.json()?;
        Ok(nodes["items"].as_array().context("a list of nodes")?.clone())
    }

    /// The process of a server, if it runs: the server itself, not what it was started through.
    pub fn pid(&self, name: &str) -> Option<u32> {
        let config = self.config(name).display().to_string();
        self.mark().processes().into_iter().find(|id| {
            let program = fs::read_link(format!("/proc/{id}/exe")).unwrap_or_default();
            program.file_name().is_some_and(|name| name == "asterism") && command_line(*id).contains(&config)
        })
    }

    /// Kills a server in the middle of whatever it does.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        let mut process =
            self.server(name)?.process.take().with_context(|| format!("{name} was not started"))?;
        process.kill();
        Ok(())
    }

    /// Kills several servers as nearly at once as one can.
    ///
    /// # Errors
    /// One of them does not run.
    pub fn kill_at_once(&mut self, names: &[&str]) -> anyhow::Result<()> {
        for name in names {
            let pid = self.pid(name).with_context(|| format!("{name} does not run"))?;
            signal(pid, Signal::KILL)?;
        }
        names.iter().try_for_each(|name| self.kill(name))
    }

    /// Kills every server at once, as nearly as one can.
    pub fn kill_all(&mut self) {
        self.kill_processes();
        self.servers.values_mut().for_each(|server| server.process = None);
    }

    /// Asks a server to end and waits until it has.
    ///
    /// # Errors
    /// It does not run, or does not end.
    pub async fn stop_server(&mut self, name: &str) -> anyhow::Result<()> {
        let pid = self.pid(name).with_context(|| format!("{name} does not run"))?;
        signal(pid, Signal::TERM)?;
        until(&format!("the end of {name}"), STOP_LIMIT, async || {
            ensure!(!runs(pid), "it runs on");
            Ok(())
        })
        .await?;
        self.server(name)?.process = None;
        Ok(())
    }

    /// Asks a server to end and kills it if it does not: one with a bad disk may not be able to.
    ///
    /// # Errors
    /// It was not started.
    pub async fn stop_or_kill(&mut self, name: &str) -> anyhow::Result<()> {
        match self.stop_server(name).await {
            Ok(()) => Ok(()),
            Err(_) => self.kill(name),
        }
    }

    /// Stops every server, the monitor first and the index-server last.
    ///
    /// # Errors
    /// One does not end.
    pub async fn stop_all(&mut self) -> anyhow::Result<()> {
        let order = [vec![MONITOR.to_owned()], self.node_names(), vec![INDEX.to_owned()]].concat();
        for name in order {
            if self.pid(&name).is_some() {
                self.stop_server(&name).await?;
            }
        }
        Ok(())
    }

    /// Sends a signal to a server (`STOP`, `CONT`, `TERM`).
    ///
    /// # Errors
    /// It does not run.
    pub fn signal(&self, name: &str, what: Signal) -> anyhow::Result<()> {
        signal(self.pid(name).with_context(|| format!("{name} does not run"))?, what)
    }

    /// What `storage-node check` counts in the directory of a node that does not run.
    ///
    /// # Errors
    /// The node runs, or the directory cannot be read.
    pub fn count_shards(&self, name: &str) -> anyhow::Result<Count> {
        let mut command = std::process::Command::new(locate::binary("storage-node")?);
        let output = command.arg("check").arg("--json").arg(self.node_dir(name)?).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let json: Value = serde_json::from_str(&text)
            .with_context(|| format!("{name}: {text}{}", String::from_utf8_lossy(&output.stderr)))?;
        let bad = json["bad"].as_array().map_or(0, Vec::len) as u64;
        Ok(Count { good: json["good"].as_u64().context("a count")?, bad })
    }

    /// The ends of the logs of all servers.
    pub fn log_tails(&self) -> String {
        let processes =
            self.servers.iter().filter_map(|(name, server)| Some((name, server.process.as_ref()?)));
        processes.map(|(name, process)| format!("\n--- {name}\n{}", process.log_tail())).collect()
    }

    /// Everything that a server ever wrote.
    pub fn log(&self, name: &str) -> String {
        let read = |end: &str| fs::read(self.home().join(format!("{name}.{end}"))).unwrap_or_default();
        let bytes = [read("out"), read("log")].concat();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Fails if any server ever panicked.
    ///
    /// # Errors
    /// One did.
    pub fn nobody_panicked(&self) -> anyhow::Result<()> {
        for name in self.servers.keys() {
            let log = self.log(name);
            let line = log.lines().find(|line| line.contains("panicked"));
            ensure!(line.is_none(), "{name}: {}", line.unwrap_or_default());
        }
        Ok(())
    }

    fn server(&mut self, name: &str) -> anyhow::Result<&mut Server> {
        self.servers.get_mut(name).with_context(|| format!("there is no server {name}"))
    }
}

/// Shards in a directory, each read in whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// That verify.
    pub good: u64,
    /// That do not.
    pub bad: u64,
}

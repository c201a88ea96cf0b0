//! The processes of a cluster on one machine.

use crate::up::{
    home::Home,
    process::{self, Program},
};
use anyhow::Context;
use asterism_service::Backoff;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    process::Child,
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// A process that ran this long did start.
const STEADY: Duration = Duration::from_secs(20);
/// After so many quick ends in a row the cluster is given up.
const QUICK_ENDS_MAX: u32 = 8;

struct Running {
    pid: u32,
    stop: CancellationToken,
    ended: watch::Receiver<bool>,
}

#[derive(Default)]
struct State {
    running: BTreeMap<String, Running>,
    /// Ended by themselves at least once.
    ended: BTreeSet<String>,
}

/// Starts, watches and stops the processes; clones share them.
#[derive(Clone)]
pub(crate) struct Supervisor {
    programs: Arc<Vec<Program>>,
    state: Arc<Mutex<State>>,
    stopping: CancellationToken,
    given_up: mpsc::Sender<String>,
    given_up_by: Arc<tokio::sync::Mutex<mpsc::Receiver<String>>>,
}

/// Whether a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Running(u32),
    Stopped,
}

impl Supervisor {
    pub(crate) fn new(home: &Home) -> anyhow::Result<Self> {
        let servers = ["index-server", "monitor"].map(|name| Program::server(home, name));
        let nodes = home.nodes().iter().map(|name| Program::storage_node(home, name));
        let (given_up, receiver) = mpsc::channel(1);
        Ok(Self {
            programs: Arc::new(servers.into_iter().chain(nodes).collect()),
            state: Arc::default(),
            stopping: CancellationToken::new(),
            given_up,
            given_up_by: Arc::new(tokio::sync::Mutex::new(receiver)),
        })
    }

    pub(crate) async fn start_all(&self) -> anyhow::Result<()> {
        for program in self.programs.iter() {
            self.start(program)?;
        }
        Ok(())
    }

    /// Stops the monitor first (so that no stop looks like a failure), the index-server last.
    pub(crate) async fn stop_all(&self) {
        self.stopping.cancel();
        self.stop("monitor").await;
        let nodes = self.programs.iter().filter(|program| !program.restart);
        futures::future::join_all(nodes.map(|node| self.stop(&node.name))).await;
        self.stop("index-server").await;
    }

    /// The name of a process that ended before the cluster was ready, if one did.
    pub(crate) fn failed_early(&self) -> Option<String> {
        self.state().ended.first().cloned()
    }

    /// Waits for a server that cannot be kept running.
    pub(crate) async fn given_up(&self) -> String {
        match self.given_up_by.lock().await.recv().await {
            Some(name) => name,
            None => std::future::pending().await,
        }
    }

    /// Starts a storage node that does not run.
    pub(crate) fn wake(&self, name: &str) -> anyhow::Result<u32> {
        self.start(self.node(name)?)
    }

    /// Stops a storage node.
    pub(crate) async fn put_to_sleep(&self, name: &str) -> anyhow::Result<()> {
        let name = self.node(name)?.name.clone();
        self.stop(&name).await;
        Ok(())
    }

    pub(crate) fn status(&self, name: &str) -> anyhow::Result<Status> {
        self.node(name)?;
        Ok(self.state().running.get(name).map_or(Status::Stopped, |running| Status::Running(running.pid)))
    }

    fn node(&self, name: &str) -> anyhow::Result<&Program> {
        self.programs
            .iter()
            .find(|program| !program.restart && program.name == name)
            .context("no such node here")
    }

    fn start(&self, program: &Program) -> anyhow::Result<u32> {
        let mut state = self.state();
        if let Some(running) = state.running.get(&program.name) {
            return Ok(running.pid);
        }
        anyhow::ensure!(!self.stopping.is_cancelled(), "the cluster is stopping");
        let child = program.spawn()?;
        let pid = child.id().context("the process ended at once")?;
        let stop = CancellationToken::new();
        let (ended, ended_receiver) = watch::channel(false);
        state
            .running
            .insert(program.name.clone(), Running { pid, stop: stop.clone(), ended: ended_receiver });
        drop(state);
        tokio::spawn(self.clone().watch(program.clone(), child, stop, ended));
        Ok(pid)
    }

    /// Follows one program until it is asked to stop, through restarts if it is one to restart.
    async fn watch(
        self,
        program: Program,
        child: Child,
        stop: CancellationToken,
        ended: watch::Sender<bool>,
    ) {
        let mut child = child;
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(10));
        let mut quick_ends = 0;
        loop {
            let began = Instant::now();
            let asked = tokio::select! {
                status = child.wait() => {
                    tracing::warn!(process = program.name, ?status, "process ended by itself");
                    false
                }
                () = stop.cancelled() => {
                    if let Err(error) = process::stop(&mut child).await {
                        tracing::warn!(process = program.name, %error, "process could not be stopped");
                    }
                    true
                }
            };
            if asked || !program.restart {
                break;
            }
            self.state().ended.insert(program.name.clone());
            quick_ends = if began.elapsed() < STEADY { quick_ends + 1 } else { 0 };
            if quick_ends == 0 {
                backoff.reset();
            }
            if quick_ends > QUICK_ENDS_MAX {
                let _full_means_known = self.given_up.try_send(program.name.clone());
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.pause()) => {}
                () = stop.cancelled() => break,
            }
            match program.spawn() {
                Ok(again) => child = again,
                Err(error) => {
                    tracing::error!(process = program.name, %error, "process cannot be started again");
                    let _full_means_known = self.given_up.try_send(program.name.clone());
                    break;
                }
            }
            if let (Some(pid), Some(running)) = (child.id(), self.state().running.get_mut(&program.name)) {
                running.pid = pid;
            }
        }
        let mut state = self.state();
        state.running.remove(&program.name);
        if !stop.is_cancelled() {
            state.ended.insert(program.name.clone());
        }
        drop(state);
        ended.send_replace(true);
    }

    async fn stop(&self, name: &str) {
        let running =
            self.state().running.get(name).map(|running| (running.stop.clone(), running.ended.clone()));
        if let Some((stop, mut ended)) = running {
            stop.cancel();
            // An error means that the watching task is gone, and the process with it.
            let _gone = ended.wait_for(|ended| *ended).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

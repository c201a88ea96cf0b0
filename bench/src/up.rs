//! `asterism up` and everything below it: started, watched through `/proc`, and gone with its owner.

use crate::process::{self, Memory};
use anyhow::{Context, bail, ensure};
use rustix::process::Signal;
use std::{
    collections::BTreeMap,
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// First start: keys, a database, nine processes.
const READY_DEADLINE: Duration = Duration::from_secs(120);
const STOP_DEADLINE: Duration = Duration::from_secs(60);
/// Killed processes end at once; the kernel may need a moment to take back their memory.
const KILL_DEADLINE: Duration = Duration::from_secs(10);

/// How the cluster is shaped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) nodes: usize,
    pub(crate) policy: &'static str,
}

/// The running processes; dropping them kills all.
pub(crate) struct Up {
    child: Child,
    id: u32,
    /// Kept open: a process whose output nobody takes may fail.
    lines: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Up {
    /// Starts a cluster on `data_dir`; what it says besides its output goes to `log`.
    pub(crate) fn start(program: &Path, data_dir: &Path, log: PathBuf, shape: Shape) -> anyhow::Result<Self> {
        // The kernel ends the cluster with this process, even if this one is killed.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
        command.arg("up").arg("--data-dir").arg(data_dir).args(["--listen", "127.0.0.1:0"]);
        command.args(["--nodes", &shape.nodes.to_string(), "--policy", shape.policy]);
        // What a developer's shell says must not decide.
        for variable in ["ASTERISM_SERVER", "ASTERISM_TOKEN", "ASTERISM_DATABASE", "ASTERISM_GRAPH"] {
            command.env_remove(variable);
        }
        // In a group of its own, Ctrl-C reaches this process alone, which then ends the cluster.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?);
        let mut child = command.kill_on_drop(true).spawn().context("cannot start setpriv (util-linux)")?;
        let id = child.id().context("the cluster ended at once")?;
        let output = child.stdout.take().context("the cluster's output cannot be read")?;
        Ok(Self { child, id, lines: BufReader::new(output).lines(), log })
    }

    /// Waits for the line that says where the cluster listens.
    pub(crate) async fn ready(&mut self) -> anyhow::Result<SocketAddr> {
        let line = async {
            while let Some(line) = self.lines.next_line().await? {
                if let Some(address) = line.strip_prefix("ready http://") {
                    return address.parse().with_context(|| line.clone());
                }
            }
            bail!("the cluster ended")
        };
        let ready = timeout(READY_DEADLINE, line).await;
        let ready = ready.unwrap_or_else(|_| bail!("the cluster was not ready within {READY_DEADLINE:?}"));
        ready.with_context(|| process::tail(&self.log))
    }

    /// All processes, by their roles, of which no two are the same.
    pub(crate) fn processes(&self) -> Vec<(u32, String)> {
        let all = process::tree(self.id);
        let roles = numbered(all.iter().map(|id| process::role(*id)));
        all.into_iter().zip(roles).collect()
    }

    /// What each process holds in memory, by its role.
    pub(crate) fn memory(&self) -> Vec<(String, Memory)> {
        let processes = self.processes().into_iter();
        processes.filter_map(|(id, role)| Some((role, process::memory(id)?))).collect()
    }

    /// Processor time of all processes so far.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        process::tree_cpu_seconds(self.id)
    }

    /// Kills one storage node; the process must be one of ours.
    pub(crate) fn kill_node(&self, name: &str, id: u32) -> anyhow::Result<()> {
        let role = format!("storage-node {name}");
        let ours = self.processes().contains(&(id, role.clone()));
        ensure!(ours, "process {id} is not {role} of this cluster");
        process::send(id, Signal::KILL);
        Ok(())
    }

    /// Asks the cluster to stop and expects that nothing of it is left.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let all = process::tree(self.id);
        process::send(self.id, Signal::TERM);
        let ended = timeout(STOP_DEADLINE, self.child.wait()).await;
        let status =
            ended.with_context(|| format!("the cluster did not stop within {STOP_DEADLINE:?}"))??;
        ensure!(status.success(), "the cluster ended with {status}: {}", process::tail(&self.log));
        let left: Vec<String> = all.into_iter().filter(|id| process::runs(*id)).map(process::role).collect();
        ensure!(left.is_empty(), "still running after the stop: {}", left.join(", "));
        Ok(())
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // Reaped already means stopped; the id may be another's by now.
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let all = process::tree(self.id);
        // The first one is `up` itself: it starts nothing again once it is dead.
        all.iter().for_each(|id| process::send(*id, Signal::KILL));
        let deadline = Instant::now() + KILL_DEADLINE;
        while all.iter().any(|id| process::runs(*id)) && Instant::now() < deadline {
            std::thread::yield_now();
        }
    }
}

/// Names as they are, with a number from the second of a kind on.
fn numbered(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeMap::new();
    let number = |name: String| {
        let count = seen.entry(name.clone()).and_modify(|count| *count += 1).or_insert(1);
        if *count == 1 { name } else { format!("{name} {count}") }
    };
    names.map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn names_of_a_kind_are_told_apart() {
        let names = ["up", "worker", "worker", "worker"].map(str::to_owned);
        assert_eq!(numbered(names.into_iter()), ["up", "worker", "worker 2", "worker 3"]);
    }

    #[tokio::test]
    async fn a_dropped_cluster_takes_its_children_along() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("cluster");
        fs::write(&program, "#!/bin/sh\nsleep 600 &\necho ready http://127.0.0.1:1\nwait\n").unwrap();
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let shape = Shape { nodes: 1, policy: "1+0" };
        let mut up = Up::start(&program, folder.path(), folder.path().join("log"), shape).unwrap();
        assert_eq!(up.ready().await.unwrap().port(), 1);
        let all = process::tree(up.id);
        assert_eq!(all.len(), 2, "{:?}", up.processes());
        drop(up);
        assert!(!all.into_iter().any(process::runs));
    }
}

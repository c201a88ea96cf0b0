//! MinIO as six processes on this machine, shaped as the cluster that is measured: 4+2 over six directories.

use super::address::Address;
use crate::{
    http::{Access, Connection, Target},
    process,
    s3::{Keys, hexadecimal},
    wait::until,
};
use anyhow::{Context, ensure};
use hyper::Method;
use rustix::process::Signal;
use serde::Deserialize;
use std::{
    fs::OpenOptions,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::timeout,
};

pub(crate) const NAME: &str = "MinIO";
pub(crate) const INSTALL: &str = "go install github.com/minio/minio@latest";
const NODES: usize = 6;
const BUCKET: &str = "/bench";
/// Formats six directories and finds five neighbours; slow on a busy machine.
const READY_DEADLINE: Duration = Duration::from_secs(180);
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// The running processes; dropping them kills all.
pub(crate) struct Minio {
    program: PathBuf,
    nodes: Vec<Child>,
    addresses: Vec<SocketAddr>,
    keys: Keys,
    /// Files go to the first node, as a client would reach it.
    pub(crate) target: Target,
    home: TempDir,
    /// Declared last: it goes when the processes are gone.
    _address: Address,
}

impl Minio {
    /// Starts it below `folder`, or in the temporary directory, and waits until all of it answers.
    pub(crate) async fn start(program: &Path, folder: Option<&Path>) -> anyhow::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("asterism-bench-minio-");
        let home = folder.map_or_else(|| builder.tempdir(), |folder| builder.tempdir_in(folder))?;
        // In a container it refuses loopback addresses to more than one process.
        let address = Address::add()?;
        let addresses = free_addresses(&address)?;
        let keys = Keys { access: random_word()?, secret: random_word()? };
        let access = Access::Signed(keys.clone());
        let target = Target { address: addresses[0], prefix: BUCKET.into(), access };
        let program = program.to_owned();
        let nodes = Vec::new();
        let mut minio = Self { program, nodes, addresses, keys, target, home, _address: address };
        for node in 0..NODES {
            let process = minio.spawn(node)?;
            minio.nodes.push(process);
        }
        minio.wait_for(NODES).await?;
        Connection::open(&minio.target).await?.ask(Method::PUT, "").await.context("making the bucket")?;
        Ok(minio)
    }

    fn spawn(&self, node: usize) -> anyhow::Result<Child> {
        let home = self.home.path();
        let places = self.addresses.iter().enumerate();
        let places = places.map(|(node, address)| format!("http://{address}{}/n{node}", home.display()));
        // The kernel ends it with this process, even if this one is killed.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(&self.program).arg("server").args(places);
        command.args(["--address", &self.addresses[node].to_string(), "--certs-dir"]).arg(home.join("certs"));
        // What a developer's shell says must not decide.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home);
        command.env("MINIO_ROOT_USER", &self.keys.access).env("MINIO_ROOT_PASSWORD", &self.keys.secret);
        command.env("MINIO_STORAGE_CLASS_STANDARD", "EC:2");
        // Directories of one file system may serve as drives.
        command.env("MINIO_CI_CD", "on").env("MINIO_BROWSER", "off").env("MINIO_UPDATE", "off");
        let log = OpenOptions::new().create(true).append(true).open(home.join(format!("n{node}.log")))?;
        command.process_group(0).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        command.kill_on_drop(true).spawn().context("cannot start setpriv (util-linux)")
    }

    /// All that runs.
    pub(crate) fn processes(&self) -> Vec<u32> {
        self.nodes.iter().filter_map(Child::id).collect()
    }

    /// Processor time of all that runs so far.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        self.processes().into_iter().filter_map(|id| process::cpu_seconds(id).ok()).sum()
    }

    /// Kills `count` nodes, others each `turn` and never the one that is asked, and waits until that one has noticed.
    pub(crate) async fn kill_nodes(&mut self, count: usize, turn: usize) -> anyhow::Result<Vec<usize>> {
        let dead: Vec<usize> = (0..count).map(|index| 1 + (turn * count + index) % (NODES - 1)).collect();
        for node in &dead {
            self.nodes[*node].kill().await?;
        }
        self.wait_for(NODES - count).await?;
        Ok(dead)
    }

    /// Starts dead nodes again and waits until all answer.
    pub(crate) async fn wake(&mut self, dead: &[usize]) -> anyhow::Result<()> {
        for node in dead {
            self.nodes[*node] = self.spawn(*node)?;
        }
        self.wait_for(NODES).await
    }

    /// Waits until the first node says that exactly so many nodes are there, with their drives.
    async fn wait_for(&mut self, expected: usize) -> anyhow::Result<()> {
        let target = Target { prefix: "/minio/admin/v3".into(), ..self.target.clone() };
        until("MinIO's nodes", READY_DEADLINE, async || {
            let info = Connection::open(&target).await?.ask(Method::GET, "/info").await?;
            let online = serde_json::from_slice::<Info>(&info)?.online();
            Ok(if online == expected { Ok(()) } else { Err(format!("{online} of {expected} are online")) })
        })
        .await
        .with_context(|| process::tail(&self.home.path().join("n0.log")))
    }

    /// Asks all to stop and waits until they have.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.processes().into_iter().for_each(|id| process::send(id, Signal::TERM));
        for node in &mut self.nodes {
            timeout(STOP_DEADLINE, node.wait()).await.context("MinIO did not stop")??;
        }
        Ok(())
    }
}

/// What its administration interface says, as far as it is of use.
#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    servers: Vec<Server>,
}

#[derive(Deserialize)]
struct Server {
    state: String,
    #[serde(default)]
    drives: Vec<Drive>,
}

#[derive(Deserialize)]
struct Drive {
    state: String,
}

impl Info {
    /// Servers that are there with all their drives.
    fn online(&self) -> usize {
        let whole = |server: &&Server| {
            let mut drives = server.drives.iter();
            server.state == "online" && !server.drives.is_empty() && drives.all(|drive| drive.state == "ok")
        };
        self.servers.iter().filter(whole).count()
    }
}

/// Free when asked; held together so that no two are the same.
fn free_addresses(address: &Address) -> anyhow::Result<Vec<SocketAddr>> {
    let listeners: Result<Vec<_>, _> =
        (0..NODES).map(|_| TcpListener::bind((address.ip_address(), 0))).collect();
    let addresses: Result<Vec<_>, _> = listeners?.iter().map(TcpListener::local_addr).collect();
    Ok(addresses?)
}

fn random_word() -> anyhow::Result<String> {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    let word = hexadecimal(&bytes);
    ensure!(word.len() <= 20, "MinIO takes access keys of at most 20 characters");
    Ok(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_its_drive_does_not_count() {
        let info = br#"{"mode": "online", "servers": [
            {"state": "online", "drives": [{"state": "ok"}]},
            {"state": "online", "drives": [{"state": "offline"}]},
            {"state": "online"},
            {"state": "offline", "drives": [{"state": "ok"}]}
        ]}"#;
        assert_eq!(serde_json::from_slice::<Info>(info).unwrap().online(), 1);
    }
}

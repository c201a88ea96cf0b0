//! The data directory of a cluster on one machine.

use crate::{
    args::Up,
    up::ports::{self, Ports},
};
use anyhow::{Context, bail, ensure};
use asterism_cluster::placement::widest_policy;
use asterism_erasure::Policy;
use asterism_proto::{ClusterId, Role};
use asterism_service::{Authority, durable};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use uuid::Uuid;

const NODES: u16 = 6;
const POLICY: &str = "4+2";
/// Unix sockets have short paths; a data directory with a long one gets its socket elsewhere.
const SOCKET_PATH_MAX: usize = 100;

/// What is fixed when a cluster is made.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cluster {
    cluster: ClusterId,
    policy: Policy,
    nodes: Vec<String>,
}

/// A data directory that this process has for itself.
pub(crate) struct Home {
    root: PathBuf,
    cluster: Cluster,
    socket: PathBuf,
    _socket_dir: Option<tempfile::TempDir>,
    _lock: File,
}

impl Home {
    /// Opens the data directory, or makes a new cluster in an empty one.
    pub(crate) fn open(options: &Up) -> anyhow::Result<Self> {
        let root = match &options.data_dir {
            Some(dir) => dir.clone(),
            None => default_root()?,
        };
        std::fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
        let root = root.canonicalize()?;
        let lock = lock(&root)?;
        let path = root.join("cluster.json");
        let cluster = if path.exists() { reopen(&path, options)? } else { create(&root, options)? };
        durable::replace(&path, serde_json::to_string_pretty(&cluster)?.as_bytes(), 0o644)?;
        let (socket, socket_dir) = socket_place(&root)?;
        let home = Self { root, cluster, socket, _socket_dir: socket_dir, _lock: lock };
        home.issue_identities()?;
        std::fs::create_dir_all(home.root.join("logs"))?;
        Ok(home)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn cluster(&self) -> ClusterId {
        self.cluster.cluster
    }

    pub(crate) fn policy(&self) -> Policy {
        self.cluster.policy
    }

    pub(crate) fn nodes(&self) -> &[String] {
        &self.cluster.nodes
    }

    pub(crate) fn node_dir(&self, name: &str) -> PathBuf {
        self.root.join("nodes").join(name)
    }

    pub(crate) fn identity(&self, process: &str) -> PathBuf {
        self.root.join("identities").join(process)
    }

    pub(crate) fn config(&self, process: &str) -> PathBuf {
        self.root.join("config").join(format!("{process}.toml"))
    }

    pub(crate) fn log(&self, process: &str) -> PathBuf {
        self.root.join("logs").join(format!("{process}.log"))
    }

    pub(crate) fn admin_token(&self) -> PathBuf {
        self.root.join("admin.token")
    }

    pub(crate) fn join_token(&self) -> PathBuf {
        self.root.join("join.token")
    }

    /// Where the monitor asks for nodes to be stopped and woken.
    pub(crate) fn socket(&self) -> PathBuf {
        self.socket.clone()
    }

    /// Ports for this start, remembered for the next one.
    pub(crate) fn ports(&self, listen: SocketAddr) -> anyhow::Result<Ports> {
        let path = self.root.join("ports.json");
        let before: Option<Ports> =
            if path.exists() { serde_json::from_str(&std::fs::read_to_string(&path)?).ok() } else { None };
        let ports = ports::assign(listen, &self.cluster.nodes, before)
            .with_context(|| format!("cannot listen on {listen}"))?;
        durable::replace(&path, serde_json::to_string_pretty(&ports)?.as_bytes(), 0o644)?;
        Ok(ports)
    }

    /// Gives every process that has none an identity.
    fn issue_identities(&self) -> anyhow::Result<()> {
        let authority = Authority::open(&self.root.join("ca"))?;
        ensure!(
            authority.cluster() == self.cluster.cluster,
            "{} holds another cluster's authority",
            self.root.display()
        );
        let servers = [("index-server", Role::IndexServer), ("monitor", Role::Monitor)];
        let nodes = self.cluster.nodes.iter().map(|name| (name.as_str(), Role::StorageNode));
        for (name, role) in servers.into_iter().chain(nodes) {
            let dir = self.identity(name);
            if !dir.join("cert.pem").exists() {
                authority.issue(role, Uuid::new_v4())?.save(&dir)?;
            }
        }
        Ok(())
    }
}

fn default_root() -> anyhow::Result<PathBuf> {
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let data = data.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share")));
    Ok(data.context("HOME is not set: say where with --data-dir")?.join("asterism"))
}

fn lock(root: &Path) -> anyhow::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(root.join("up.lock"))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        bail!("a cluster is running in {} already", root.display());
    }
    Ok(file)
}

fn create(root: &Path, options: &Up) -> anyhow::Result<Cluster> {
    // Made by an earlier start that did not get to its end: nothing was stored yet.
    let known = ["up.lock", "ca", "join.token", "lost+found"];
    for entry in std::fs::read_dir(root)? {
        let name = entry?.file_name();
        ensure!(
            known.iter().any(|&known| name == known),
            "{} is neither empty nor a cluster's directory",
            root.display()
        );
    }
    std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o700))?;
    let nodes = options.nodes.unwrap_or(NODES);
    let policy = choose_policy(options.policy, usize::from(nodes))?;
    let dir = root.join("ca");
    std::fs::create_dir_all(&dir)?;
    let cluster = match Authority::open(&dir) {
        Ok(authority) => authority.cluster(),
        Err(_) => Authority::create(&dir, ClusterId::random())?.cluster(),
    };
    let token = format!("{}{}\n", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    durable::replace(&root.join("join.token"), token.as_bytes(), 0o600)?;
    Ok(Cluster { cluster, policy, nodes: (1..=nodes).map(|number| format!("n{number}")).collect() })
}

fn choose_policy(asked: Option<Policy>, nodes: usize) -> anyhow::Result<Policy> {
    if let Some(policy) = asked {
        ensure!(policy.total() <= nodes, "policy {policy} needs {} nodes, there are {nodes}", policy.total());
        return Ok(policy);
    }
    let wanted: Policy = POLICY.parse()?;
    let policy = widest_policy(wanted, nodes).context("a cluster needs at least one node")?;
    if policy != wanted {
        eprintln!("asterism: {nodes} nodes are too few for policy {wanted}; using {policy}");
    }
    Ok(policy)
}

fn reopen(path: &Path, options: &Up) -> anyhow::Result<Cluster> {
    let text = std::fs::read_to_string(path)?;
    let mut cluster: Cluster =
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
    if let Some(policy) = options.policy {
        ensure!(
            policy == cluster.policy,
            "this cluster was made with policy {}, not {policy}",
            cluster.policy
        );
    }
    let (has, wanted) = (cluster.nodes.len(), options.nodes.map_or(cluster.nodes.len(), usize::from));
    ensure!(wanted >= has, "this cluster has {has} nodes; --nodes {wanted} would leave some out");
    cluster.nodes.extend((has + 1..=wanted).map(|number| format!("n{number}")));
    Ok(cluster)
}

fn socket_place(root: &Path) -> anyhow::Result<(PathBuf, Option<tempfile::TempDir>)> {
    let socket = root.join("supervisor.sock");
    if socket.as_os_str().len() <= SOCKET_PATH_MAX {
        return Ok((socket, None));
    }
    let dir = tempfile::Builder::new().prefix("asterism-").tempdir()?;
    Ok((dir.path().join("supervisor.sock"), Some(dir)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(dir: &Path, nodes: Option<u16>, policy: Option<&str>) -> Up {
        Up {
            nodes,
            data_dir: Some(dir.into()),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            policy: policy.map(|text| text.parse().unwrap()),
            database: None,
            graph: None,
            pushgateway: None,
            log_level: "info".into(),
        }
    }

    fn refusal(result: anyhow::Result<Home>) -> String {
        result.err().expect("should be refused").to_string()
    }

    #[test]
    fn goes_on_with_the_same_cluster() {
        let dir = tempfile::tempdir().unwrap();
        let first = Home::open(&options(dir.path(), Some(7), Some("4+2"))).unwrap();
        let cluster = first.cluster();
        assert!(refusal(Home::open(&options(dir.path(), None, None))).contains("running"));
        drop(first);
        let again = Home::open(&options(dir.path(), None, None)).unwrap();
        assert_eq!((again.cluster(), again.nodes().len()), (cluster, 7));
        drop(again);
        assert!(refusal(Home::open(&options(dir.path(), None, Some("2+1")))).contains("4+2"));
        assert!(refusal(Home::open(&options(dir.path(), Some(3), None))).contains("7 nodes"));
    }

    #[test]
    fn a_policy_wider_than_the_nodes_is_refused_when_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let message = refusal(Home::open(&options(dir.path(), Some(5), Some("4+2"))));
        assert_eq!(message, "policy 4+2 needs 6 nodes, there are 5");
        assert_eq!(Home::open(&options(dir.path(), Some(3), None)).unwrap().policy().to_string(), "1+2");
    }

    #[test]
    fn a_directory_with_other_things_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("thesis.tex"), "…").unwrap();
        assert!(refusal(Home::open(&options(dir.path(), None, None))).contains("neither empty"));
    }
}

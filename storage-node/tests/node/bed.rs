//! A cluster's authority in a temporary directory, nodes bound to free ports, and callers of every kind.

use asterism_proto::{
    ClusterId, NodeId, Role,
    storage::{ShardHeader, shard_store_client::ShardStoreClient},
};
use asterism_service::{
    Authority, Identity, durable,
    grpc::{Target, channel},
    logging::LogFormat,
};
use asterism_storage_node::{Config, NodeProcess, store};
use std::{
    fs::{File, OpenOptions},
    future::Future,
    net::SocketAddr,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use uuid::Uuid;

pub(crate) const TOKEN: &str = "a token for tests";
/// Nobody listens there.
pub(crate) const NOWHERE: &str = "127.0.0.1:1";
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) type Client = ShardStoreClient<Channel>;

pub(crate) struct Bed {
    directory: TempDir,
    pub(crate) authority: Authority,
}

impl Bed {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::create(directory.path(), ClusterId::random()).unwrap();
        durable::replace(&directory.path().join("token"), TOKEN.as_bytes(), 0o600).unwrap();
        Self { directory, authority }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn cluster(&self) -> ClusterId {
        self.authority.cluster()
    }

    pub(crate) fn identity(&self, role: Role) -> Identity {
        self.authority.issue(role, Uuid::new_v4()).unwrap()
    }

    /// The configuration of a new node with its own identity and directory.
    pub(crate) fn config(&self, name: &str) -> Config {
        let identity_dir = self.path().join(format!("{name}-identity"));
        self.identity(Role::StorageNode).save(&identity_dir).unwrap();
        Config {
            name: name.parse().unwrap(),
            data_dir: self.path().join(name),
            listen: "127.0.0.1:0".into(),
            advertise: None,
            metrics_listen: "127.0.0.1:0".into(),
            identity_dir,
            zone: "z1".into(),
            capacity_bytes: None,
            reserve_bytes: 0,
            index_servers: vec![NOWHERE.into()],
            join_token_file: self.path().join("token"),
            log_level: "info".into(),
            log_format: LogFormat::Json,
        }
    }

    pub(crate) async fn start(&self, name: &str) -> Node {
        Node::start(self.config(name)).await
    }

    /// A caller with a certificate of this cluster.
    pub(crate) fn caller(&self, node: &Node, role: Role) -> Client {
        node.client(&self.identity(role))
    }

    /// An index-server's connection to `node`.
    pub(crate) fn client(&self, node: &Node) -> Client {
        self.caller(node, Role::IndexServer)
    }
}

pub(crate) struct Node {
    pub(crate) config: Config,
    pub(crate) id: NodeId,
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Node {
    /// Starts a node; a directory that its last user has not yet let go of is waited for.
    pub(crate) async fn start(config: Config) -> Self {
        let deadline = Instant::now() + PATIENCE;
        let process = loop {
            match NodeProcess::bind(&config).await {
                Ok(process) => break process,
                Err(error) if format!("{error:#}").contains("open") && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{error:#}"),
            }
        };
        let (grpc, http) = (process.grpc_address().unwrap(), process.http_address().unwrap());
        let id = process.store().owner().node;
        let stop = CancellationToken::new();
        let task = tokio::spawn(process.serve(stop.clone()));
        Self { config, id, grpc, http, stop, task }
    }

    pub(crate) fn target(&self) -> Target {
        Target::Process(Role::StorageNode, Uuid::from_bytes(*self.id.as_bytes()))
    }

    pub(crate) fn client(&self, identity: &Identity) -> Client {
        let channel = channel(&self.grpc.to_string(), identity, self.target()).unwrap();
        ShardStoreClient::new(channel)
    }

    /// Stops it in an orderly way; gives back what it was started with, when nobody has its directory open any more.
    pub(crate) async fn stop(self) -> Config {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
        let lock = File::open(self.config.data_dir.join("lock")).unwrap();
        eventually("the directory is let go", async || lock.try_lock().is_ok()).await;
        self.config
    }

    /// Waits for it to end by itself.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap()
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.config.data_dir
    }

    pub(crate) fn spot(&self, header: &ShardHeader) -> Spot {
        spot_of(self.directory(), header)
    }
}

/// Where a shard lies: known to the tests so that they can break it.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    pub(crate) file: PathBuf,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

impl Spot {
    /// Its record as it lies there.
    pub(crate) fn read(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.bytes as usize];
        File::open(&self.file).unwrap().read_exact_at(&mut bytes, self.offset).unwrap();
        bytes
    }

    /// Overwrites its record.
    pub(crate) fn write(&self, bytes: &[u8]) {
        assert_eq!(bytes.len() as u64, self.bytes);
        let file = OpenOptions::new().write(true).open(&self.file).unwrap();
        file.write_all_at(bytes, self.offset).unwrap();
    }

    /// Changes its record.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut [u8])) {
        let mut bytes = self.read();
        change(&mut bytes);
        self.write(&bytes);
    }
}

pub(crate) fn spot_of(directory: &Path, header: &ShardHeader) -> Spot {
    let key = asterism_storage_node::wire::key(header.key.as_ref()).unwrap();
    let places = store::places(directory).unwrap();
    let place = places.iter().find(|place| place.key == key).expect("the shard is on the disk");
    Spot { file: directory.join(&place.file), offset: place.offset, bytes: place.bytes }
}

/// Every file below `directory`, relative to it.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(next) = pending.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                found.push(path.strip_prefix(directory).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Shards, temporary files and quarantined files on disk.
pub(crate) fn counts(directory: &Path) -> (usize, usize, usize) {
    let count = |part: &str| files(directory).iter().filter(|file| file.starts_with(part)).count();
    (store::places(directory).unwrap().len(), count("temporary"), count("quarantine"))
}

/// Waits until `holds`; polls, and gives up loudly.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "still not: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

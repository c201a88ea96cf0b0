//! A storage node: its real store on a simulated disk, its real service, and its membership, behind the simulated network.

use crate::{
    broken::Broken,
    network::{Network, address},
    process::{Host, Process},
};
use asterism_proto::{ClusterId, NodeId, Role};
use asterism_service::{Peer, Secret, grpc};
use asterism_storage_node::{
    disk::SimDisk,
    membership::{Introduction, Joined, Member},
    metrics::{NodeMetrics, StoreMetrics},
    rpc::{self, ShardService},
    store::{Limits, OpenError, Owner, Sizes, Store, Work},
};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::service::Routes;
use uuid::Uuid;

/// Logs so small that a short run closes and compacts some. The first cell of a shard must fit a record, as with real sizes.
const SIZES: Sizes = Sizes { log_bytes: 1 << 20, log_records: 64, record_bytes: 300 << 10 };
const LIMITS: Limits = Limits { capacity_bytes: None, reserve_bytes: 1 << 20 };
/// A node that is asked to stop gets this long.
const STOP: Duration = Duration::from_secs(20);

/// A storage node, running or not, and its disk.
pub struct Node {
    /// Where it runs.
    pub host: Host,
    /// Who it is, as long as its disk lives.
    pub id: NodeId,
    /// What is left of it when it does not run.
    pub disk: SimDisk,
    cluster: ClusterId,
    network: Network,
    broken: Broken,
    running: Option<Running>,
}

struct Running {
    process: Process,
    store: Store,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// The id of the node on a host.
pub fn node_id(host: Host) -> NodeId {
    NodeId::from_bytes([host as u8; 16])
}

impl Node {
    /// A node that does not run yet, with an empty disk.
    pub fn new(host: Host, cluster: ClusterId, network: &Network, disk: SimDisk, broken: Broken) -> Self {
        Self { host, id: node_id(host), disk, cluster, network: network.clone(), broken, running: None }
    }

    /// Whether its process runs.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Its store, while it runs.
    pub fn store(&self) -> Option<&Store> {
        self.running.as_ref().map(|running| &running.store)
    }

    /// Starts its process; one that runs goes on.
    ///
    /// # Errors
    /// What is on the disk cannot be used, or the disk fails.
    pub fn start(&mut self) -> Result<(), OpenError> {
        self.network.power_on(self.host);
        if self.running.is_some() {
            return Ok(());
        }
        let owner = Owner { cluster: self.cluster, node: self.id };
        let disk = self.broken.disk(&self.disk);
        let store = Store::open_sized(disk, owner, LIMITS, StoreMetrics::default(), Work::Inline, SIZES)?;
        let peer = Peer {
            cluster: self.cluster,
            role: Role::StorageNode,
            id: Uuid::from_bytes(*self.id.as_bytes()),
        };
        let process = Process::start(self.host, peer);
        let (stop, tasks, metrics) = (CancellationToken::new(), TaskTracker::new(), NodeMetrics::default());
        let name = format!("n{}", self.host);
        let service = ShardService::new(store.clone(), name.clone(), metrics.clone(), tasks.clone());
        let incoming = self.network.listen(&address(self.host), &process);
        let serving = grpc::limited_server()
            .add_routes(Routes::new(rpc::bounded(service)))
            .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
        tasks.spawn(serving);
        let introduction = Introduction {
            name,
            address: address(self.host),
            metrics_address: String::new(),
            zone: String::new(),
        };
        let dial = Arc::new(self.network.dial(&process));
        let token = Secret::new(crate::index::JOIN_TOKEN.to_owned());
        let member = Member::new(store.clone(), dial, introduction, token, metrics, Joined::default());
        let stopped = stop.clone();
        tasks.spawn(async move {
            if let Err(error) = member.attend(&address(0), stopped).await {
                tracing::warn!(%error, "node gave up its membership");
            }
        });
        self.running = Some(Running { process, store, stop, tasks });
        Ok(())
    }

    /// Its process is killed; what the disk was given stays.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            self.network.end(&running.process, true);
            running.stop.cancel();
            self.disk.kill();
        }
    }

    /// Its machine loses its power, and what the disk has not synced may be gone.
    pub fn cut_power(&mut self) {
        if let Some(running) = self.running.take() {
            self.network.end(&running.process, false);
            running.stop.cancel();
        }
        self.disk.power_cut();
    }

    /// It is asked to stop, and does so as a process does.
    pub async fn stop(&mut self) {
        let Some(running) = self.running.take() else { return };
        running.stop.cancel();
        running.tasks.close();
        if timeout(STOP, running.tasks.wait()).await.is_err() {
            tracing::warn!(host = self.host, "calls were still open when the node's time to stop ran out");
        }
        if let Err(error) = running.store.close().await {
            tracing::warn!(host = self.host, %error, "log not closed");
        }
        self.network.end(&running.process, true);
        self.disk.kill();
    }
}

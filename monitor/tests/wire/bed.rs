//! The test bed: an authority, an index-server, some nodes, a supervisor, and a monitor over them.

use crate::{
    index::{FakeIndex, Member},
    node::FakeNode,
    supervisor::Supervisor,
};
use asterism_monitor::{Config, Monitor};
use asterism_proto::{
    ClusterId, NodeId, Role,
    index::{Intent, membership_server::MembershipServer},
    monitor::{
        ActRequest, ActResponse, NodesRequest, TimelineRequest, Transition, Verb,
        monitor_client::MonitorClient,
    },
};
use asterism_service::{
    Authority, Identity,
    grpc::{self, Target},
};
use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::{Status, service::Routes, transport::Channel};
use uuid::Uuid;

/// Nothing in these tests takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Bed {
    pub(crate) dir: TempDir,
    pub(crate) authority: Authority,
    pub(crate) index: FakeIndex,
    pub(crate) nodes: Vec<Arc<FakeNode>>,
    pub(crate) supervisor: Supervisor,
    index_address: SocketAddr,
    index_task: Option<(CancellationToken, JoinHandle<()>)>,
}

impl Bed {
    /// Nodes `n1`, `n2`, … that run and send heartbeats.
    pub(crate) async fn new(nodes: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::create(dir.path(), ClusterId::random()).unwrap();
        let index = FakeIndex::default();
        index.members().cluster = authority.cluster().to_string();
        let mut running = Vec::new();
        for number in 1..=nodes {
            running.push(start_node(&authority, &index, &format!("n{number}")).await);
        }
        let supervisor = Supervisor::start(dir.path(), running.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let index_address = listener.local_addr().unwrap();
        let mut bed =
            Self { dir, authority, index, nodes: running, supervisor, index_address, index_task: None };
        bed.serve_index(listener);
        bed
    }

    fn serve_index(&mut self, listener: TcpListener) {
        let stop = CancellationToken::new();
        let identity = self.authority.issue(Role::IndexServer, Uuid::new_v4()).unwrap();
        let (service, token) = (MembershipServer::new(self.index.clone()), stop.clone());
        let task = tokio::spawn(async move {
            grpc::serve(listener, &identity, Routes::new(service), token).await.unwrap();
        });
        self.index_task = Some((stop, task));
    }

    pub(crate) async fn stop_index(&mut self) {
        let (stop, task) = self.index_task.take().unwrap();
        stop.cancel();
        task.await.unwrap();
    }

    pub(crate) async fn start_index(&mut self) {
        let listener = TcpListener::bind(self.index_address).await.unwrap();
        self.serve_index(listener);
    }

    /// A configuration with times short enough for tests.
    pub(crate) fn config(&self, more: &str) -> Config {
        let identity = self.dir.path().join("identity");
        if !identity.exists() {
            self.authority.issue(Role::Monitor, Uuid::new_v4()).unwrap().save(&identity).unwrap();
        }
        let path = self.dir.path().join("monitor.toml");
        let text = format!(
            "listen = '127.0.0.1:0'\nhttp_listen = '127.0.0.1:0'\ndata_dir = '{}'\nidentity_dir = '{}'\n\
             index_servers = ['{}']\nprobe_interval_seconds = 0.1\nsuspect_after_seconds = 1.2\n\
             offline_after_seconds = 2.4\nact_deadline_seconds = 6\n{more}\n\
             [power]\ndriver = 'local'\n[power.local]\nsocket = '{}'\ntimeout_seconds = 5\n",
            self.data_dir().display(),
            identity.display(),
            self.index_address,
            self.supervisor.socket.display(),
        );
        std::fs::write(&path, text).unwrap();
        Config::load(&path).unwrap()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("monitor")
    }

    /// A monitor that sees every node online.
    pub(crate) async fn monitor(&self) -> Running {
        let running = self.monitor_with(&self.config("")).await;
        for node in &self.nodes {
            running.wait_for(&node.name, "online").await;
            // Written down too, so that what an act writes comes after it.
            running.cause(&node.name, "online").await;
        }
        running
    }

    pub(crate) async fn monitor_with(&self, config: &Config) -> Running {
        let monitor = Monitor::bind(config).await.unwrap();
        let stop = CancellationToken::new();
        let (address, http_address) = (monitor.address, monitor.http_address);
        let task = tokio::spawn(monitor.serve(stop.clone()));
        let caller = self.authority.issue(Role::IndexServer, Uuid::new_v4()).unwrap();
        let client = client(address, &caller);
        Running { address, http_address, client, stop, task: Some(task) }
    }
}

async fn start_node(authority: &Authority, index: &FakeIndex, name: &str) -> Arc<FakeNode> {
    let id = NodeId::random();
    let identity = authority.issue(Role::StorageNode, Uuid::from_bytes(*id.as_bytes())).unwrap();
    let member = Member {
        name: name.into(),
        address: String::new(),
        metrics_address: "127.0.0.1:8599".into(),
        intent: Intent::Up,
        beat: None,
        needed: false,
    };
    index.members().nodes.insert(id, member);
    let node = FakeNode::new(name, id, identity, index.clone()).await;
    index.members().nodes.get_mut(&id).unwrap().address = node.address.to_string();
    node
}

pub(crate) fn client(address: SocketAddr, caller: &Identity) -> MonitorClient<Channel> {
    MonitorClient::new(grpc::channel(&address.to_string(), caller, Target::Any(Role::Monitor)).unwrap())
}

/// A monitor that serves.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) http_address: SocketAddr,
    pub(crate) client: MonitorClient<Channel>,
    stop: CancellationToken,
    task: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Running {
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        self.task.take().unwrap().await.unwrap().unwrap();
    }

    pub(crate) async fn states(&self) -> Vec<(String, String)> {
        let nodes = self.client.clone().nodes(NodesRequest {}).await.unwrap().into_inner().nodes;
        nodes.into_iter().map(|node| (node.name, node.state)).collect()
    }

    pub(crate) async fn state(&self, name: &str) -> String {
        let states = self.states().await;
        states.into_iter().find(|(known, _)| known == name).map(|(_, state)| state).unwrap_or_default()
    }

    pub(crate) async fn wait_for(&self, name: &str, state: &str) {
        eventually(&format!("{name} is {state}"), async || self.state(name).await == state).await;
    }

    pub(crate) async fn timeline(&self) -> Vec<Transition> {
        let request = TimelineRequest { after: 0, limit: 1000 };
        self.client.clone().timeline(request).await.unwrap().into_inner().transitions
    }

    /// The log as lines `n1: online -> offline`.
    pub(crate) async fn steps(&self, name: &str) -> Vec<String> {
        let rows = self.timeline().await.into_iter().filter(|row| row.subject == name);
        rows.map(|row| format!("{} -> {}", row.from, row.to)).collect()
    }

    /// Why `name` last came into `state`, as the log has it; it is written a moment after the state is seen.
    pub(crate) async fn cause(&self, name: &str, state: &str) -> String {
        let mut cause = None;
        eventually(&format!("{name} -> {state} is written down"), async || {
            let rows = self.timeline().await.into_iter();
            cause =
                rows.filter(|row| row.subject == name && row.to == state).map(|row| row.cause).next_back();
            cause.is_some()
        })
        .await;
        cause.unwrap()
    }

    pub(crate) async fn act(&self, node: &FakeNode, verb: Verb) -> ActResponse {
        self.order(order(node, verb)).await.unwrap()
    }

    pub(crate) async fn order(&self, request: ActRequest) -> Result<ActResponse, Status> {
        self.client.clone().act(request).await.map(tonic::Response::into_inner)
    }
}

pub(crate) fn order(node: &FakeNode, verb: Verb) -> ActRequest {
    ActRequest {
        node: node.id.to_string(),
        verb: verb.into(),
        actor: "ada".into(),
        request_id: "r1".into(),
        ..ActRequest::default()
    }
}

/// Waits until `is_so`, and says what it waited for if that never comes.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !is_so().await {
        assert!(begin.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

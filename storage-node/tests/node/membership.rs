//! Joining index-servers and giving them signs of life.

use crate::bed::{Bed, NOWHERE, Node, TOKEN, eventually};
use asterism_proto::{
    ClusterId, Role,
    index::{
        AcquireStopRequest, AcquireStopResponse, HeartbeatRequest, HeartbeatResponse, JoinRequest,
        JoinResponse, NodesRequest, NodesResponse, SetIntentRequest, SetIntentResponse, TouchedRequest,
        TouchedResponse,
        membership_server::{Membership, MembershipServer},
    },
};
use asterism_service::grpc;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, service::Routes};

/// An index-server that writes down what it is told.
#[derive(Clone)]
struct Index(Arc<Mutex<Told>>);

struct Told {
    cluster: ClusterId,
    knows: bool,
    refusal: Option<Status>,
    joins: Vec<JoinRequest>,
    beats: Vec<(Instant, HeartbeatRequest)>,
}

impl Index {
    fn new(cluster: ClusterId) -> Self {
        let (joins, beats) = (Vec::new(), Vec::new());
        Self(Arc::new(Mutex::new(Told { cluster, knows: false, refusal: None, joins, beats })))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Told) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    fn joins(&self) -> usize {
        self.with(|told| told.joins.len())
    }

    fn beats(&self) -> usize {
        self.with(|told| told.beats.len())
    }
}

#[tonic::async_trait]
impl Membership for Index {
    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        let peer = grpc::peer(&request)?;
        assert_eq!((peer.role, peer.id.to_string()), (Role::StorageNode, request.get_ref().node.clone()));
        self.with(|told| {
            let request = request.into_inner();
            if let Some(status) = &told.refusal {
                return Err(status.clone());
            }
            if request.join_token != TOKEN {
                return Err(Status::permission_denied("wrong join token"));
            }
            told.joins.push(request);
            told.knows = true;
            Ok(Response::new(JoinResponse { cluster: told.cluster.to_string(), epoch: 1 }))
        })
    }

    async fn heartbeat(
        &self,
        request: Request<HeartbeatRequest>,
    ) -> Result<Response<HeartbeatResponse>, Status> {
        self.with(|told| {
            told.beats.push((Instant::now(), request.into_inner()));
            Ok(Response::new(HeartbeatResponse { known: told.knows, epoch: 1 }))
        })
    }

    async fn nodes(&self, _: Request<NodesRequest>) -> Result<Response<NodesResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn acquire_stop(
        &self,
        _: Request<AcquireStopRequest>,
    ) -> Result<Response<AcquireStopResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn set_intent(&self, _: Request<SetIntentRequest>) -> Result<Response<SetIntentResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }
    async fn touched(&self, _: Request<TouchedRequest>) -> Result<Response<TouchedResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }
}

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(bed: &Bed, index: &Index, listen: &str) -> Self {
        let identity = bed.identity(Role::IndexServer);
        let listener = TcpListener::bind(listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (routes, stop) = (Routes::new(MembershipServer::new(index.clone())), CancellationToken::new());
        let token = stop.clone();
        let task =
            tokio::spawn(async move { grpc::serve(listener, &identity, routes, token).await.unwrap() });
        Self { address, stop, task }
    }

    async fn stop(self) -> SocketAddr {
        self.stop.cancel();
        self.task.await.unwrap();
        self.address
    }
}

async fn start_with(bed: &Bed, name: &str, servers: &[&Server]) -> Node {
    let mut config = bed.config(name);
    config.index_servers = servers.iter().map(|server| server.address.to_string()).collect();
    Node::start(config).await
}

/// Status and body of a page.
pub(crate) async fn http_get(address: SocketAddr, path: &str) -> (u16, String) {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = hyper::Request::get(path).header("host", "node").body(String::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    drop(sender);
    connection.await.unwrap().unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_joins_every_index_server_and_beats_each_second() {
    let bed = Bed::new();
    let indexes = [Index::new(bed.cluster()), Index::new(bed.cluster())];
    let servers = [
        Server::start(&bed, &indexes[0], "127.0.0.1:0").await,
        Server::start(&bed, &indexes[1], "127.0.0.1:0").await,
    ];
    let node = start_with(&bed, "n1", &[&servers[0], &servers[1]]).await;
    for index in &indexes {
        eventually("three heartbeats", async || index.beats() >= 3).await;
        let (join, beats) = index.with(|told| (told.joins.clone(), told.beats.clone()));
        let [join] = &join[..] else { panic!("joined more than once: {join:?}") };
        assert_eq!((join.node.clone(), join.name.as_str()), (node.id.to_string(), "n1"));
        assert_eq!((join.address.clone(), join.zone.as_str()), (node.grpc.to_string(), "z1"));
        assert_eq!(join.metrics_address, node.http.to_string());
        let (first, last) = (&beats[0], &beats[2]);
        let pause = (last.0 - first.0).as_secs_f64() / 2.0;
        assert!((0.5..10.0).contains(&pause), "a beat each second, not each {pause} s");
        assert_eq!((last.1.pid, &last.1.boot), (std::process::id(), &first.1.boot));
        assert!(last.1.uptime_seconds > first.1.uptime_seconds);
        assert!(last.1.cores > 0 && last.1.resident_bytes > 0 && last.1.memory_total_bytes > 0);
        assert!(last.1.capacity_bytes >= last.1.free_bytes && last.1.free_bytes > 0);
        assert_eq!((last.1.shards, last.1.used_bytes), (0, 0));
    }
    node.stop().await;
    for server in servers {
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_joins_again_when_it_is_no_longer_known() {
    let bed = Bed::new();
    let index = Index::new(bed.cluster());
    let server = Server::start(&bed, &index, "127.0.0.1:0").await;
    let node = start_with(&bed, "n1", &[&server]).await;
    eventually("joined", async || index.beats() >= 1).await;
    index.with(|told| told.knows = false);
    eventually("joined again", async || index.joins() == 2 && index.with(|told| told.knows)).await;
    // Also across a restart of the index-server, which refuses it for a while.
    let address = server.stop().await;
    index.with(|told| {
        told.knows = false;
        told.refusal = Some(Status::permission_denied("wrong join token"));
    });
    let beats = index.beats();
    let server = Server::start(&bed, &index, &address.to_string()).await;
    eventually("refused", async || index.beats() > beats).await;
    eventually("not ready", async || http_get(node.http, "/readyz").await.0 == 503).await;
    index.with(|told| told.refusal = None);
    eventually("joined a third time", async || index.joins() == 3).await;
    node.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_ready_once_it_is_known() {
    let bed = Bed::new();
    let index = Index::new(bed.cluster());
    index.with(|told| told.refusal = Some(Status::unavailable("not yet")));
    let server = Server::start(&bed, &index, "127.0.0.1:0").await;
    let mut config = bed.config("n1");
    // One that is never there does not keep it from being ready.
    config.index_servers = vec![NOWHERE.into(), server.address.to_string()];
    let node = Node::start(config).await;
    let (status, body) = http_get(node.http, "/readyz").await;
    assert_eq!(status, 503);
    assert!(
        body.contains("no index-server knows the node") && body.contains("\"directory\":\"ok\""),
        "{body}"
    );
    assert_eq!(http_get(node.http, "/healthz").await, (200, "ok\n".into()));
    index.with(|told| told.refusal = None);
    eventually("ready", async || http_get(node.http, "/readyz").await.0 == 200).await;
    let (_, metrics) = http_get(node.http, "/metrics").await;
    for name in [
        "shards 0",
        "shard_bytes 0",
        "used_bytes 0",
        "free_bytes",
        "capacity_bytes",
        "sync_seconds_bucket",
        "sync_failures_total 0",
        "corrupt_total 0",
        "received_bytes_total 0",
        "sent_bytes_total 0",
        "heartbeat_failures_total",
        "quarantined 0",
    ] {
        assert!(metrics.contains(&format!("\nasterism_shard_store_{name}")), "{name} in {metrics}");
    }
    node.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_before_the_first_join_ends_the_node() {
    let bed = Bed::new();
    let index = Index::new(bed.cluster());
    let server = Server::start(&bed, &index, "127.0.0.1:0").await;
    let ended = async |name: &str| {
        let node = start_with(&bed, name, &[&server]).await;
        format!("{:#}", node.end().await.unwrap_err())
    };
    for (name, refusal) in [
        ("n1", Status::permission_denied("wrong join token")),
        ("n2", Status::invalid_argument("the id is not the certificate's")),
        ("n3", Status::already_exists("another node has this name")),
    ] {
        index.with(|told| told.refusal = Some(refusal.clone()));
        let sentence = ended(name).await;
        assert!(sentence.contains("refuses the node") && sentence.contains(refusal.message()), "{sentence}");
    }
    index.with(|told| {
        told.refusal = None;
        told.cluster = ClusterId::random();
    });
    assert!(ended("n4").await.contains("it speaks for cluster"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_index_server_of_this_cluster_is_never_told_the_token() {
    let bed = Bed::new();
    let stranger = Bed::new();
    let index = Index::new(bed.cluster());
    let server = Server::start(&stranger, &index, "127.0.0.1:0").await;
    let node = start_with(&bed, "n1", &[&server]).await;
    eventually("some attempts", async || {
        let (_, metrics) = http_get(node.http, "/metrics").await;
        let line = metrics
            .lines()
            .find(|line| !line.starts_with("# ") && line.contains("heartbeat_failures_total "));
        line.and_then(|line| line.split(' ').next_back()?.parse::<u64>().ok()).unwrap() >= 2
    })
    .await;
    assert_eq!(index.joins(), 0);
    node.stop().await;
    server.stop().await;
}

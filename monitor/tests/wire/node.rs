//! A storage node that only lives: it answers `Stat` and sends heartbeats.

use crate::index::FakeIndex;
use asterism_proto::{
    NodeId,
    storage::{
        AsideRequest, AsideResponse, DeleteRequest, DeleteResponse, GetRequest, GetResponse, ListRequest,
        ListResponse, PutRequest, PutResponse, StatRequest, StatResponse, VerifyRequest, VerifyResponse,
        shard_store_server::{ShardStore, ShardStoreServer},
    },
};
use asterism_service::{Identity, grpc};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Request, Response, Status, service::Routes};

const BEAT: Duration = Duration::from_millis(50);

/// A node's process: it can be killed, started again, and made to hang.
pub(crate) struct FakeNode {
    pub(crate) id: NodeId,
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    identity: Identity,
    index: FakeIndex,
    process: Mutex<Option<(CancellationToken, TaskTracker)>>,
    pub(crate) mute: Arc<AtomicBool>,
    pub(crate) hangs: Arc<AtomicBool>,
}

impl FakeNode {
    pub(crate) async fn new(name: &str, id: NodeId, identity: Identity, index: FakeIndex) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let node = Arc::new(Self {
            id,
            name: name.into(),
            address: listener.local_addr().unwrap(),
            identity,
            index,
            process: Mutex::default(),
            mute: Arc::default(),
            hangs: Arc::default(),
        });
        node.serve(listener);
        node
    }

    pub(crate) fn runs(&self) -> bool {
        self.process.lock().unwrap().is_some()
    }

    pub(crate) async fn start(&self) {
        if !self.runs() {
            self.serve(TcpListener::bind(self.address).await.unwrap());
        }
    }

    pub(crate) async fn kill(&self) {
        let process = self.process.lock().unwrap().take();
        if let Some((stop, tasks)) = process {
            stop.cancel();
            tasks.close();
            tasks.wait().await;
        }
    }

    fn serve(&self, listener: TcpListener) {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let store = Store { id: self.id, hangs: Arc::clone(&self.hangs) };
        let (identity, token) = (self.identity.clone(), stop.clone());
        tasks.spawn(async move {
            let routes = Routes::new(ShardStoreServer::new(store));
            grpc::serve(listener, &identity, routes, token).await.unwrap();
        });
        let (index, id, token) = (self.index.clone(), self.id, stop.clone());
        let (mute, hangs) = (Arc::clone(&self.mute), Arc::clone(&self.hangs));
        tasks.spawn(async move {
            let mut ticks = tokio::time::interval(BEAT);
            while !token.is_cancelled() {
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = token.cancelled() => return,
                }
                if !mute.load(Ordering::Relaxed) && !hangs.load(Ordering::Relaxed) {
                    index.beat(id);
                }
            }
        });
        *self.process.lock().unwrap() = Some((stop, tasks));
    }
}

struct Store {
    id: NodeId,
    hangs: Arc<AtomicBool>,
}

#[tonic::async_trait]
impl ShardStore for Store {
    type GetStream = tokio_stream::Empty<Result<GetResponse, Status>>;
    type ListStream = tokio_stream::Empty<Result<ListResponse, Status>>;

    async fn stat(&self, _: Request<StatRequest>) -> Result<Response<StatResponse>, Status> {
        while self.hangs.load(Ordering::Relaxed) {
            tokio::time::sleep(BEAT).await;
        }
        Ok(Response::new(StatResponse { node: self.id.to_string(), ..Default::default() }))
    }

    async fn put(&self, _: Request<tonic::Streaming<PutRequest>>) -> Result<Response<PutResponse>, Status> {
        Err(Status::unimplemented("no shards here"))
    }
    async fn get(&self, _: Request<GetRequest>) -> Result<Response<Self::GetStream>, Status> {
        Err(Status::unimplemented("no shards here"))
    }
    async fn delete(&self, _: Request<DeleteRequest>) -> Result<Response<DeleteResponse>, Status> {
        Err(Status::unimplemented("no shards here"))
    }
    async fn aside(&self, _: Request<AsideRequest>) -> Result<Response<AsideResponse>, Status> {
        Err(Status::unimplemented("no shards here"))
    }
    async fn list(&self, _: Request<ListRequest>) -> Result<Response<Self::ListStream>, Status> {
        Err(Status::unimplemented("no shards here"))
    }
    async fn verify(&self, _: Request<VerifyRequest>) -> Result<Response<VerifyResponse>, Status> {
        Err(Status::unimplemented("no shards here"))
    }
}

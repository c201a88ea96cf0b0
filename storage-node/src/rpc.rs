//! The node's gRPC service: messages in, messages out. Who may call is settled before a call gets here.

mod get;
mod limits;
mod put;

pub use limits::{BoundedShardStore, bounded};

use crate::{
    metrics::{NodeMetrics, Outcome},
    store::{Deleted, Store},
    wire,
};
use asterism_proto::{
    ShardError, ShardErrorKind,
    storage::{
        DeleteRequest, DeleteResponse, DeleteResult, GetRequest, ListRequest, ListResponse, PutRequest,
        PutResponse, StatRequest, StatResponse, VerifyRequest, VerifyResponse, VerifyResult, delete_result,
        shard_store_server::ShardStore, verify_result,
    },
};
use futures::{Stream, stream};
use std::{
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

/// Shards being written at one time; each holds a part of a mebibyte and a message.
const PUTS_MAX: usize = 64;
/// Shards being read at one time; each holds a file and three parts of a mebibyte.
const GETS_MAX: usize = 128;
/// A call that finds no place within this time is sent away.
const PLACE_TIMEOUT: Duration = Duration::from_secs(5);
/// A peer that neither sends nor takes anything for this long is given up.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Shards in one message of a listing.
const LIST_PAGE: usize = 1024;

/// The service of one node; clones share it.
#[derive(Clone)]
pub struct ShardService {
    store: Store,
    name: String,
    metrics: NodeMetrics,
    puts: Arc<Semaphore>,
    gets: Arc<Semaphore>,
    tasks: TaskTracker,
    stall_timeout: Duration,
}

impl ShardService {
    /// The service of the node `name`; work that outlives a call runs under `tasks`.
    pub fn new(store: Store, name: String, metrics: NodeMetrics, tasks: TaskTracker) -> Self {
        Self {
            store,
            name,
            metrics,
            puts: Arc::new(Semaphore::new(PUTS_MAX)),
            gets: Arc::new(Semaphore::new(GETS_MAX)),
            tasks,
            stall_timeout: STALL_TIMEOUT,
        }
    }

    /// Gives peers that stall another time than [`STALL_TIMEOUT`].
    pub fn with_stall_timeout(self, stall_timeout: Duration) -> Self {
        Self { stall_timeout, ..self }
    }

    fn info(&self, shard: &crate::shard::Shard) -> asterism_proto::storage::ShardInfo {
        wire::info_of(shard, self.store.owner().cluster)
    }

    async fn verify_one(&self, key: crate::shard::ShardKey) -> VerifyResult {
        let result = self.store.verify(key).await;
        self.metrics.verifies.get_or_create(&Outcome::of(&result)).inc();
        let outcome = match &result {
            Ok(_) => verify_result::Outcome::Valid,
            Err(error) => match error.kind {
                ShardErrorKind::NotFound => verify_result::Outcome::Absent,
                ShardErrorKind::Corrupt => verify_result::Outcome::Corrupt,
                _ => verify_result::Outcome::Failed,
            },
        };
        if outcome == verify_result::Outcome::Failed
            && let Err(error) = &result
        {
            tracing::warn!(shard = %key, %error, "shard could not be verified");
        }
        VerifyResult { outcome: outcome.into(), shard: result.ok().map(|shard| self.info(&shard)) }
    }

    fn count_deletes(&self, outcomes: &Result<Vec<Deleted>, ShardError>) {
        let count = |result| self.metrics.deletes.get_or_create(&Outcome::named(result)).inc();
        match outcomes {
            Ok(outcomes) => outcomes.iter().for_each(|outcome| {
                count(match outcome {
                    Deleted::Removed => "ok",
                    Deleted::Absent => "not_found",
                    Deleted::Failed => "io",
                });
            }),
            Err(error) => {
                count(error.kind.as_str());
            }
        }
    }
}

/// A place among those who do the same, or `Unavailable` when none gets free in time.
async fn place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ShardError> {
    let place = timeout(PLACE_TIMEOUT, Arc::clone(places).acquire_owned()).await;
    let busy = || ShardError::new(ShardErrorKind::Unavailable, "the node is busy with other shards");
    place.map_err(|_| busy())?.map_err(|_| busy())
}

#[tonic::async_trait]
impl ShardStore for ShardService {
    type GetStream = get::Messages;
    type ListStream = Pin<Box<dyn Stream<Item = Result<ListResponse, Status>> + Send>>;

    async fn put(&self, request: Request<Streaming<PutRequest>>) -> Result<Response<PutResponse>, Status> {
        let begin = Instant::now();
        let result = self.receive(request.into_inner()).await;
        self.metrics.puts.get_or_create(&Outcome::of(&result)).inc();
        self.metrics.note_request("put", begin);
        Ok(Response::new(PutResponse { shard_bytes: result? }))
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<Self::GetStream>, Status> {
        let begin = Instant::now();
        match self.open(request.into_inner()).await {
            Ok(sending) => Ok(Response::new(self.send(sending, begin))),
            Err(error) => {
                self.metrics.gets.get_or_create(&Outcome::named(error.kind.as_str())).inc();
                self.metrics.note_request("get", begin);
                Err(error.into())
            }
        }
    }

    async fn delete(&self, request: Request<DeleteRequest>) -> Result<Response<DeleteResponse>, Status> {
        let begin = Instant::now();
        let request = request.into_inner();
        let outcomes = match wire::keys(&request.keys) {
            Ok(keys) => self.store.delete(keys, request.epoch).await,
            Err(error) => Err(error),
        };
        self.count_deletes(&outcomes);
        self.metrics.note_request("delete", begin);
        let results = outcomes?.into_iter().map(|outcome| {
            let outcome = match outcome {
                Deleted::Removed => delete_result::Outcome::Removed,
                Deleted::Absent => delete_result::Outcome::Absent,
                Deleted::Failed => delete_result::Outcome::Failed,
            };
            DeleteResult { outcome: outcome.into() }
        });
        Ok(Response::new(DeleteResponse { results: results.collect() }))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<Self::ListStream>, Status> {
        let begin = Instant::now();
        let after = request.into_inner().after;
        let after = after.map(|key| wire::key(Some(&key))).transpose()?;
        let service = self.clone();
        // Pulled by the peer: nothing is held between two pages.
        let pages = stream::unfold(after, move |after| {
            let shards = service.store.list(after, LIST_PAGE);
            let next = shards.last().map(|shard| {
                let page = ListResponse { shards: shards.iter().map(|one| service.info(one)).collect() };
                (Ok(page), Some(shard.key()))
            });
            std::future::ready(next)
        });
        self.metrics.note_request("list", begin);
        Ok(Response::new(Box::pin(pages)))
    }

    async fn verify(&self, request: Request<VerifyRequest>) -> Result<Response<VerifyResponse>, Status> {
        let begin = Instant::now();
        let keys = wire::keys(&request.into_inner().keys)?;
        let mut results = Vec::with_capacity(keys.len());
        for key in keys {
            results.push(self.verify_one(key).await);
        }
        self.metrics.note_request("verify", begin);
        Ok(Response::new(VerifyResponse { results }))
    }

    async fn stat(&self, _: Request<StatRequest>) -> Result<Response<StatResponse>, Status> {
        let begin = Instant::now();
        let (usage, owner) = (self.store.usage()?, self.store.owner());
        self.metrics.note_request("stat", begin);
        Ok(Response::new(StatResponse {
            node: owner.node.to_string(),
            name: self.name.clone(),
            cluster: owner.cluster.to_string(),
            capacity_bytes: usage.capacity_bytes,
            free_bytes: usage.free_bytes,
            used_bytes: usage.used_bytes,
            shards: usage.shards,
            epoch: self.store.epoch(),
        }))
    }
}

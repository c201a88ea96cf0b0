//! The node's gRPC service: messages in, messages out. Who may call is settled before a call gets here.

mod get;
mod limits;
mod put;

pub use limits::{BoundedShardStore, bounded};

use crate::{
    metrics::{NodeMetrics, Outcome},
    store::{Aside, Deleted, Store},
    wire,
};
use asterism_proto::{
    ShardError, ShardErrorKind,
    storage::{
        AsideRequest, AsideResponse, AsideResult, DeleteRequest, DeleteResponse, DeleteResult, GetRequest,
        GetResponse, ListRequest, ListResponse, PutRequest, PutResponse, StatRequest, StatResponse,
        VerifyRequest, VerifyResponse, VerifyResult, aside_request, aside_result, delete_result,
        shard_store_server::ShardStore, verify_result,
    },
};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::HeaderValue;
use http_body::Frame;
use http_body_util::StreamBody;
use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming, body::Body};

/// Shards being written at one time; each holds a part of a mebibyte and a message.
const PUTS_MAX: usize = 64;
/// Shards being read at one time; each holds a file and three parts of a mebibyte.
const GETS_MAX: usize = 128;
/// A call that finds no place within this time is sent away.
const PLACE_TIMEOUT: Duration = Duration::from_secs(5);
/// A peer that neither sends nor takes anything for this long is given up.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(30);
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
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
    certificate_end: i64,
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
            certificate_end: 0,
        }
    }

    /// Gives peers that stall another time than [`STALL_TIMEOUT`].
    pub fn with_stall_timeout(self, stall_timeout: Duration) -> Self {
        Self { stall_timeout, ..self }
    }

    /// Tells those who ask that its certificate ends at `end`, in seconds since 1970.
    pub fn with_certificate_end(self, end: i64) -> Self {
        Self { certificate_end: end, ..self }
    }

    fn info(&self, shard: &crate::shard::Shard) -> asterism_proto::storage::ShardInfo {
        wire::info_of(shard, self.store.owner().cluster)
    }

    async fn verify_one(&self, key: crate::shard::ShardKey) -> VerifyResult {
        let result = self.store.verify(key).await;
        let bad_cells = result.as_ref().err().map_or(0, |unverified| unverified.bad_cells.max(1));
        let result = result.map_err(|unverified| unverified.error);
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
        VerifyResult {
            outcome: outcome.into(),
            bad_cells: if outcome == verify_result::Outcome::Corrupt { bad_cells } else { 0 },
            shard: result.ok().map(|shard| self.info(&shard)),
        }
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

/// An answer that is sent piece by piece; the last one are its trailers.
fn answer(frames: impl Stream<Item = Frame<Bytes>> + Send + 'static) -> http::Response<Body> {
    let mut answer = http::Response::new(Body::new(StreamBody::new(frames.map(Ok::<_, Infallible>))));
    answer.headers_mut().insert(http::header::CONTENT_TYPE, GRPC);
    answer
}

#[tonic::async_trait]
impl ShardStore for ShardService {
    type GetStream = stream::Empty<Result<GetResponse, Status>>;
    type ListStream = Pin<Box<dyn Stream<Item = Result<ListResponse, Status>> + Send>>;

    /// Answered by [`BoundedShardStore`], which comes before this.
    async fn put(&self, _: Request<Streaming<PutRequest>>) -> Result<Response<PutResponse>, Status> {
        Err(Status::unimplemented("this service is reached through its limits alone"))
    }

    /// Answered by [`BoundedShardStore`], which comes before this.
    async fn get(&self, _: Request<GetRequest>) -> Result<Response<Self::GetStream>, Status> {
        Err(Status::unimplemented("this service is reached through its limits alone"))
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

    async fn aside(&self, request: Request<AsideRequest>) -> Result<Response<AsideResponse>, Status> {
        let begin = Instant::now();
        let request = request.into_inner();
        let (keys, act) = (wire::keys(&request.keys)?, request.act());
        let outcomes = match act {
            aside_request::Act::SetAside => self.store.set_aside(keys, request.epoch).await?,
            aside_request::Act::BringBack => self.store.bring_back(keys, request.epoch).await?,
            aside_request::Act::LetGo => self.store.let_go(keys, request.epoch).await?,
            aside_request::Act::Unspecified => return Err(Status::invalid_argument("no act is given")),
        };
        self.metrics.note_request("aside", begin);
        let results = outcomes.into_iter().map(|outcome| {
            let outcome = match outcome {
                Aside::Done => aside_result::Outcome::Done,
                Aside::Absent => aside_result::Outcome::Absent,
                Aside::Failed => aside_result::Outcome::Failed,
            };
            AsideResult { outcome: outcome.into() }
        });
        Ok(Response::new(AsideResponse { results: results.collect() }))
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
            clock_unix_ms: clock_unix_ms(),
            certificate_end_unix: self.certificate_end,
        }))
    }
}

/// The clock as it stands, right or wrong: the monitor compares it with its own.
fn clock_unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

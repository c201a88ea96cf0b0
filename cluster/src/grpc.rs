//! The port's adapter to real storage nodes.

use crate::{
    extent::{Extent, ShardKey},
    shards::{Aside, AsideAct, Cell, Deleted, FoundShard, OpenShard, PutStep, Shards, Verified},
};
use asterism_erasure::Policy;
use asterism_proto::{
    ExtentId, NodeId, Role, ShardError, ShardErrorKind,
    storage::{
        self, aside_request, aside_result, delete_result, shard_store_client::ShardStoreClient, verify_result,
    },
    wire::{Messages, chunks, frame},
};
use asterism_service::grpc::{Dial, Target};
use bytes::Bytes;
use futures::{Stream, StreamExt, future::BoxFuture, future::poll_fn, stream};
use http::{HeaderValue, Uri};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};
use tonic::{Status, body::Body, codegen::Service, transport::Channel};
use uuid::Uuid;

const PUT: &str = "/asterism.storage.v1.ShardStore/Put";
const GET: &str = "/asterism.storage.v1.ShardStore/Get";
/// For calls that answer once.
const CALL_DEADLINE: Duration = Duration::from_secs(30);
/// Until a node has opened a shard.
const OPEN_DEADLINE: Duration = Duration::from_secs(5);
/// A message carries a few cells at most.
const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Cells that wait go into one message up to this size; larger ones gain nothing by it.
const TOGETHER_BYTES_MAX: usize = 64 << 10;

/// Storage nodes over gRPC with mutual TLS; each node must show the certificate of its own id.
pub struct GrpcShards {
    dial: Arc<dyn Dial>,
    nodes: RwLock<HashMap<NodeId, (String, Channel)>>,
}

impl GrpcShards {
    /// No nodes yet; they are reached by `dial`.
    pub fn new(dial: Arc<dyn Dial>) -> Self {
        Self { dial, nodes: RwLock::default() }
    }

    /// Says where a node listens (`host:port`). An unchanged address keeps its connection.
    ///
    /// # Errors
    /// It is no address.
    pub fn set_address(&self, node: NodeId, address: &str) -> anyhow::Result<()> {
        let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
        if nodes.get(&node).is_none_or(|(known, _)| known != address) {
            let target = Target::Process(Role::StorageNode, Uuid::from_bytes(*node.as_bytes()));
            let channel = self.dial.channel(address, target)?;
            nodes.insert(node, (address.to_owned(), channel));
        }
        Ok(())
    }

    fn channel(&self, node: NodeId) -> Result<Channel, ShardError> {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        let (_, channel) = nodes.get(&node).ok_or_else(|| unavailable("the node's address is not known"))?;
        Ok(channel.clone())
    }

    fn client(&self, node: NodeId) -> Result<ShardStoreClient<Channel>, ShardError> {
        Ok(ShardStoreClient::new(self.channel(node)?).max_decoding_message_size(MESSAGE_BYTES_MAX))
    }
}

impl Shards for GrpcShards {
    fn put(
        &self,
        node: NodeId,
        extent: &Extent,
        slot: usize,
        epoch: u64,
        steps: mpsc::Receiver<PutStep>,
    ) -> BoxFuture<'static, Result<u64, ShardError>> {
        let channel = self.channel(node);
        let header = storage::ShardHeader {
            cluster: extent.cluster.as_bytes().to_vec(),
            key: Some(wire_key(extent.key(slot))),
            data_shards: extent.policy.data() as u32,
            parity_shards: extent.policy.parity() as u32,
            cell_bytes: extent.cell_bytes as u32,
            epoch,
        };
        Box::pin(async move {
            let answer = call(channel?, PUT, Body::new(StreamBody::new(outgoing(header, steps)))).await?;
            let answered =
                Messages::<storage::PutResponse>::of_answer(answer, MESSAGE_BYTES_MAX)?.next().await?;
            let answered = answered.ok_or_else(|| unavailable("the node answered nothing"))?;
            Ok(answered.shard_bytes)
        })
    }

    fn get(
        &self,
        node: NodeId,
        key: ShardKey,
        first_cell: u32,
        cells: u32,
    ) -> BoxFuture<'static, Result<OpenShard, ShardError>> {
        let channel = self.channel(node);
        Box::pin(async move {
            let request = storage::GetRequest { key: Some(wire_key(key)), first_cell, cell_count: cells };
            let opened = async {
                let answer = call(channel?, GET, Body::new(Full::new(frame(&request)))).await?;
                let mut messages = Messages::<storage::GetResponse>::of_answer(answer, MESSAGE_BYTES_MAX)?;
                let first = messages.next().await?.ok_or_else(|| unavailable("the node sent nothing"))?;
                Ok::<_, ShardError>((first, messages))
            };
            let (first, messages) = timeout(OPEN_DEADLINE, opened).await.map_err(|_| late())??;
            let extent_bytes = first.extent_bytes;
            let incoming = Incoming { cells: first.cells.into(), messages: Some(messages) };
            let cells = stream::unfold(incoming, |mut incoming| async move {
                incoming.next().await.map(|cell| (cell, incoming))
            });
            Ok(OpenShard { extent_bytes, cells: cells.boxed() })
        })
    }

    fn delete(
        &self,
        node: NodeId,
        keys: Vec<ShardKey>,
        epoch: u64,
    ) -> BoxFuture<'static, Result<Vec<Deleted>, ShardError>> {
        let client = self.client(node);
        Box::pin(async move {
            let request = storage::DeleteRequest { keys: keys.into_iter().map(wire_key).collect(), epoch };
            let answer =
                timeout(CALL_DEADLINE, async { Ok::<_, ShardError>(client?.delete(request).await?) });
            let results = answer.await.map_err(|_| late())??.into_inner().results;
            Ok(results.into_iter().map(|result| deleted(result.outcome())).collect())
        })
    }

    fn verify(
        &self,
        node: NodeId,
        keys: Vec<ShardKey>,
    ) -> BoxFuture<'static, Result<Vec<Verified>, ShardError>> {
        let client = self.client(node);
        Box::pin(async move {
            let request = storage::VerifyRequest { keys: keys.into_iter().map(wire_key).collect() };
            let answer =
                timeout(CALL_DEADLINE, async { Ok::<_, ShardError>(client?.verify(request).await?) });
            let results = answer.await.map_err(|_| late())??.into_inner().results;
            Ok(results.iter().map(verified).collect())
        })
    }

    fn aside(
        &self,
        node: NodeId,
        act: AsideAct,
        keys: Vec<ShardKey>,
        epoch: u64,
    ) -> BoxFuture<'static, Result<Vec<Aside>, ShardError>> {
        let client = self.client(node);
        Box::pin(async move {
            let act = match act {
                AsideAct::SetAside => aside_request::Act::SetAside,
                AsideAct::BringBack => aside_request::Act::BringBack,
                AsideAct::LetGo => aside_request::Act::LetGo,
            };
            let keys = keys.into_iter().map(wire_key).collect();
            let request = storage::AsideRequest { keys, epoch, act: act.into() };
            let answer = timeout(CALL_DEADLINE, async { Ok::<_, ShardError>(client?.aside(request).await?) });
            let results = answer.await.map_err(|_| late())??.into_inner().results;
            Ok(results.iter().map(|result| aside(result.outcome())).collect())
        })
    }

    fn list(
        &self,
        node: NodeId,
        after: Option<ShardKey>,
    ) -> BoxFuture<'static, Result<Vec<FoundShard>, ShardError>> {
        let client = self.client(node);
        Box::pin(async move {
            let request = storage::ListRequest { after: after.map(wire_key) };
            let first =
                async { Ok::<_, ShardError>(client?.list(request).await?.into_inner().message().await?) };
            let page = timeout(CALL_DEADLINE, first).await.map_err(|_| late())??;
            page.map_or(Ok(Vec::new()), |page| page.shards.into_iter().map(found).collect())
        })
    }
}

fn unavailable(message: &str) -> ShardError {
    ShardError::new(ShardErrorKind::Unavailable, message)
}

fn late() -> ShardError {
    unavailable("the node did not answer in time")
}

fn wire_key(key: ShardKey) -> storage::ShardKey {
    storage::ShardKey { extent: key.extent.as_bytes().to_vec(), slot: u32::from(key.slot) }
}

/// A call whose messages are not copied on their way; see [`asterism_proto::wire`].
async fn call(mut channel: Channel, path: &'static str, body: Body) -> Result<http::Response<Body>, Status> {
    let mut request = http::Request::new(body);
    *request.method_mut() = http::Method::POST;
    *request.version_mut() = http::Version::HTTP_2;
    *request.uri_mut() = Uri::from_static(path);
    request.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    request.headers_mut().insert(http::header::TE, HeaderValue::from_static("trailers"));
    let ready = poll_fn(|context| Service::<http::Request<Body>>::poll_ready(&mut channel, context));
    ready.await.map_err(|error| Status::from_error(Box::new(error)))?;
    channel.call(request).await.map_err(|error| Status::from_error(Box::new(error)))
}

/// The cells of an answer.
struct Incoming {
    cells: VecDeque<storage::Cell>,
    /// None after the end and after a failure.
    messages: Option<Messages<storage::GetResponse>>,
}

impl Incoming {
    async fn next(&mut self) -> Option<Result<Cell, ShardError>> {
        loop {
            if let Some(storage::Cell { data, checksum }) = self.cells.pop_front() {
                return Some(Ok(Cell { data, checksum }));
            }
            match self.messages.as_mut()?.next().await {
                Ok(Some(message)) => self.cells = message.cells.into(),
                Ok(None) => self.messages = None,
                Err(status) => {
                    self.messages = None;
                    return Some(Err(status.into()));
                }
            }
        }
    }
}

/// The pieces of one shard's messages: whatever is there already and small goes out together, so that a small shard is one message.
fn outgoing(
    header: storage::ShardHeader,
    steps: mpsc::Receiver<PutStep>,
) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> {
    let begin = Outgoing { header: Some(header), held: None, steps, ended: false };
    stream::unfold((begin, VecDeque::new()), |(mut outgoing, mut pieces)| async move {
        if pieces.is_empty() {
            chunks(outgoing.message().await?, &mut pieces);
        }
        Some((Ok(Frame::data(pieces.pop_front()?)), (outgoing, pieces)))
    })
}

/// A shard on its way out.
struct Outgoing {
    header: Option<storage::ShardHeader>,
    /// Was taken out and did not fit the last message.
    held: Option<Cell>,
    steps: mpsc::Receiver<PutStep>,
    ended: bool,
}

impl Outgoing {
    /// The next message, when there is something to say.
    async fn message(&mut self) -> Option<storage::PutRequest> {
        if self.ended {
            return None;
        }
        let mut next = match self.held.take() {
            Some(cell) => Some(PutStep::Cell(cell)),
            None => Some(self.steps.recv().await?),
        };
        let mut message = storage::PutRequest { header: self.header.take(), ..Default::default() };
        let mut bytes = 0;
        while let Some(step) = next {
            match step {
                PutStep::Cell(cell) if bytes > 0 && bytes + cell.data.len() > TOGETHER_BYTES_MAX => {
                    self.held = Some(cell);
                    break;
                }
                PutStep::Cell(Cell { data, checksum }) => {
                    bytes += data.len();
                    message.cells.push(storage::Cell { data, checksum });
                }
                PutStep::Finish { extent_bytes } => {
                    message.finish = Some(storage::PutFinish { extent_bytes });
                    self.ended = true;
                    break;
                }
            }
            next = self.steps.try_recv().ok();
        }
        Some(message)
    }
}

fn deleted(outcome: delete_result::Outcome) -> Deleted {
    match outcome {
        delete_result::Outcome::Removed => Deleted::Removed,
        delete_result::Outcome::Absent => Deleted::Absent,
        delete_result::Outcome::Failed | delete_result::Outcome::Unspecified => Deleted::Failed,
    }
}

fn aside(outcome: aside_result::Outcome) -> Aside {
    match outcome {
        aside_result::Outcome::Done => Aside::Done,
        aside_result::Outcome::Absent => Aside::Absent,
        aside_result::Outcome::Failed | aside_result::Outcome::Unspecified => Aside::Failed,
    }
}

fn verified(result: &storage::VerifyResult) -> Verified {
    match result.outcome() {
        verify_result::Outcome::Valid => Verified::Valid,
        verify_result::Outcome::Absent => Verified::Absent,
        verify_result::Outcome::Corrupt => Verified::Corrupt { bad_cells: result.bad_cells },
        verify_result::Outcome::Failed | verify_result::Outcome::Unspecified => Verified::Failed,
    }
}

fn found(info: storage::ShardInfo) -> Result<FoundShard, ShardError> {
    let parsed = info.header.and_then(|header| {
        let key = header.key?;
        Some(FoundShard {
            key: ShardKey {
                extent: ExtentId::try_from(&key.extent[..]).ok()?,
                slot: u8::try_from(key.slot).ok()?,
            },
            cluster: header.cluster[..].try_into().ok()?,
            policy: Policy::new(header.data_shards as usize, header.parity_shards as usize)?,
            cell_bytes: header.cell_bytes as usize,
            extent_bytes: info.extent_bytes,
            epoch: header.epoch,
        })
    });
    parsed.ok_or_else(|| ShardError::new(ShardErrorKind::Invalid, "the node lists a shard that cannot be"))
}

//! The port's adapter to real storage nodes.

use crate::{
    extent::{Extent, ShardKey},
    shards::{Cell, Deleted, FoundShard, OpenShard, PutStep, Shards, Verified},
};
use asterism_erasure::Policy;
use asterism_proto::{
    ExtentId, NodeId, Role, ShardError, ShardErrorKind,
    storage::{self, delete_result, shard_store_client::ShardStoreClient, verify_result},
};
use asterism_service::{Identity, grpc};
use futures::{StreamExt, future::BoxFuture, stream};
use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, transport::Channel};
use uuid::Uuid;

/// For calls that answer once.
const CALL_DEADLINE: Duration = Duration::from_secs(30);
/// Until a node has opened a shard.
const OPEN_DEADLINE: Duration = Duration::from_secs(5);
/// A message carries a few cells at most.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// Storage nodes over gRPC with mutual TLS; each node must show the certificate of its own id.
pub struct GrpcShards {
    identity: Identity,
    nodes: RwLock<HashMap<NodeId, (String, Channel)>>,
}

impl GrpcShards {
    /// No nodes yet; calls go out under `identity`.
    pub fn new(identity: Identity) -> Self {
        Self { identity, nodes: RwLock::default() }
    }

    /// Says where a node listens (`host:port`). An unchanged address keeps its connection.
    ///
    /// # Errors
    /// It is no address.
    pub fn set_address(&self, node: NodeId, address: &str) -> anyhow::Result<()> {
        let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
        if nodes.get(&node).is_none_or(|(known, _)| known != address) {
            let target = grpc::Target::Process(Role::StorageNode, Uuid::from_bytes(*node.as_bytes()));
            let channel = grpc::channel(address, &self.identity, target)?;
            nodes.insert(node, (address.to_owned(), channel));
        }
        Ok(())
    }

    fn client(&self, node: NodeId) -> Result<ShardStoreClient<Channel>, ShardError> {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        let (_, channel) = nodes.get(&node).ok_or_else(|| unavailable("the node's address is not known"))?;
        Ok(ShardStoreClient::new(channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX))
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
        let client = self.client(node);
        let header = storage::ShardHeader {
            cluster: extent.cluster.as_bytes().to_vec(),
            key: Some(wire_key(extent.key(slot))),
            data_shards: extent.policy.data() as u32,
            parity_shards: extent.policy.parity() as u32,
            cell_bytes: extent.cell_bytes as u32,
            epoch,
        };
        Box::pin(async move {
            let first = storage::PutRequest { header: Some(header), ..Default::default() };
            let steps = ReceiverStream::new(steps).map(wire_step);
            let request = Request::new(stream::once(async { first }).chain(steps));
            Ok(client?.put(request).await?.into_inner().shard_bytes)
        })
    }

    fn get(
        &self,
        node: NodeId,
        key: ShardKey,
        first_cell: u32,
        cells: u32,
    ) -> BoxFuture<'static, Result<OpenShard, ShardError>> {
        let client = self.client(node);
        Box::pin(async move {
            let request = storage::GetRequest { key: Some(wire_key(key)), first_cell, cell_count: cells };
            let opened = async {
                let mut messages = client?.get(request).await?.into_inner();
                let first = messages.message().await?.ok_or_else(|| unavailable("the node sent nothing"))?;
                Ok::<_, ShardError>((first, messages))
            };
            let (first, messages) = timeout(OPEN_DEADLINE, opened).await.map_err(|_| late())??;
            let extent_bytes = first.extent_bytes;
            let cells = stream::iter([Ok(first)])
                .chain(messages)
                .flat_map(|message| {
                    let cells: Vec<Result<Cell, ShardError>> = match message {
                        Ok(message) => {
                            message.cells.into_iter().map(|cell| Ok(from_wire_cell(cell))).collect()
                        }
                        Err(status) => vec![Err(status.into())],
                    };
                    stream::iter(cells)
                })
                .boxed();
            Ok(OpenShard { extent_bytes, cells })
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
            Ok(results.into_iter().map(|result| verified(result.outcome())).collect())
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

fn wire_step(step: PutStep) -> storage::PutRequest {
    match step {
        PutStep::Cell(Cell { data, checksum }) => {
            storage::PutRequest { cells: vec![storage::Cell { data, checksum }], ..Default::default() }
        }
        PutStep::Finish { extent_bytes } => {
            storage::PutRequest { finish: Some(storage::PutFinish { extent_bytes }), ..Default::default() }
        }
    }
}

fn from_wire_cell(cell: storage::Cell) -> Cell {
    Cell { data: cell.data, checksum: cell.checksum }
}

fn deleted(outcome: delete_result::Outcome) -> Deleted {
    match outcome {
        delete_result::Outcome::Removed => Deleted::Removed,
        delete_result::Outcome::Absent => Deleted::Absent,
        delete_result::Outcome::Failed | delete_result::Outcome::Unspecified => Deleted::Failed,
    }
}

fn verified(outcome: verify_result::Outcome) -> Verified {
    match outcome {
        verify_result::Outcome::Valid => Verified::Valid,
        verify_result::Outcome::Absent => Verified::Absent,
        verify_result::Outcome::Corrupt => Verified::Corrupt,
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

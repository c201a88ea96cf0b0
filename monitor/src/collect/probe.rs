//! The monitor's own look at every node: one small gRPC call, whatever the index-server says.

use super::{Looks, membership::describe};
use crate::{
    board::{Board, ProbeResult},
    state::ProbeFailure,
};
use asterism_proto::{
    NodeId, Role,
    storage::{StatRequest, shard_store_client::ShardStoreClient},
};
use asterism_service::{
    Identity,
    grpc::{self, Target},
};
use futures::{StreamExt, stream};
use std::{
    collections::HashMap,
    error::Error,
    io,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Status, transport::Channel};
use uuid::Uuid;

const DEADLINE: Duration = Duration::from_secs(1);
/// So many nodes that hang cannot hold up the others.
const AT_ONCE_MAX: usize = 256;

/// Probes every node of the board; keeps one connection to each.
pub struct Prober {
    identity: Identity,
    looks: Looks,
    channels: HashMap<NodeId, (String, Channel)>,
}

impl Prober {
    /// A prober that shows `identity`.
    pub fn new(identity: Identity, looks: Looks) -> Self {
        Self { identity, looks, channels: HashMap::new() }
    }

    /// Probes every `every`, until `stop`.
    pub async fn run(mut self, board: Arc<Board>, every: Duration, stop: CancellationToken) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !stop.is_cancelled() {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return,
            }
            tokio::select! {
                () = self.round(&board) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn round(&mut self, board: &Board) {
        let addresses = board.addresses();
        self.channels
            .retain(|id, (old, _)| addresses.iter().any(|(known, address)| known == id && address == old));
        let probes = addresses.into_iter().map(|(id, address)| {
            let (channel, looks) = (self.channel(id, &address), self.looks.clone());
            async move {
                let began = Instant::now();
                let result = match channel {
                    Ok(channel) => probe(id, channel).await,
                    Err(error) => Err((ProbeFailure::Other, error.to_string())),
                };
                looks.count("probe", result.is_ok());
                board.probed(id, began, result);
            }
        });
        let probes: Vec<_> = probes.collect();
        stream::iter(probes).for_each_concurrent(AT_ONCE_MAX, |probe| probe).await;
    }

    fn channel(&mut self, id: NodeId, address: &str) -> anyhow::Result<Channel> {
        if let Some((_, channel)) = self.channels.get(&id) {
            return Ok(channel.clone());
        }
        let target = Target::Process(Role::StorageNode, Uuid::from_bytes(*id.as_bytes()));
        let channel = grpc::channel(address, &self.identity, target)?;
        self.channels.insert(id, (address.to_owned(), channel.clone()));
        Ok(channel)
    }
}

async fn probe(id: NodeId, channel: Channel) -> ProbeResult {
    let mut client = ShardStoreClient::new(channel);
    match timeout(DEADLINE, client.stat(StatRequest {})).await {
        Ok(Ok(answer)) if answer.get_ref().node == id.to_string() => Ok(()),
        Ok(Ok(_)) => Err((ProbeFailure::Other, "another node answers at its address".into())),
        Ok(Err(status)) => Err((kind(&status), describe(&status))),
        Err(_) => Err((ProbeFailure::Timeout, format!("no answer within {} s", DEADLINE.as_secs()))),
    }
}

/// Looks for the system's own error below the transport's.
fn kind(status: &Status) -> ProbeFailure {
    let mut source = status.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            match error.kind() {
                io::ErrorKind::ConnectionRefused => return ProbeFailure::Refused,
                io::ErrorKind::TimedOut => return ProbeFailure::Timeout,
                _ => {}
            }
        }
        source = error.source();
    }
    ProbeFailure::Other
}

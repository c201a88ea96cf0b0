//! The monitor's own look at every node: one small gRPC call, whatever the index-server says.

use super::{Looks, membership::describe};
use crate::{
    board::{Board, ProbeResult, Told, unix_ms},
    state::ProbeFailure,
};
use asterism_proto::{
    NodeId, Role,
    storage::{StatRequest, StatResponse, shard_store_client::ShardStoreClient},
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
/// No clock is beyond the year 9999.
const CLOCK_MS_MAX: i64 = 253_402_300_800_000;

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
    let sent = unix_ms();
    match timeout(DEADLINE, client.stat(StatRequest {})).await {
        Ok(Ok(answer)) if answer.get_ref().node == id.to_string() => {
            Ok(told(answer.get_ref(), sent, unix_ms()))
        }
        Ok(Ok(_)) => Err((ProbeFailure::Other, "another node answers at its address".into())),
        Ok(Err(status)) => Err((kind(&status), describe(&status))),
        Err(_) => Err((ProbeFailure::Timeout, format!("no answer within {} s", DEADLINE.as_secs()))),
    }
}

/// The node read its clock at some moment between the question and the answer; only what lies outside of that is skew.
fn told(answer: &StatResponse, sent: i64, received: i64) -> Told {
    let skew = |clock: i64| match clock {
        clock if clock < sent => (sent - clock) as f64 / 1000.0,
        clock if clock > received => (clock - received) as f64 / 1000.0,
        _ => 0.0,
    };
    Told {
        clock_skew: Some(answer.clock_unix_ms).filter(|clock| (1..CLOCK_MS_MAX).contains(clock)).map(skew),
        certificate_end: Some(answer.certificate_end_unix).filter(|end| *end > 0),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn skew(clock: i64) -> Option<f64> {
        told(&StatResponse { clock_unix_ms: clock, ..StatResponse::default() }, 5_000, 5_200).clock_skew
    }

    #[test]
    fn only_what_the_probe_itself_does_not_explain_is_skew() {
        assert_eq!(skew(5_100), Some(0.0));
        assert_eq!(skew(5_200), Some(0.0));
        assert_eq!(skew(4_000), Some(1.0));
        assert_eq!(skew(8_200), Some(3.0));
    }

    #[test]
    fn a_node_that_says_no_time_or_an_impossible_one_is_not_judged_by_it() {
        for clock in [0, -1, i64::MIN, i64::MAX] {
            assert_eq!(skew(clock), None);
        }
    }
}

//! The node's place in the cluster: it joins each index-server and gives it a sign of life every second.

use crate::{host::Host, metrics::NodeMetrics, store::Store};
use anyhow::bail;
use asterism_proto::{
    Role,
    index::{HeartbeatRequest, JoinRequest, membership_client::MembershipClient},
};
use asterism_service::{
    Backoff, Secret,
    grpc::{Dial, Target},
    world,
};
use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Status, transport::Channel};
use uuid::Uuid;

const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);
const CALL_DEADLINE: Duration = Duration::from_secs(2);
const BACKOFF_FIRST: Duration = Duration::from_millis(200);
const BACKOFF_LONGEST: Duration = Duration::from_secs(5);
/// An answer is small.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// What the node says of itself.
#[derive(Clone, Debug)]
pub struct Introduction {
    /// What people call it.
    pub name: String,
    /// Where its gRPC is reached.
    pub address: String,
    /// Where its metrics are reached.
    pub metrics_address: String,
    /// Its failure domain.
    pub zone: String,
}

/// How many index-servers know the node now; clones share it.
#[derive(Clone, Default)]
pub struct Joined(Arc<AtomicU32>);

impl Joined {
    /// Whether at least one index-server knows the node.
    pub fn anywhere(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

/// One node, as it shows itself to all index-servers.
pub struct Member {
    store: Store,
    dial: Arc<dyn Dial>,
    introduction: Introduction,
    token: Secret,
    metrics: NodeMetrics,
    joined: Joined,
    /// Tells a restart from a pause.
    boot: Uuid,
    started: Instant,
}

impl Member {
    /// A node that nobody knows yet; it reaches index-servers by `dial`.
    pub fn new(
        store: Store,
        dial: Arc<dyn Dial>,
        introduction: Introduction,
        token: Secret,
        metrics: NodeMetrics,
        joined: Joined,
    ) -> Self {
        let (boot, started) = (world::new_uuid(), Instant::now());
        Self { store, dial, introduction, token, metrics, joined, boot, started }
    }

    /// Stays a member at the index-server `address` until `stop`.
    ///
    /// # Errors
    /// The index-server refuses the node before it ever took it in: a person must set something right.
    pub async fn attend(&self, address: &str, stop: CancellationToken) -> anyhow::Result<()> {
        let channel = self.dial.channel(address, Target::Any(Role::IndexServer))?;
        let client = MembershipClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
        let mut attendance = Attendance::new(self, address, client);
        loop {
            let pause = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                pause = attendance.step() => pause?,
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn join_request(&self) -> JoinRequest {
        let introduction = &self.introduction;
        JoinRequest {
            node: self.store.owner().node.to_string(),
            name: introduction.name.clone(),
            address: introduction.address.clone(),
            metrics_address: introduction.metrics_address.clone(),
            zone: introduction.zone.clone(),
            capacity_bytes: self.store.usage().unwrap_or_default().capacity_bytes,
            join_token: self.token.expose().to_owned(),
        }
    }

    fn heartbeat(&self) -> HeartbeatRequest {
        // A disk that does not answer has no room for anything.
        let (usage, host) = (self.store.usage().unwrap_or_default(), Host::measure());
        HeartbeatRequest {
            node: self.store.owner().node.to_string(),
            free_bytes: usage.free_bytes,
            used_bytes: usage.used_bytes,
            shards: usage.shards,
            capacity_bytes: usage.capacity_bytes,
            load1: host.load1,
            cores: host.cores,
            memory_total_bytes: host.memory_total_bytes,
            memory_available_bytes: host.memory_available_bytes,
            pid: std::process::id(),
            boot: self.boot.to_string(),
            uptime_seconds: self.started.elapsed().as_secs_f64(),
            resident_bytes: host.resident_bytes,
        }
    }
}

/// Where the node stands with one index-server.
struct Attendance<'a> {
    member: &'a Member,
    address: &'a str,
    client: MembershipClient<Channel>,
    backoff: Backoff,
    known: bool,
    ever_known: bool,
    /// The last failure that was logged; the same one again is not.
    complaint: Option<String>,
}

impl<'a> Attendance<'a> {
    fn new(member: &'a Member, address: &'a str, client: MembershipClient<Channel>) -> Self {
        let backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_LONGEST);
        Self { member, address, client, backoff, known: false, ever_known: false, complaint: None }
    }

    /// Joins or gives a sign of life, and says how long to wait before the next step.
    async fn step(&mut self) -> anyhow::Result<Duration> {
        let result = if self.known { self.beat().await } else { self.join().await };
        match result {
            Ok(pause) => {
                self.backoff.reset();
                self.complaint = None;
                Ok(pause)
            }
            Err(status) => {
                self.member.metrics.heartbeat_failures.inc();
                self.complain(&status);
                if !self.ever_known && is_refusal(&status) {
                    bail!("index-server {} refuses the node: {}", self.address, status.message());
                }
                Ok(self.backoff.pause())
            }
        }
    }

    async fn join(&mut self) -> Result<Duration, Status> {
        let request = deadline(self.member.join_request());
        let answer = timeout(CALL_DEADLINE, self.client.join(request)).await.map_err(late)??.into_inner();
        let ours = self.member.store.owner().cluster.to_string();
        if answer.cluster != ours {
            return Err(Status::permission_denied(format!(
                "it speaks for cluster {}, the node is of cluster {ours}",
                answer.cluster
            )));
        }
        tracing::info!(index_server = self.address, epoch = answer.epoch, "joined");
        self.set_known(true);
        Ok(Duration::ZERO)
    }

    async fn beat(&mut self) -> Result<Duration, Status> {
        let request = deadline(self.member.heartbeat());
        let answer =
            timeout(CALL_DEADLINE, self.client.heartbeat(request)).await.map_err(late)??.into_inner();
        if answer.known {
            return Ok(HEARTBEAT_INTERVAL);
        }
        tracing::info!(index_server = self.address, "no longer known, joining again");
        self.set_known(false);
        Ok(Duration::ZERO)
    }

    fn set_known(&mut self, known: bool) {
        match (self.known, known) {
            (false, true) => self.member.joined.0.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.member.joined.0.fetch_sub(1, Ordering::Relaxed),
            _ => 0,
        };
        self.known = known;
        self.ever_known |= known;
    }

    /// Logs a failure when it is not the one before.
    fn complain(&mut self, status: &Status) {
        let complaint = describe(status);
        if self.complaint.as_ref() != Some(&complaint) {
            let joined = self.known;
            tracing::warn!(
                index_server = self.address,
                joined,
                error = complaint,
                "index-server not reached"
            );
            self.complaint = Some(complaint);
        }
    }
}

impl Drop for Attendance<'_> {
    fn drop(&mut self) {
        self.set_known(false);
    }
}

fn deadline<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL_DEADLINE);
    request
}

fn late(_: tokio::time::error::Elapsed) -> Status {
    Status::deadline_exceeded("no answer in time")
}

/// What happened, with the causes that a status keeps to itself.
fn describe(status: &Status) -> String {
    let mut text = format!("{:?}: {}", status.code(), status.message());
    let mut cause = status.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        if !text.contains(&reason) {
            text = format!("{text}: {reason}");
        }
        cause = error.source();
    }
    text
}

/// Whether trying again without a person's help is useless.
fn is_refusal(status: &Status) -> bool {
    use Code::{AlreadyExists, InvalidArgument, PermissionDenied, Unauthenticated};
    matches!(status.code(), PermissionDenied | InvalidArgument | AlreadyExists | Unauthenticated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_needs_a_person() {
        for code in [Code::PermissionDenied, Code::InvalidArgument, Code::AlreadyExists] {
            assert!(is_refusal(&Status::new(code, "")), "{code:?}");
        }
        for code in
            [Code::Unavailable, Code::DeadlineExceeded, Code::Internal, Code::Unknown, Code::Cancelled]
        {
            assert!(!is_refusal(&Status::new(code, "")), "{code:?}");
        }
    }
}

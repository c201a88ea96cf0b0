//! The index-servers: who belongs to the cluster, who was heard of when, and whether a node may stop.

use super::Looks;
use crate::{
    board::{Board, Change},
    text::one_line,
};
use asterism_proto::{
    NodeId, Role,
    index::{
        AcquireStopRequest, AcquireStopResponse, Intent, NodesRequest, NodesResponse, SetIntentRequest,
        TouchedRequest, TouchedResponse, membership_client::MembershipClient,
    },
};
use asterism_service::{
    Identity,
    grpc::{self, Target},
};
use futures::future::BoxFuture;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, transport::Channel};

const NODES_DEADLINE: Duration = Duration::from_secs(2);
/// The proof counts every group; it is fast, but the database may be busy.
const PROOF_DEADLINE: Duration = Duration::from_secs(10);
/// More nodes in one question are cut off: they touch every group anyway.
const TOUCHED_NODES_MAX: usize = 1024;
/// Counting files takes the database a moment.
const TOUCHED_DEADLINE: Duration = Duration::from_secs(20);
const INTENT_DEADLINE: Duration = Duration::from_secs(5);

/// What a peer says of its own failure is cut to this length.
const SENTENCE_CHARS_MAX: usize = 300;

type Client = MembershipClient<Channel>;
type Asking<T> = BoxFuture<'static, Result<tonic::Response<T>, Status>>;

/// Why an index-server could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// None answers.
    #[error("no index-server answers: {0}")]
    Unreachable(String),
    /// One answers, and says no.
    #[error("the index-server refuses: {0}")]
    Refused(String),
}

/// The index-servers; the one that answered last is asked first.
pub struct Membership {
    servers: Vec<(String, Client)>,
    cluster: String,
    first: AtomicUsize,
}

impl Membership {
    /// The index-servers at `addresses`, of the cluster of `identity`.
    ///
    /// # Errors
    /// An address or the identity does not parse.
    pub fn new(addresses: &[String], identity: &Identity) -> anyhow::Result<Self> {
        let mut servers = Vec::new();
        for address in addresses {
            let channel = grpc::channel(address, identity, Target::Any(Role::IndexServer))?;
            servers.push((address.clone(), MembershipClient::new(channel)));
        }
        Ok(Self { servers, cluster: identity.peer().cluster.to_string(), first: AtomicUsize::new(0) })
    }

    /// All nodes.
    ///
    /// # Errors
    /// No index-server answers, or it is one of another cluster.
    pub async fn nodes(&self) -> Result<NodesResponse, AskError> {
        let question =
            |mut client: Client| Box::pin(async move { client.nodes(NodesRequest {}).await }) as Asking<_>;
        let answer: NodesResponse = self.ask(NODES_DEADLINE, question).await?;
        if answer.cluster == self.cluster {
            Ok(answer)
        } else {
            Err(AskError::Refused("it is one of another cluster".into()))
        }
    }

    /// Asks for the proof that `node` may stop; without `dry_run`, it takes the stop lease too.
    ///
    /// # Errors
    /// No index-server answers, or it cannot tell.
    pub async fn acquire_stop(
        &self,
        node: NodeId,
        dry_run: bool,
        actor: &str,
    ) -> Result<AcquireStopResponse, AskError> {
        let request = AcquireStopRequest { node: node.to_string(), dry_run, actor: actor.to_owned() };
        let question = move |mut client: Client| {
            let request = request.clone();
            Box::pin(async move { client.acquire_stop(request).await }) as Asking<_>
        };
        self.ask(PROOF_DEADLINE, question).await
    }

    /// Says what became of `node`.
    ///
    /// # Errors
    /// No index-server answers, or it does not take it.
    pub async fn set_intent(&self, node: NodeId, intent: Intent, reason: &str) -> Result<(), AskError> {
        let request =
            SetIntentRequest { node: node.to_string(), intent: intent.into(), reason: reason.to_owned() };
        let question = move |mut client: Client| {
            let request = request.clone();
            Box::pin(async move { client.set_intent(request).await }) as Asking<_>
        };
        self.ask(INTENT_DEADLINE, question).await.map(|_| ())
    }

    /// The files with a shard on one of `nodes`; with none, those below the floor.
    ///
    /// # Errors
    /// No index-server answers, or it cannot tell.
    pub async fn touched(&self, nodes: &[NodeId]) -> Result<TouchedResponse, AskError> {
        let nodes = nodes.iter().take(TOUCHED_NODES_MAX).map(ToString::to_string).collect();
        let request = TouchedRequest { nodes };
        let question = move |mut client: Client| {
            let request = request.clone();
            Box::pin(async move { client.touched(request).await }) as Asking<_>
        };
        self.ask(TOUCHED_DEADLINE, question).await
    }

    /// Asks one index-server after the other until one answers. Every question may be asked twice.
    async fn ask<T>(
        &self,
        deadline: Duration,
        question: impl Fn(Client) -> Asking<T>,
    ) -> Result<T, AskError> {
        let first = self.first.load(Ordering::Relaxed);
        let mut reasons = Vec::new();
        for offset in 0..self.servers.len() {
            let place = (first + offset) % self.servers.len();
            let (address, client) = &self.servers[place];
            match timeout(deadline, question(client.clone())).await {
                Ok(Ok(answer)) => {
                    self.first.store(place, Ordering::Relaxed);
                    return Ok(answer.into_inner());
                }
                Ok(Err(status)) if answered(&status) => {
                    return Err(AskError::Refused(one_line(status.message(), SENTENCE_CHARS_MAX)));
                }
                Ok(Err(status)) => reasons.push(format!("{address}: {}", describe(&status))),
                Err(_) => reasons.push(format!("{address}: no answer within {} s", deadline.as_secs())),
            }
        }
        Err(AskError::Unreachable(reasons.join("; ")))
    }

    /// Asks for the nodes every `interval` and writes them on the board, until `stop`.
    pub async fn follow(
        self: Arc<Self>,
        board: Arc<Board>,
        interval: Duration,
        changes: mpsc::Sender<Vec<Change>>,
        looks: Looks,
        stop: CancellationToken,
    ) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !stop.is_cancelled() {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return,
            }
            let asked = Instant::now();
            let answer = tokio::select! {
                answer = self.nodes() => answer,
                () = stop.cancelled() => return,
            };
            looks.count("membership", answer.is_ok());
            match answer {
                Ok(answer) => {
                    let changed = board.learn(answer, asked);
                    if !changed.is_empty() && changes.send(changed).await.is_err() {
                        return;
                    }
                }
                Err(error) => board.lose_index(&error.to_string()),
            }
        }
    }
}

/// Whether a status was said by an index-server, not by the transport.
fn answered(status: &Status) -> bool {
    !matches!(status.code(), Code::Unavailable | Code::Unknown | Code::DeadlineExceeded | Code::Cancelled)
}

/// A status of the transport hides its cause in its sources: tells a TLS refusal from a dead host.
pub(super) fn describe(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    one_line(&text, SENTENCE_CHARS_MAX)
}

//! Acts: stopping a node with a proof, waking it, and finishing what a crash left half done.
//!
//! An act runs in its own task, so that a caller who hangs up cannot cut it in half, and has its node to itself.

mod proof;
mod report;
mod resolve;
mod stop;
mod wait;
mod wake;

use crate::{
    board::{Board, Hold, HoldError, NodeView, unix_ms},
    collect::Membership,
    power::Drivers,
    state::NodeState,
    timeline::{Detail, Entry, Kind, ProofNumbers, Timeline, TimelineError},
};
use asterism_proto::{NodeId, index::Intent, monitor::ActResponse};
use report::{refused, with_state};
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A few questions to the index-server: by then a node that has joined is known.
const JOINED_LATELY: Duration = Duration::from_secs(3);
const JOINED_POLL: Duration = Duration::from_millis(50);

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Stop, if the cluster stands without the node.
    Stop,
    /// Wake, from sleep or from death.
    Wake,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stop => "stop",
            Self::Wake => "wake",
        })
    }
}

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct Order {
    /// Which node.
    pub node: NodeId,
    /// What with it.
    pub verb: Verb,
    /// Only say what would happen.
    pub dry_run: bool,
    /// Stop although the proof fails.
    pub force: bool,
    /// Who asks.
    pub actor: String,
    /// The request that it came with.
    pub request_id: String,
}

/// Why an act does what it does, for the transition log.
#[derive(Clone, Copy)]
struct Why<'a> {
    cause: &'a str,
    order: &'a Order,
    proof: Option<&'a ProofNumbers>,
}

impl Order {
    fn because<'a>(&'a self, cause: &'a str) -> Why<'a> {
        Why { cause, order: self, proof: None }
    }
}

/// Why an act has no outcome at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// The node is not known.
    #[error("there is no such node")]
    UnknownNode,
    /// The monitor is going down.
    #[error("the monitor is stopping")]
    Stopping,
    /// The act's own task died.
    #[error("the act broke off")]
    Broken,
}

/// What acts work with.
pub struct Acts {
    /// The nodes.
    pub board: Arc<Board>,
    /// The index-servers, who give the proof.
    pub membership: Arc<Membership>,
    /// Where acts are written down before they happen.
    pub timeline: Timeline,
    /// The ways to switch machines.
    pub drivers: Drivers,
    /// The longest time for one act.
    pub deadline: Duration,
    /// From when on a silent node is gone.
    pub gone_after: Duration,
    /// All acts under way.
    pub tasks: TaskTracker,
    /// Cancelled when the monitor stops.
    pub stop: CancellationToken,
}

impl Acts {
    /// Does what `order` asks for, to its end, also when the caller no longer waits.
    ///
    /// # Errors
    /// The node is not known, or the monitor is stopping.
    pub async fn act(self: &Arc<Self>, order: Order) -> Result<ActResponse, ActError> {
        if self.stop.is_cancelled() {
            return Err(ActError::Stopping);
        }
        let acts = Arc::clone(self);
        let task = self.tasks.spawn(async move { acts.perform(&order).await });
        task.await.unwrap_or(Err(ActError::Broken))
    }

    async fn perform(&self, order: &Order) -> Result<ActResponse, ActError> {
        let node = self.known(order.node).await?;
        if order.dry_run {
            return Ok(with_state(self.rehearse(&node, order).await, node.state));
        }
        let what = format!("a {} of {} by {}", order.verb, node.name, order.actor);
        let hold = match self.board.hold(order.node, &what) {
            Ok(hold) => hold,
            Err(HoldError::Unknown) => return Err(ActError::UnknownNode),
            Err(busy) => return Ok(with_state(refused(busy.to_string()), node.state)),
        };
        // Again: it may have changed until the act had it.
        let node = self.board.node(order.node).ok_or(ActError::UnknownNode)?;
        tracing::info!(node = %node.name, verb = %order.verb, actor = order.actor, "act begins");
        let response = match order.verb {
            Verb::Stop => self.stop(&hold, &node, order).await,
            Verb::Wake => self.wake(&hold, &node, order).await,
        };
        let state = self.board.node(order.node).map_or(node.state, |node| node.state);
        let (outcome, said) = (response.outcome().as_str_name(), &response.message);
        tracing::info!(node = %node.name, verb = %order.verb, outcome, said, "act ended");
        Ok(with_state(response, state))
    }

    /// The node, as soon as it is on the board: the index-server's next answer brings one that joined a moment ago.
    async fn known(&self, id: NodeId) -> Result<NodeView, ActError> {
        let joined_lately = async {
            loop {
                if let Some(node) = self.board.node(id) {
                    return node;
                }
                sleep(JOINED_POLL).await;
            }
        };
        timeout(JOINED_LATELY, joined_lately).await.map_err(|_| ActError::UnknownNode)
    }

    async fn rehearse(&self, node: &NodeView, order: &Order) -> ActResponse {
        match order.verb {
            Verb::Stop => self.rehearse_stop(node, order).await,
            Verb::Wake => self.rehearse_wake(node),
        }
    }

    /// Writes the node's way into `to` down, and then puts it there.
    async fn move_to(&self, hold: &Hold, to: NodeState, why: Why<'_>) -> Result<(), TimelineError> {
        let Some(node) = self.board.node(hold.id()) else { return Ok(()) };
        self.note(Kind::Node, &node, (node.state.as_str(), to.as_str()), why).await?;
        hold.put(to, why.cause);
        Ok(())
    }

    /// The same, where nothing can be undone any more: the log's failure is only told.
    async fn move_on(&self, hold: &Hold, to: NodeState, why: Why<'_>) {
        if let Err(error) = self.move_to(hold, to, why).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, %to, cause = why.cause, "act is not in the transition log");
            hold.put(to, why.cause);
        }
    }

    /// Writes down an act that left the node where it was.
    async fn note_act(&self, node: &NodeView, outcome: &str, why: Why<'_>) {
        let verb = why.order.verb.to_string();
        if let Err(error) = self.note(Kind::Act, node, (&verb, outcome), why).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, cause = why.cause, "act is not in the transition log");
        }
    }

    async fn note(
        &self,
        kind: Kind,
        node: &NodeView,
        (from, to): (&str, &str),
        why: Why<'_>,
    ) -> Result<(), TimelineError> {
        let entry = Entry {
            unix_ms: unix_ms(),
            kind,
            subject: node.name.to_string(),
            from: from.to_owned(),
            to: to.to_owned(),
            cause: why.cause.to_owned(),
            actor: why.order.actor.clone(),
            detail: Detail { request: why.order.request_id.clone(), proof: why.proof.cloned() },
        };
        self.timeline.append(&[entry]).await
    }

    /// Tells the index-server, a few times if need be.
    async fn tell(&self, hold: &Hold, intent: Intent, reason: &str) -> bool {
        let mut backoff = asterism_service::Backoff::new(Duration::from_millis(200), Duration::from_secs(2));
        for attempt in 1..=TELL_ATTEMPTS {
            match self.membership.set_intent(hold.id(), intent, reason).await {
                Ok(()) => {
                    hold.set_intent(intent);
                    return true;
                }
                Err(error) => {
                    tracing::warn!(%error, intent = intent.as_str_name(), attempt, "the index-server was not told");
                }
            }
            if attempt < TELL_ATTEMPTS {
                tokio::time::sleep(backoff.pause()).await;
            }
        }
        false
    }
}

/// What cannot be told to the index-server is told by [`resolve`] later.
const TELL_ATTEMPTS: u32 = 4;

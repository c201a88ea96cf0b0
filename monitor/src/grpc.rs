//! The `Monitor` service: nodes, timeline and acts, for the index-server and for operators.

use crate::{
    act::{ActError, Acts, Order, Verb},
    board::{Board, NodeView},
    text::one_line,
    timeline::{PAGE_MAX, Timeline, Transition},
};
use asterism_proto::{
    NodeId,
    monitor::{self as wire, monitor_server},
};
use std::sync::Arc;
use tonic::{Request, Response, Status};

const ACTOR_CHARS_MAX: usize = 128;
const REQUEST_ID_CHARS_MAX: usize = 64;

/// The service.
pub struct MonitorService {
    /// The nodes.
    pub board: Arc<Board>,
    /// The transition log.
    pub timeline: Timeline,
    /// What can be done.
    pub acts: Arc<Acts>,
}

#[tonic::async_trait]
impl monitor_server::Monitor for MonitorService {
    async fn act(&self, request: Request<wire::ActRequest>) -> Result<Response<wire::ActResponse>, Status> {
        let order = order(request.into_inner())?;
        Ok(Response::new(self.acts.act(order).await.map_err(status)?))
    }

    async fn nodes(&self, _: Request<wire::NodesRequest>) -> Result<Response<wire::NodesResponse>, Status> {
        let nodes = self.board.nodes().into_iter().map(node_status).collect();
        Ok(Response::new(wire::NodesResponse { nodes }))
    }

    async fn timeline(
        &self,
        request: Request<wire::TimelineRequest>,
    ) -> Result<Response<wire::TimelineResponse>, Status> {
        let wire::TimelineRequest { after, limit } = request.into_inner();
        let limit = if limit == 0 { PAGE_MAX } else { limit };
        let rows = self.timeline.after(after, limit).await.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "timeline cannot be read");
            Status::internal("the transition log cannot be read")
        })?;
        Ok(Response::new(wire::TimelineResponse { transitions: rows.into_iter().map(transition).collect() }))
    }
}

fn order(request: wire::ActRequest) -> Result<Order, Status> {
    let verb = match request.verb() {
        wire::Verb::Stop => Verb::Stop,
        wire::Verb::Wake => Verb::Wake,
        wire::Verb::Unspecified => return Err(Status::invalid_argument("the verb is stop or wake")),
    };
    let node: NodeId =
        request.node.parse().map_err(|_| Status::invalid_argument("the node is given by its UUID"))?;
    let actor = one_line(&request.actor, ACTOR_CHARS_MAX);
    if actor.is_empty() {
        return Err(Status::invalid_argument("an act needs an actor"));
    }
    let request_id = one_line(&request.request_id, REQUEST_ID_CHARS_MAX);
    Ok(Order { node, verb, dry_run: request.dry_run, force: request.force, actor, request_id })
}

fn status(error: ActError) -> Status {
    match error {
        ActError::UnknownNode => Status::not_found(error.to_string()),
        ActError::Stopping => Status::unavailable(error.to_string()),
        ActError::Broken => Status::internal(error.to_string()),
    }
}

fn node_status(node: NodeView) -> wire::NodeStatus {
    wire::NodeStatus {
        node: node.id.to_string(),
        name: node.name.to_string(),
        state: node.state.to_string(),
        since_unix_ms: node.since_unix_ms,
        cause: node.cause,
        probe_seconds: node.probe_took.map(|took| took.as_secs_f64()),
        probe_error: node.probe_error.unwrap_or_default(),
    }
}

fn transition(row: Transition) -> wire::Transition {
    let Transition { seq, unix_ms, kind, subject, from, to, cause, actor, .. } = row;
    wire::Transition { seq, unix_ms, kind, subject, from, to, cause, actor }
}

//! The `Monitor` service: nodes, timeline, messages and acts, for the index-server and for operators.

mod messages;

use crate::{
    act::{ActError, Acts, Order, Verb},
    board::{Board, NodeView},
    messages::Messages,
    text::one_line,
    timeline::{PAGE_MAX, Timeline, Transition},
};
use asterism_proto::{
    NodeId,
    monitor::{self as wire, monitor_server},
};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

const ACTOR_CHARS_MAX: usize = 128;
const REQUEST_ID_CHARS_MAX: usize = 64;

/// The service.
pub struct MonitorService {
    /// The nodes.
    pub board: Arc<Board>,
    /// The transition log.
    pub timeline: Timeline,
    /// What people are told.
    pub messages: Messages,
    /// What can be done.
    pub acts: Arc<Acts>,
    /// Ends what streams.
    pub stop: CancellationToken,
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

    async fn messages(
        &self,
        request: Request<wire::MessagesRequest>,
    ) -> Result<Response<wire::MessagesResponse>, Status> {
        let filter = messages::filter(request.get_ref());
        let found = self.messages.list(&filter).await.map_err(messages::failed)?;
        let unread = self.messages.unread(&filter.person).await.map_err(messages::failed)?;
        let messages = found.into_iter().map(messages::message).collect();
        Ok(Response::new(wire::MessagesResponse { messages, unread: unread as u32 }))
    }

    async fn mark_message(
        &self,
        request: Request<wire::MarkMessageRequest>,
    ) -> Result<Response<wire::MarkMessageResponse>, Status> {
        let wire::MarkMessageRequest { id, person, read, acknowledged } = request.into_inner();
        let person = messages::person(&person);
        if person.is_empty() {
            return Err(Status::invalid_argument("somebody must have read it"));
        }
        match self.messages.mark(id, &person, read, acknowledged).await.map_err(messages::failed)? {
            true => Ok(Response::new(wire::MarkMessageResponse {})),
            false => Err(Status::not_found("no such message")),
        }
    }

    type WatchMessagesStream = BoxStream<'static, Result<wire::MessageChange, Status>>;

    async fn watch_messages(
        &self,
        request: Request<wire::WatchMessagesRequest>,
    ) -> Result<Response<Self::WatchMessagesStream>, Status> {
        let after = match request.into_inner().after {
            Some(after) => after,
            None => self.messages.last_change().await.map_err(messages::failed)?,
        };
        let changes = self.messages.watch(after).map_ok(messages::change).map_err(messages::failed);
        Ok(Response::new(changes.take_until(self.stop.clone().cancelled_owned()).boxed()))
    }

    async fn silences(
        &self,
        _: Request<wire::SilencesRequest>,
    ) -> Result<Response<wire::SilencesResponse>, Status> {
        let silences = self.messages.silences().await.map_err(messages::failed)?;
        let silences = silences.into_iter().map(messages::silence).collect();
        Ok(Response::new(wire::SilencesResponse { silences }))
    }

    async fn add_silence(
        &self,
        request: Request<wire::AddSilenceRequest>,
    ) -> Result<Response<wire::AddSilenceResponse>, Status> {
        let silence = messages::new_silence(request.into_inner().silence.unwrap_or_default());
        let id = self.messages.add_silence(&silence).await.map_err(messages::silence_failed)?;
        Ok(Response::new(wire::AddSilenceResponse { id }))
    }

    async fn end_silence(
        &self,
        request: Request<wire::EndSilenceRequest>,
    ) -> Result<Response<wire::EndSilenceResponse>, Status> {
        match self.messages.end_silence(request.into_inner().id).await.map_err(messages::failed)? {
            true => Ok(Response::new(wire::EndSilenceResponse {})),
            false => Err(Status::not_found("no such silence")),
        }
    }

    async fn take_alerts(
        &self,
        request: Request<wire::TakeAlertsRequest>,
    ) -> Result<Response<wire::TakeAlertsResponse>, Status> {
        let payload = request.into_inner().payload;
        let taken = self.messages.take_webhook(&payload).await.map_err(messages::webhook_failed)?;
        let (alerts, dropped) = (taken.alerts as u32, taken.dropped as u32);
        Ok(Response::new(wire::TakeAlertsResponse { alerts, dropped }))
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

//! What people are told. The monitor keeps it; here is who may see and change it.

use super::{
    Api,
    auth::Caller,
    extract::{JsonBody, Path, Query},
    files::in_task,
    problem::{ApiError, Problem},
    types::{PageBody, rfc3339},
};
use crate::{
    catalog::Role,
    events::{Event, Events},
};
use asterism_proto::monitor::{
    AddSilenceRequest, EndSilenceRequest, MarkMessageRequest, Message, MessagesRequest, Silence,
    SilencesRequest, TakeAlertsRequest, WatchMessagesRequest, monitor_client::MonitorClient,
};
use asterism_service::{Backoff, world::unix_ms};
use axum::{Json, body::to_bytes, extract, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Status, transport::Channel};
use utoipa::{IntoParams, ToSchema};

const DEADLINE: Duration = Duration::from_secs(5);
/// As much as the monitor takes.
const WEBHOOK_BYTES_MAX: usize = 1 << 20;
const BODY_DEADLINE: Duration = Duration::from_secs(15);
const PAGE_MAX: u32 = 500;
/// Pauses between attempts to hear the monitor.
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_LONGEST: Duration = Duration::from_secs(5);

/// Which messages.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Only those that still fire.
    #[serde(default)]
    open: bool,
    /// Only those that the caller has not read.
    #[serde(default)]
    unread: bool,
    /// Those that another message says too, and silenced ones.
    #[serde(default)]
    all: bool,
    /// From a page's `next`.
    cursor: Option<i64>,
    /// At most 500.
    limit: Option<u32>,
}

/// A message.
#[derive(Serialize, ToSchema)]
pub(super) struct MessageBody {
    /// Its number.
    id: i64,
    /// `monitor`, `alertmanager` or `grafana`.
    source: String,
    /// Of the alert.
    name: String,
    /// `critical`, `warning`, `info`, or what another system says.
    severity: String,
    /// With the name, which alert it is.
    labels: BTreeMap<String, String>,
    /// What made it fire.
    value: Option<f64>,
    /// `firing` or `resolved`.
    state: &'static str,
    /// What is the case.
    summary: String,
    /// What to do.
    advice: String,
    /// A page about it.
    runbook: String,
    /// RFC 3339.
    started_at: String,
    /// RFC 3339; none while it fires.
    ended_at: Option<String>,
    /// That it touches; none while nobody could be asked, and if it touches none.
    files: Option<u64>,
    /// Of those files, at most 10; for operators.
    owners: Vec<String>,
    /// Of those files, at most 10; for operators.
    tags: Vec<String>,
    /// The message that says it too.
    parent: Option<i64>,
    /// How many messages this one says too.
    children: u64,
    /// By the caller.
    read: bool,
    /// Who took it on.
    acknowledged_by: Option<String>,
    /// Nobody wants to be told of it now.
    silenced: bool,
    /// What may help.
    acts: Vec<MessageAct>,
}

/// An act that may help.
#[derive(Serialize, ToSchema)]
pub(super) struct MessageAct {
    /// `wake` or `drain`.
    verb: String,
    /// Name of the node.
    node: String,
}

/// Messages, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct MessagesBody {
    /// Newest first.
    items: Vec<MessageBody>,
    /// Asks for the next page; none at the end.
    next: Option<String>,
    /// How many the caller has not read.
    unread: u32,
}

impl MessageBody {
    /// Whose files these are, and what they are about, is for those who look after all files.
    fn of(message: Message, for_operator: bool) -> Self {
        let names = |names: Vec<String>| if for_operator { names } else { Vec::new() };
        let acts = message.helps.into_iter().map(|help| MessageAct { verb: help.verb, node: help.node });
        Self {
            id: message.id,
            source: message.source,
            name: message.name,
            severity: message.severity,
            labels: message.labels.into_iter().collect(),
            value: message.value,
            state: if message.ended_ms.is_some() { "resolved" } else { "firing" },
            summary: message.summary,
            advice: message.advice,
            runbook: message.runbook,
            started_at: rfc3339(message.started_ms),
            ended_at: message.ended_ms.map(rfc3339),
            files: message.files,
            owners: names(message.owners),
            tags: names(message.tags),
            parent: message.parent,
            children: message.children,
            read: message.read,
            acknowledged_by: Some(message.acknowledged_by).filter(|person| !person.is_empty()),
            silenced: message.silenced,
            acts: acts.collect(),
        }
    }
}

fn monitor(api: &Api) -> Result<MonitorClient<Channel>, ApiError> {
    api.monitor.clone().ok_or(ApiError::Unavailable("the monitor"))
}

fn within<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}

fn refused(what: &'static str) -> impl Fn(Status) -> ApiError {
    move |status| match status.code() {
        Code::NotFound => ApiError::NotFound(what),
        Code::InvalidArgument => ApiError::Invalid(status.message().to_owned()),
        _ => status.into(),
    }
}

/// What people are told: alerts of the monitor and of other systems.
#[utoipa::path(get, path = "/api/v1/messages", tag = "messages", params(Which),
    responses((status = 200, body = MessagesBody), (status = 503, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(which): Query<Which>,
) -> Result<Json<MessagesBody>, ApiError> {
    let limit = which.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let request = within(MessagesRequest {
        person: caller.user.name.to_string(),
        unread: which.unread,
        open: which.open,
        all: which.all,
        before: which.cursor.unwrap_or(0),
        limit,
    });
    let answer = monitor(&api)?.messages(request).await?.into_inner();
    let full = answer.messages.len() == limit as usize;
    let next = answer.messages.last().filter(|_| full).map(|last| last.id.to_string());
    let for_operator = caller.user.role >= Role::Operator;
    let items = answer.messages.into_iter().map(|message| MessageBody::of(message, for_operator)).collect();
    Ok(Json(MessagesBody { items, next, unread: answer.unread }))
}

/// What to note of a message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MarkBody {
    /// By the caller.
    read: Option<bool>,
    /// The caller takes it on, or gives it back; operators only.
    acknowledged: Option<bool>,
}

/// Mark a message as read or unread, take it on, or give it back.
#[utoipa::path(patch, path = "/api/v1/messages/{id}", tag = "messages", params(("id" = i64, Path)), request_body = MarkBody,
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn mark(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBody(MarkBody { read, acknowledged }): JsonBody<MarkBody>,
) -> Result<StatusCode, ApiError> {
    if acknowledged.is_some() && caller.user.role < Role::Operator {
        return Err(ApiError::Forbidden);
    }
    let id = id.parse().map_err(|_| ApiError::NotFound("message"))?;
    let mut monitor = monitor(&api)?;
    let person = caller.user.name.to_string();
    let request = within(MarkMessageRequest { id, person, read, acknowledged });
    in_task(async move { monitor.mark_message(request).await.map_err(refused("message")) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A silence that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSilenceBody {
    /// Of the alert; empty for every alert with these labels.
    #[serde(default)]
    name: String,
    /// Labels that must be so.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// When it begins, in seconds from now: a maintenance window. Now, if it is not said.
    #[serde(default)]
    begins_in_seconds: u32,
    /// How long it lasts; at most 90 days.
    seconds: u32,
    /// Why.
    #[serde(default)]
    reason: String,
}

/// A silence.
#[derive(Serialize, ToSchema)]
pub(super) struct SilenceBody {
    /// Its number.
    id: i64,
    /// Of the alert; empty for all.
    name: String,
    /// Labels that must be so.
    labels: BTreeMap<String, String>,
    /// RFC 3339.
    begins_at: String,
    /// RFC 3339.
    ends_at: String,
    /// Who wanted it.
    author: String,
    /// Why.
    reason: String,
}

impl From<Silence> for SilenceBody {
    fn from(silence: Silence) -> Self {
        Self {
            id: silence.id,
            name: silence.name,
            labels: silence.labels.into_iter().collect(),
            begins_at: rfc3339(silence.begins_ms),
            ends_at: rfc3339(silence.ends_ms),
            author: silence.author,
            reason: silence.reason,
        }
    }
}

/// Alerts that nobody wants to be told of for a while, and maintenance windows.
#[utoipa::path(get, path = "/api/v1/silences", tag = "messages",
    responses((status = 200, body = PageBody<SilenceBody>), (status = 503, body = Problem)))]
pub(super) async fn silences(State(api): State<Api>) -> Result<Json<PageBody<SilenceBody>>, ApiError> {
    let answer = monitor(&api)?.silences(within(SilencesRequest {})).await?.into_inner();
    Ok(Json(answer.silences.into_iter().map(SilenceBody::from).collect::<Vec<_>>().into()))
}

/// The number of a new silence.
#[derive(Serialize, ToSchema)]
pub(super) struct SilenceId {
    /// By which it is ended.
    id: i64,
}

/// Have nobody told of some alerts for a while. It always has an end.
#[utoipa::path(post, path = "/api/v1/silences", tag = "messages", request_body = NewSilenceBody,
    responses((status = 201, body = SilenceId), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn silence(
    State(api): State<Api>,
    caller: Caller,
    JsonBody(body): JsonBody<NewSilenceBody>,
) -> Result<(StatusCode, Json<SilenceId>), ApiError> {
    let begins_ms = unix_ms().saturating_add(i64::from(body.begins_in_seconds) * 1000);
    let silence = Silence {
        id: 0,
        name: body.name,
        labels: body.labels.into_iter().collect(),
        begins_ms,
        ends_ms: begins_ms.saturating_add(i64::from(body.seconds) * 1000),
        author: caller.user.name.to_string(),
        reason: body.reason,
    };
    tracing::info!(alert = silence.name, seconds = body.seconds, by = silence.author, "alerts silenced");
    let mut monitor = monitor(&api)?;
    let request = within(AddSilenceRequest { silence: Some(silence) });
    let answer =
        in_task(async move { monitor.add_silence(request).await.map_err(refused("silence")) }).await?;
    Ok((StatusCode::CREATED, Json(SilenceId { id: answer.into_inner().id })))
}

/// End a silence.
#[utoipa::path(delete, path = "/api/v1/silences/{id}", tag = "messages", params(("id" = i64, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn end_silence(
    State(api): State<Api>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id = id.parse().map_err(|_| ApiError::NotFound("silence"))?;
    let mut monitor = monitor(&api)?;
    let request = within(EndSilenceRequest { id });
    in_task(async move { monitor.end_silence(request).await.map_err(refused("silence")) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What came of a webhook's alerts.
#[derive(Serialize, ToSchema)]
pub(super) struct TakenBody {
    /// Alerts that were in it.
    alerts: u32,
    /// Of them, because there are too many messages.
    dropped: u32,
}

/// Take in alerts of an Alertmanager (webhook payload version 4) or a Grafana; with an operator's API token as bearer.
#[utoipa::path(post, path = "/api/v1/alerts/webhook", tag = "messages",
    responses((status = 200, body = TakenBody), (status = 400, body = Problem), (status = 413, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn webhook(
    State(api): State<Api>,
    request: extract::Request,
) -> Result<Json<TakenBody>, ApiError> {
    let body = timeout(BODY_DEADLINE, to_bytes(request.into_body(), WEBHOOK_BYTES_MAX)).await;
    let body = body.map_err(|_| ApiError::TooSlow)?;
    let payload = body.map_err(|_| ApiError::TooLarge(WEBHOOK_BYTES_MAX as u64))?;
    let mut monitor = monitor(&api)?;
    let request = within(TakeAlertsRequest { payload: payload.into() });
    let taken = in_task(async move { monitor.take_alerts(request).await.map_err(refused("alert")) }).await?;
    let taken = taken.into_inner();
    Ok(Json(TakenBody { alerts: taken.alerts, dropped: taken.dropped }))
}

/// Hears of every change of a message and tells the pages.
pub struct News {
    monitor: Option<MonitorClient<Channel>>,
    events: Events,
    /// The last change that was heard of.
    after: Option<i64>,
    backoff: Backoff,
}

impl News {
    pub(crate) fn of(api: &Api) -> Self {
        let backoff = Backoff::new(RETRY_FIRST, RETRY_LONGEST);
        Self { monitor: api.monitor.clone(), events: api.events.clone(), after: None, backoff }
    }

    /// Follows the monitor until `stop`.
    pub async fn follow(mut self, stop: CancellationToken) {
        let Some(monitor) = self.monitor.take() else { return };
        while !stop.is_cancelled() {
            tokio::select! {
                ended = self.hear(monitor.clone()) => if let Err(status) = ended {
                    tracing::debug!(error = status.message(), "messages cannot be heard, trying on");
                },
                () = stop.cancelled() => return,
            }
            tokio::select! {
                () = sleep(self.backoff.pause()) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn hear(&mut self, mut monitor: MonitorClient<Channel>) -> Result<(), Status> {
        let request = WatchMessagesRequest { after: self.after };
        let mut changes = monitor.watch_messages(request).await?.into_inner();
        self.backoff.reset();
        while let Some(change) = changes.message().await? {
            self.after = Some(change.changed);
            self.events.publish_to_all(Event::MessageChanged {
                message: change.id,
                name: change.name,
                severity: change.severity,
                firing: change.firing,
                summary: change.summary,
            });
        }
        Ok(())
    }
}

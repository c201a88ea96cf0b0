//! What the HTTP port answers, as JSON.

use super::operator::outcome;
use crate::{
    board::NodeView,
    messages::{self, MessagesError},
    timeline,
};
use asterism_proto::monitor::ActResponse;
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::collections::BTreeMap;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A list.
#[derive(Serialize)]
pub(super) struct Items<T> {
    pub(super) items: Vec<T>,
}

/// A node.
#[derive(Serialize)]
pub(super) struct Node {
    name: String,
    id: String,
    state: &'static str,
    since: String,
    cause: String,
    act: Option<String>,
    zone: String,
    address: String,
    metrics_address: Option<String>,
    heartbeat_age_seconds: Option<f64>,
    probe_seconds: Option<f64>,
    probe_error: Option<String>,
    pid: Option<u32>,
    free_bytes: u64,
    used_bytes: u64,
    capacity_bytes: u64,
    shards: u64,
}

impl From<NodeView> for Node {
    fn from(node: NodeView) -> Self {
        let measured = node.measured.as_ref();
        Self {
            name: node.name.to_string(),
            id: node.id.to_string(),
            state: node.state.as_str(),
            since: rfc3339(node.since_unix_ms),
            act: node.act,
            zone: node.zone,
            address: node.address,
            metrics_address: node.metrics_address,
            heartbeat_age_seconds: node.heartbeat_age.map(|age| age.as_secs_f64()),
            probe_seconds: node.probe_took.map(|took| took.as_secs_f64()),
            pid: measured.map(|measured| measured.pid),
            free_bytes: measured.map_or(0, |measured| measured.free_bytes),
            used_bytes: measured.map_or(0, |measured| measured.used_bytes),
            capacity_bytes: measured.map_or(0, |measured| measured.capacity_bytes),
            shards: measured.map_or(0, |measured| measured.shards),
            cause: node.cause,
            probe_error: node.probe_error,
        }
    }
}

/// One row of the transition log.
#[derive(Serialize)]
pub(super) struct Transition {
    seq: u64,
    time: String,
    kind: String,
    subject: String,
    from: String,
    to: String,
    cause: String,
    actor: String,
    detail: serde_json::Value,
}

impl From<timeline::Transition> for Transition {
    fn from(row: timeline::Transition) -> Self {
        let timeline::Transition { seq, unix_ms, kind, subject, from, to, cause, actor, detail } = row;
        let detail = serde_json::from_str(&detail).unwrap_or_default();
        Self { seq, time: rfc3339(unix_ms), kind, subject, from, to, cause, actor, detail }
    }
}

/// A message.
#[derive(Serialize)]
pub(super) struct Message {
    id: i64,
    source: String,
    name: String,
    severity: String,
    labels: messages::Labels,
    value: Option<f64>,
    summary: String,
    advice: String,
    runbook: String,
    state: &'static str,
    started_at: String,
    ended_at: Option<String>,
    files: Option<u64>,
    owners: Vec<String>,
    tags: Vec<String>,
    parent: Option<i64>,
    children: u64,
    read: bool,
    acknowledged_by: Option<String>,
    silenced: bool,
    acts: Vec<MessageAct>,
}

/// An act that may help.
#[derive(Serialize)]
struct MessageAct {
    verb: &'static str,
    node: String,
}

impl From<messages::Message> for Message {
    fn from(message: messages::Message) -> Self {
        let acts = message.help().map(|(help, node)| MessageAct { verb: help.as_str(), node });
        let count = message.files.as_ref().map(|files| files.count);
        let messages::Files { owners, tags, .. } = message.files.unwrap_or_default();
        Self {
            id: message.id,
            source: message.source,
            name: message.name,
            severity: message.severity,
            labels: message.labels,
            value: message.value,
            summary: message.summary,
            advice: message.advice,
            runbook: message.runbook,
            state: if message.ended_ms.is_some() { "resolved" } else { "firing" },
            started_at: rfc3339(message.started_ms),
            ended_at: message.ended_ms.map(rfc3339),
            files: count,
            owners,
            tags,
            parent: message.parent,
            children: message.children,
            read: message.read,
            acknowledged_by: message.acknowledged_by,
            silenced: message.silenced,
            acts: acts.into_iter().collect(),
        }
    }
}

/// A target of Prometheus' HTTP service discovery.
#[derive(Serialize)]
pub(super) struct Target {
    targets: [String; 1],
    labels: BTreeMap<&'static str, String>,
}

impl Target {
    /// `None` for a node that gave no address for its figures.
    pub(super) fn of(node: NodeView, cluster: &str) -> Option<Self> {
        let labels = BTreeMap::from([
            ("cluster", cluster.to_owned()),
            ("node", node.name.to_string()),
            ("zone", node.zone),
            ("__meta_asterism_node_id", node.id.to_string()),
            ("__meta_asterism_state", node.state.to_string()),
        ]);
        Some(Self { targets: [node.metrics_address?], labels })
    }
}

/// What came of an act, as the index-server's API says it.
#[derive(Serialize)]
pub(super) struct Act {
    pub(super) outcome: &'static str,
    state: String,
    pub(super) message: String,
    groups_counted: u32,
    groups_below_floor: u32,
    worst_margin: i32,
    files_touched: u64,
    owners: Vec<String>,
    tags: Vec<String>,
}

impl From<ActResponse> for Act {
    fn from(response: ActResponse) -> Self {
        Self {
            outcome: outcome(response.outcome()),
            state: response.state,
            message: response.message,
            groups_counted: response.groups_counted,
            groups_below_floor: response.groups_below_floor,
            worst_margin: response.worst_margin,
            files_touched: response.files_touched,
            owners: response.owners,
            tags: response.tags,
        }
    }
}

/// What came of a webhook's alerts.
#[derive(Serialize)]
pub(super) struct Taken {
    pub(super) alerts: usize,
    pub(super) dropped: usize,
}

/// An error (RFC 9457).
#[derive(Serialize)]
pub(super) struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<Box<Act>>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: &'static str) -> Self {
        let title = status.canonical_reason().unwrap_or("error");
        Self {
            kind: "about:blank",
            title,
            status: status.as_u16(),
            code,
            detail: detail.to_owned(),
            act: None,
        }
    }

    /// The messages do not work; why is in the log.
    pub(super) fn of_messages(error: MessagesError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "messages cannot be used");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the messages cannot be used")
    }

    /// The same, of an act that was refused or failed.
    pub(super) fn with_act(self, act: Act) -> Self {
        Self { detail: act.message.clone(), act: Some(Box::new(act)), ..self }
    }

    pub(super) fn detail(&self) -> &str {
        &self.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
        (status, content_type, serde_json::to_string(&self).unwrap_or_default()).into_response()
    }
}

fn rfc3339(unix_ms: i64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_default()
}

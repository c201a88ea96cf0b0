//! The cluster as a whole, and its log.

use super::{
    Api,
    extract::Query,
    problem::{ApiError, Problem},
    types::{ClusterBody, GraphState, GroupsBody, PageBody, Reachable, rfc3339},
};
use crate::{catalog::Intent, workers::SCRUB};
use asterism_proto::monitor::{NodesRequest, TimelineRequest, Transition};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};
use tonic::Request;
use utoipa::{IntoParams, ToSchema};

/// What others are given to say that they are there.
const PING: Duration = Duration::from_secs(1);
const TIMELINE_DEADLINE: Duration = Duration::from_secs(5);
const TIMELINE_MAX: u32 = 1000;

/// How the cluster is: nodes, margins, background work.
#[utoipa::path(get, path = "/api/v1/cluster", tag = "cluster",
    responses((status = 200, body = ClusterBody), (status = 503, body = Problem)))]
pub(super) async fn show(State(api): State<Api>) -> Result<Json<ClusterBody>, ApiError> {
    let (standing, totals) = (api.figures.margins().await?, api.figures.totals().await?);
    let (graph, monitor) = tokio::join!(graph_reachable(&api), monitor_reachable(&api));
    let members = api.members.all();
    let mut nodes = BTreeMap::new();
    for member in &members {
        *nodes.entry(api.members.state(member).as_str()).or_default() += 1;
    }
    let wanted = || members.iter().filter(|member| member.row.intent != Intent::Retired);
    let said = || wanted().filter_map(|member| member.heard.as_ref().map(|(_, said)| said));
    Ok(Json(ClusterBody {
        cluster: api.extents.cluster.to_string(),
        policy: api.extents.policy.to_string(),
        nodes,
        groups: GroupsBody {
            total: api.members.groups().len() as u64,
            worst_margin: standing.margins.worst,
            by_margin: standing.margins.by_margin.clone(),
        },
        short_extents: standing.short_extents,
        files: totals.files,
        bytes: totals.bytes,
        // What nodes say of themselves is not ours to trust.
        capacity_bytes: said().fold(0, |sum, said| sum.saturating_add(said.capacity_bytes)),
        free_bytes: said().fold(0, |sum, said| sum.saturating_add(said.free_bytes)),
        background: api.roster.reports(),
        scrub: api.catalog.walk(SCRUB).await?.into(),
        graph: GraphState { kind: api.graph_kind, reachable: graph },
        monitor: Reachable { reachable: monitor },
        version: env!("CARGO_PKG_VERSION"),
    }))
}

async fn graph_reachable(api: &Api) -> bool {
    matches!(tokio::time::timeout(PING, api.graph.ping()).await, Ok(Ok(())))
}

async fn monitor_reachable(api: &Api) -> bool {
    let Some(mut monitor) = api.monitor.clone() else { return false };
    matches!(tokio::time::timeout(PING, monitor.nodes(NodesRequest {})).await, Ok(Ok(_)))
}

/// Which part of the log.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    /// Entries beyond this number.
    #[serde(default)]
    after: u64,
    /// At most 1000.
    limit: Option<u32>,
}

/// An entry of the cluster's log.
#[derive(Serialize, ToSchema)]
pub(super) struct TransitionBody {
    /// Its number.
    seq: u64,
    /// RFC 3339.
    time: String,
    /// `node`, …
    kind: String,
    /// Of what.
    subject: String,
    /// Before.
    from: String,
    /// After.
    to: String,
    /// Why.
    cause: String,
    /// A person, or `monitor`.
    actor: String,
}

impl From<Transition> for TransitionBody {
    fn from(transition: Transition) -> Self {
        Self {
            seq: transition.seq,
            time: rfc3339(transition.unix_ms),
            kind: transition.kind,
            subject: transition.subject,
            from: transition.from,
            to: transition.to,
            cause: transition.cause,
            actor: transition.actor,
        }
    }
}

/// The log of everything that changed, oldest first.
#[utoipa::path(get, path = "/api/v1/timeline", tag = "cluster", params(Part),
    responses((status = 200, body = PageBody<TransitionBody>), (status = 503, body = Problem)))]
pub(super) async fn timeline(
    State(api): State<Api>,
    Query(part): Query<Part>,
) -> Result<Json<PageBody<TransitionBody>>, ApiError> {
    let mut monitor = api.monitor.clone().ok_or(ApiError::Unavailable("the monitor"))?;
    let limit = part.limit.unwrap_or(TIMELINE_MAX).clamp(1, TIMELINE_MAX);
    let mut request = Request::new(TimelineRequest { after: part.after, limit });
    request.set_timeout(TIMELINE_DEADLINE);
    let transitions = monitor.timeline(request).await?.into_inner().transitions;
    Ok(Json(transitions.into_iter().map(TransitionBody::from).collect::<Vec<_>>().into()))
}

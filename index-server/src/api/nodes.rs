//! Storage nodes: what they are, and stopping and waking them through the monitor. Drain, retire and weight are in `leaving`.

use super::{
    Api,
    auth::Caller,
    extract::{Path, Query},
    files::in_task,
    leaving,
    problem::{ApiError, Problem},
    request_id,
    types::{Act, NodeBody, PageBody},
};
use crate::{
    catalog::{Intent, Role},
    members::Member,
};
use asterism_proto::{
    NodeId,
    monitor::{ActRequest, ActResponse, Verb, act_response::Outcome},
};
use axum::{Json, extract::State};
use serde::Deserialize;
use std::{collections::HashMap, time::Duration};
use tonic::Request;
use utoipa::IntoParams;

/// A stop or wake takes as long as the machine takes; the monitor's own deadline is shorter.
const ACT_DEADLINE: Duration = Duration::from_secs(180);

/// How to act.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct How {
    /// Only say what would happen.
    #[serde(default)]
    pub(super) dry_run: bool,
    /// Stop although files would be at risk, or drain a node that is away or whose shards hardly fit; admins only.
    #[serde(default)]
    pub(super) force: bool,
}

/// All storage nodes.
#[utoipa::path(get, path = "/api/v1/nodes", tag = "nodes", responses((status = 200, body = PageBody<NodeBody>)))]
pub(super) async fn list(State(api): State<Api>) -> Json<PageBody<NodeBody>> {
    let factors = factors(&api).await;
    let mut nodes: Vec<NodeBody> =
        api.members.all().iter().map(|member| NodeBody::of(&api.members, member, &factors)).collect();
    // n2 before n10.
    nodes.sort_by(|a, b| (a.name.len(), &a.name).cmp(&(b.name.len(), &b.name)));
    Json(nodes.into())
}

/// One storage node.
#[utoipa::path(get, path = "/api/v1/nodes/{name}", tag = "nodes", params(("name" = String, Path)),
    responses((status = 200, body = NodeBody), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<NodeBody>, ApiError> {
    let member = find(&api, &name)?;
    Ok(Json(NodeBody::of(&api.members, &member, &factors(&api).await)))
}

/// The operators' factors; nothing while the database is away, for nodes are shown even then.
async fn factors(api: &Api) -> HashMap<NodeId, f64> {
    let shares = api.catalog.shares().await.unwrap_or_default();
    shares.into_iter().map(|(node, share)| (node, f64::from(share.factor_permille) / 1000.0)).collect()
}

/// Put a node to sleep, if every file survives it.
#[utoipa::path(post, path = "/api/v1/nodes/{name}/stop", tag = "nodes", params(("name" = String, Path), How),
    responses((status = 200, body = Act), (status = 404, body = Problem), (status = 409, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn stop(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
    Query(how): Query<How>,
) -> Result<Json<Act>, ApiError> {
    act(api, caller, &name, how, Verb::Stop).await
}

/// Wake a node; one that is being drained or was retired is wanted again.
#[utoipa::path(post, path = "/api/v1/nodes/{name}/wake", tag = "nodes", params(("name" = String, Path), How),
    responses((status = 200, body = Act), (status = 404, body = Problem), (status = 409, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn wake(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
    Query(how): Query<How>,
) -> Result<Json<Act>, ApiError> {
    let member = find(&api, &name)?;
    if !matches!(member.row.intent, Intent::Draining | Intent::Retired) {
        return act(api, caller, &name, how, Verb::Wake).await;
    }
    let kept = {
        let (api, caller) = (api.clone(), caller.clone());
        let member = member.clone();
        in_task(async move { leaving::keep(&api, &caller, &member, how.dry_run).await }).await?
    };
    if how.dry_run || member.is_heard() {
        Ok(Json(kept))
    } else {
        act(api, caller, &name, how, Verb::Wake).await
    }
}

pub(super) fn find(api: &Api, name: &str) -> Result<Member, ApiError> {
    name.parse().ok().and_then(|name| api.members.by_name(&name)).ok_or(ApiError::NotFound("node"))
}

async fn act(api: Api, caller: Caller, name: &str, how: How, verb: Verb) -> Result<Json<Act>, ApiError> {
    if how.force && caller.user.role < Role::Admin {
        return Err(ApiError::Forbidden);
    }
    let member = find(&api, name)?;
    let mut monitor = api.monitor.clone().ok_or(ApiError::Unavailable("the monitor"))?;
    let mut request = Request::new(ActRequest {
        node: member.row.id.to_string(),
        verb: verb.into(),
        dry_run: how.dry_run,
        force: how.force,
        actor: caller.user.name.to_string(),
        request_id: request_id::current(),
    });
    request.set_timeout(ACT_DEADLINE);
    tracing::info!(node = name, ?verb, dry_run = how.dry_run, force = how.force, by = %caller.user.name, "act asked for");
    let answer = in_task(async move { Ok(monitor.act(request).await?.into_inner()) }).await?;
    let act = body(answer);
    match act.outcome {
        "refused" | "failed" => Err(ApiError::Refused(Box::new(act))),
        _ => Ok(Json(act)),
    }
}

fn body(answer: ActResponse) -> Act {
    let outcome = match answer.outcome() {
        Outcome::Done => "done",
        Outcome::Refused => "refused",
        Outcome::DryRun => "dry_run",
        Outcome::Unchanged => "unchanged",
        Outcome::Failed | Outcome::Unspecified => "failed",
    };
    Act {
        outcome,
        state: answer.state,
        message: answer.message,
        groups_counted: answer.groups_counted,
        groups_below_floor: answer.groups_below_floor,
        worst_margin: answer.worst_margin,
        files_touched: answer.files_touched,
        owners: answer.owners,
        tags: answer.tags,
        plan: None,
    }
}

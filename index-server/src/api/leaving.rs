//! Nodes that come to hold more, less, or nothing: drain, retire, and a node's weight, each with a plan first. What moves then is the
//! moves worker's business; here only the wish is written down.

use super::{
    Api,
    auth::Caller,
    extract::{JsonBody, Path, Query},
    files::in_task,
    nodes::{How, find},
    problem::{ApiError, Problem},
    types::{Act, PlanBody},
};
use crate::{
    catalog::{Intent, Role},
    members::Member,
    plan::{self, Forecast, Wish},
};
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// The least and the greatest factor: beyond them a mistake is likelier than a wish.
const FACTOR_MIN: f64 = 0.01;
const FACTOR_MAX: f64 = 100.0;

/// Have a node give everything away: its shards are copied to other nodes, or rebuilt there. `wake` takes it back.
#[utoipa::path(post, path = "/api/v1/nodes/{name}/drain", tag = "nodes", params(("name" = String, Path), How),
    responses((status = 200, body = Act), (status = 404, body = Problem), (status = 409, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn drain(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
    Query(how): Query<How>,
) -> Result<Json<Act>, ApiError> {
    leave(api, caller, name, how, false).await
}

/// Drain a node, and be done with it when it is empty and was counted.
#[utoipa::path(post, path = "/api/v1/nodes/{name}/retire", tag = "nodes", params(("name" = String, Path), How),
    responses((status = 200, body = Act), (status = 404, body = Problem), (status = 409, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn retire(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
    Query(how): Query<How>,
) -> Result<Json<Act>, ApiError> {
    leave(api, caller, name, how, true).await
}

/// How much of its column a node takes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WeightBody {
    /// 1 is a share by capacity; 2 is twice that. From 0.01 to 100.
    factor: f64,
}

/// Whether to do it.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Rehearsal {
    /// Only say what would happen.
    #[serde(default)]
    dry_run: bool,
}

/// Give a node a larger or smaller share.
#[utoipa::path(put, path = "/api/v1/nodes/{name}/weight", tag = "nodes", params(("name" = String, Path), Rehearsal),
    request_body = WeightBody,
    responses((status = 200, body = Act), (status = 400, body = Problem), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn weigh(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
    Query(Rehearsal { dry_run }): Query<Rehearsal>,
    JsonBody(WeightBody { factor }): JsonBody<WeightBody>,
) -> Result<Json<Act>, ApiError> {
    let member = find(&api, &name)?;
    if !(FACTOR_MIN..=FACTOR_MAX).contains(&factor) {
        return Err(ApiError::Invalid(format!("the factor is a number from {FACTOR_MIN} to {FACTOR_MAX}")));
    }
    let permille = (factor * 1000.0).round() as u32;
    in_task(async move {
        let _deciding = api.deciding.lock().await;
        let node = member.row.id;
        let forecast = forecast(&api, Wish::Factor(node, permille)).await?;
        let message = format!("{} counts {factor} times its capacity; {}", member.row.name, cost(&forecast));
        if !dry_run {
            api.catalog.set_factor(node, permille, member.row.capacity).await?;
            api.moving.wake.notify_one();
            tracing::info!(node = %member.row.name, factor, by = %caller.user.name, "weight changed");
        }
        Ok(Json(act(&api, &member, if dry_run { "dry_run" } else { "done" }, message, Some(forecast))))
    })
    .await
}

async fn leave(
    api: Api,
    caller: Caller,
    name: String,
    how: How,
    retire: bool,
) -> Result<Json<Act>, ApiError> {
    if how.force && caller.user.role < Role::Admin {
        return Err(ApiError::Forbidden);
    }
    find(&api, &name)?;
    tracing::info!(node = name, retire, dry_run = how.dry_run, force = how.force, by = %caller.user.name, "act asked for");
    in_task(async move {
        let _deciding = api.deciding.lock().await;
        // Again: it may have changed until it was this one's turn.
        let member = find(&api, &name)?;
        match member.row.intent {
            Intent::Retired => Ok(unchanged(&api, &member, "is retired already")),
            Intent::Draining if !retire => Ok(unchanged(&api, &member, "is being drained already")),
            _ => begin(&api, &caller, &member, &how, retire).await,
        }
    })
    .await
}

fn unchanged(api: &Api, member: &Member, what: &str) -> Json<Act> {
    Json(act(api, member, "unchanged", format!("{} {what}", member.row.name), None))
}

async fn begin(
    api: &Api,
    caller: &Caller,
    member: &Member,
    how: &How,
    retire: bool,
) -> Result<Json<Act>, ApiError> {
    let (node, name) = (member.row.id, &member.row.name);
    let forecast = forecast(api, Wish::Drain(node)).await?;
    if let Some(why) = objection(api, member, &forecast, how.force) {
        return Err(ApiError::Refused(Box::new(act(api, member, "refused", why, Some(forecast)))));
    }
    let then = if retire { ", and is retired when it is empty" } else { "" };
    let message = format!("{name} gives everything away{then}: {}", cost(&forecast));
    if how.dry_run {
        return Ok(Json(act(api, member, "dry_run", message, Some(forecast))));
    }
    api.catalog.drain(node, retire).await?;
    api.members.set_intent(node, Intent::Draining);
    let wish = if retire { "to be retired" } else { "to be drained" };
    api.members.set_reason(node, format!("asked {wish} by {}", caller.user.name));
    api.moving.wake.notify_one();
    tracing::info!(node = %name, retire, by = %caller.user.name, "node is being drained");
    let member = find(api, name.as_str())?;
    Ok(Json(act(api, &member, if retire { "started" } else { "done" }, message, Some(forecast))))
}

/// Why a node may not leave: that nobody can change, or not without force.
fn objection(api: &Api, member: &Member, forecast: &Forecast, force: bool) -> Option<String> {
    let (name, policy) = (&member.row.name, api.extents.policy);
    if forecast.stuck > 0 {
        return Some(format!(
            "{name} cannot leave: policy {policy} needs {} nodes that take shards, and without it there are too few for {} places",
            policy.total(),
            forecast.stuck,
        ));
    }
    if force {
        return None;
    }
    if !member.is_heard() {
        let state = api.members.state(member);
        return Some(format!(
            "{name} is {state}: wake it first, or use force to have its shards rebuilt from the others"
        ));
    }
    if !forecast.crowded.is_empty() {
        let crowded: Vec<String> = forecast.crowded.iter().map(ToString::to_string).collect();
        return Some(format!("{name} cannot leave: {} would be given more than fits", crowded.join(", ")));
    }
    None
}

/// A node that was to give everything away is wanted again.
pub(super) async fn keep(
    api: &Api,
    caller: &Caller,
    member: &Member,
    dry_run: bool,
) -> Result<Act, ApiError> {
    let (node, name) = (member.row.id, &member.row.name);
    let _deciding = api.deciding.lock().await;
    let forecast = forecast(api, Wish::Keep(node)).await?;
    let message = format!("{name} is wanted again; {}", cost(&forecast));
    if dry_run {
        return Ok(act(api, member, "dry_run", message, Some(forecast)));
    }
    api.catalog.undrain(node).await?;
    api.members.set_intent(node, Intent::Up);
    api.members.set_reason(node, format!("wanted again by {}", caller.user.name));
    api.moving.wake.notify_one();
    tracing::info!(node = %name, by = %caller.user.name, "node is wanted again");
    let member = find(api, name.as_str())?;
    Ok(act(api, &member, "done", message, Some(forecast)))
}

async fn forecast(api: &Api, wish: Wish) -> Result<Forecast, ApiError> {
    let speed = api.moving.speed();
    Ok(plan::forecast(&api.catalog, &api.members, api.extents.policy, wish, speed).await?)
}

/// What a plan costs, in a sentence.
fn cost(forecast: &Forecast) -> String {
    let Forecast { positions, groups, shards, bytes, seconds, .. } = forecast;
    if *positions == 0 {
        return "nothing moves for it".into();
    }
    let mib = bytes.div_ceil(1 << 20);
    format!(
        "{positions} places of {groups} groups change hands, about {shards} shards and {mib} MiB, in about {seconds:.0} s"
    )
}

fn act(
    api: &Api,
    member: &Member,
    outcome: &'static str,
    message: String,
    forecast: Option<Forecast>,
) -> Act {
    Act {
        outcome,
        state: api.members.state(member).as_str().into(),
        message,
        groups_counted: api.members.groups().len() as u32,
        groups_below_floor: 0,
        worst_margin: forecast.as_ref().and_then(|forecast| forecast.worst_margin).unwrap_or(0),
        files_touched: forecast.as_ref().map_or(0, |forecast| forecast.files),
        owners: Vec::new(),
        tags: Vec::new(),
        plan: forecast.map(PlanBody::from),
    }
}

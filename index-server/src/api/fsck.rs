//! Everything compared with everything: asked for, and looked at.

use super::{Api, extract::Query, problem::ApiError, problem::Problem};
use crate::workers::{Asked, FsckReport};
use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;

/// What is asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Make differences good; without it they are only told.
    #[serde(default)]
    repair: bool,
    /// Set aside what nothing names, also when that is more than a hundredth of all shards.
    #[serde(default)]
    force: bool,
}

/// Compare the metadata with the shards on the nodes and with the tag graph. It goes on in the background.
#[utoipa::path(post, path = "/api/v1/fsck", tag = "cluster", params(Wanted),
    responses((status = 202, body = FsckReport), (status = 409, body = Problem)))]
pub(super) async fn ask(
    State(api): State<Api>,
    Query(Wanted { repair, force }): Query<Wanted>,
) -> Result<(StatusCode, Json<FsckReport>), ApiError> {
    if !api.fsck.ask(Asked { repair, force: repair && force }) {
        return Err(ApiError::Conflict("a comparison is under way".into()));
    }
    Ok((StatusCode::ACCEPTED, Json(api.fsck.report())))
}

/// The comparison that is under way, or the last one.
#[utoipa::path(get, path = "/api/v1/fsck", tag = "cluster", responses((status = 200, body = FsckReport)))]
pub(super) async fn show(State(api): State<Api>) -> Json<FsckReport> {
    Json(api.fsck.report())
}

//! The HTTP edge: routes, who may use them, and what they answer.

mod access;
pub(crate) mod auth;
mod cluster;
mod content;
mod crowd;
mod docs;
mod events;
mod extract;
mod files;
mod fsck;
mod leaving;
mod limiter;
mod messages;
mod nodes;
mod pages;
mod passwords;
mod paths;
mod problem;
mod request_id;
mod search;
mod session;
mod tags;
#[cfg(test)]
mod tests;
mod types;
mod upload;
mod users;

pub(crate) use crowd::Crowd;
pub use messages::News;
pub use passwords::Passwords;

use crate::{
    catalog::Catalog,
    events::Events,
    figures::Figures,
    files::Extents,
    graph::TagGraph,
    members::Members,
    metrics::HttpMetrics,
    workers::{Fsck, Moving, Roster},
};
use asterism_proto::monitor::monitor_client::MonitorClient;
use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
    routing::{get, patch, post, put},
};
use std::{sync::Arc, time::Duration};
use tonic::transport::Channel;

/// Bodies of everything but uploads.
const JSON_BYTES_MAX: usize = 64 << 10;

/// What handlers work with; clones share it.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) catalog: Catalog,
    pub(crate) extents: Extents,
    pub(crate) members: Members,
    pub(crate) graph: Arc<dyn TagGraph>,
    pub(crate) graph_kind: &'static str,
    pub(crate) events: Events,
    pub(crate) passwords: Passwords,
    pub(crate) crowd: Crowd,
    pub(crate) monitor: Option<MonitorClient<Channel>>,
    pub(crate) roster: Roster,
    pub(crate) figures: Figures,
    pub(crate) fsck: Fsck,
    pub(crate) moving: Moving,
    /// One change of what is wanted of nodes at a time, shared with the service that nodes and the monitor call.
    pub(crate) deciding: Arc<tokio::sync::Mutex<()>>,
    pub(crate) tagging: Arc<tokio::sync::Notify>,
    pub(crate) projecting: Arc<tokio::sync::Notify>,
    pub(crate) metrics: HttpMetrics,
    pub(crate) trash_kept: Duration,
    pub(crate) upload_bytes_max: u64,
    pub(crate) https: bool,
}

/// All routes of the API and the page; `pages` are those that every server has.
pub(crate) fn router(api: Api, process_pages: Router) -> Router {
    routes()
        .layer(DefaultBodyLimit::max(JSON_BYTES_MAX))
        .route_layer(from_fn_with_state(api.clone(), access::layer))
        .fallback(pages::show)
        .layer(from_fn_with_state(api.clone(), crate::metrics::layer))
        .with_state(api)
        .merge(process_pages)
        .layer(from_fn(pages::security_headers))
        .layer(from_fn(request_id::layer))
}

fn routes() -> Router<Api> {
    Router::new()
        .route("/api/openapi.json", get(docs::openapi))
        .route("/api/docs", get(docs::page))
        .route("/api/v1/session", get(session::show).post(session::log_in).delete(session::log_out))
        .route("/api/v1/tokens", post(session::create_token))
        .route("/api/v1/users", get(users::list).post(users::create))
        .route("/api/v1/users/{name}", axum::routing::delete(users::remove))
        .route("/api/v1/users/{name}/password", put(users::set_password))
        .route("/api/v1/content/{*path}", get(content::get).put(upload::put).head(content::get))
        .route("/api/v1/files/{*path}", get(files::get).put(files::put).delete(files::delete))
        .route("/api/v1/folders/", get(files::list))
        .route("/api/v1/folders/{*path}", get(files::list).post(files::mkdir))
        .route("/api/v1/files:move", post(files::move_entry))
        .route("/api/v1/files:copy", post(files::copy))
        .route("/api/v1/files:restore", post(files::restore))
        .route("/api/v1/trash", get(files::trash))
        .route("/api/v1/search", get(search::search))
        .route("/api/v1/graph", get(search::graph))
        .route("/api/v1/tags", get(tags::list))
        .route("/api/v1/tags/{tag}/related", get(tags::related))
        .route("/api/v1/nodes", get(nodes::list))
        .route("/api/v1/nodes/{name}", get(nodes::show))
        .route("/api/v1/nodes/{name}/stop", post(nodes::stop))
        .route("/api/v1/nodes/{name}/wake", post(nodes::wake))
        .route("/api/v1/nodes/{name}/drain", post(leaving::drain))
        .route("/api/v1/nodes/{name}/retire", post(leaving::retire))
        .route("/api/v1/nodes/{name}/weight", put(leaving::weigh))
        .route("/api/v1/cluster", get(cluster::show))
        .route("/api/v1/fsck", get(fsck::show).post(fsck::ask))
        .route("/api/v1/timeline", get(cluster::timeline))
        .route("/api/v1/messages", get(messages::list))
        .route("/api/v1/messages/{id}", patch(messages::mark))
        .route("/api/v1/silences", get(messages::silences).post(messages::silence))
        .route("/api/v1/silences/{id}", axum::routing::delete(messages::end_silence))
        .route("/api/v1/alerts/webhook", post(messages::webhook))
        .route("/api/v1/events", get(events::socket))
}

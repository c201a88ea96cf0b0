//! The monitor's own HTTP port: figures, service discovery for Prometheus, and the part of page and API that stands when nothing
//! else does.

mod body;
mod operator;
mod page;

use crate::{
    act::Acts,
    board::{Board, NodeView},
    messages::{Filter, Messages},
    state::NodeState,
    timeline::{PAGE_MAX, Timeline},
};
use asterism_service::{Metrics, Secret, http};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, patch, post},
};
use body::{Items, Message, Node, Problem, Target, Transition};
use serde::Deserialize;
use std::sync::Arc;

/// A form of the page is a name and a token.
const FORM_BYTES_MAX: usize = 4 << 10;

/// What the handlers work with.
#[derive(Clone)]
pub struct Pages {
    /// The nodes.
    pub board: Arc<Board>,
    /// The transition log.
    pub timeline: Timeline,
    /// What people are told.
    pub messages: Messages,
    /// What can be done.
    pub acts: Arc<Acts>,
    /// The cluster's name.
    pub cluster: Arc<str>,
    /// Who has it may act; nobody, if there is none.
    pub operator: Option<Secret>,
}

/// Every route of the monitor.
pub fn router(pages: Pages, metrics: Metrics) -> Router {
    let readiness = readiness(Arc::clone(&pages.board), pages.timeline.clone());
    Router::new()
        .route("/", get(page::show))
        .route("/style.css", get(page::style))
        .route("/wake", post(page::wake))
        .route("/sd", get(targets))
        .route("/api/v1/nodes", get(nodes))
        .route("/api/v1/nodes/{name}", get(node))
        .route("/api/v1/nodes/{name}/wake", post(operator::wake))
        .route("/api/v1/nodes/{name}/stop", post(operator::stop))
        .route("/api/v1/timeline", get(timeline_page))
        .route("/api/v1/messages", get(messages_page))
        .route("/api/v1/messages/{id}", patch(operator::mark))
        .route("/api/v1/silences", post(operator::silence))
        .route("/api/v1/alerts/webhook", post(operator::webhook))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .with_state(pages)
        .merge(http::pages(metrics, readiness))
}

fn readiness(board: Arc<Board>, timeline: Timeline) -> http::Readiness {
    Arc::new(move || {
        let (board, timeline) = (Arc::clone(&board), timeline.clone());
        Box::pin(async move {
            let log = timeline.after(0, 1).await.map(|_| ()).map_err(|error| error.to_string());
            vec![("index_server", board.index()), ("transition_log", log)]
        })
    })
}

/// Prometheus' HTTP service discovery. Nodes that sleep are named too, with their state as a label for relabelling.
async fn targets(State(pages): State<Pages>) -> Json<Vec<Target>> {
    let nodes = pages.board.nodes();
    let present = nodes.into_iter().filter(|node| node.state != NodeState::Retired);
    Json(present.filter_map(|node| Target::of(node, &pages.cluster)).collect())
}

async fn node(State(pages): State<Pages>, Path(name): Path<String>) -> Response {
    let node = pages.board.nodes().into_iter().find(|node| node.name.as_str() == name);
    match node {
        Some(node) => Json(Node::from(node)).into_response(),
        None => Problem::new(StatusCode::NOT_FOUND, "not_found", "no such node").into_response(),
    }
}

async fn nodes(State(pages): State<Pages>) -> Json<Items<Node>> {
    Json(Items { items: pages.board.nodes().into_iter().map(|node: NodeView| Node::from(node)).collect() })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    after: u64,
    #[serde(default = "page_max")]
    limit: u32,
}

fn page_max() -> u32 {
    PAGE_MAX
}

/// Which messages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    #[serde(default)]
    open: bool,
    #[serde(default)]
    all: bool,
    /// Not read by operators, who are one here.
    #[serde(default)]
    unread: bool,
    before: Option<i64>,
    #[serde(default)]
    limit: u32,
}

async fn messages_page(
    State(pages): State<Pages>,
    headers: HeaderMap,
    which: Result<Query<Which>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Ok(Query(Which { open, all, unread, before, limit })) = which else {
        let detail = "open, all and unread are true or false, before and limit whole numbers";
        return Problem::new(StatusCode::BAD_REQUEST, "invalid_request", detail).into_response();
    };
    let person = operator::OPERATOR.to_owned();
    let filter = Filter { person, open, all, unread, before, limit, ..Filter::default() };
    match pages.messages.list(&filter).await {
        Ok(mut messages) => {
            // Whose files these are, and what they are about, is not for everybody who reaches this port.
            if pages.admit(&headers).is_err() {
                for files in messages.iter_mut().filter_map(|message| message.files.as_mut()) {
                    (files.owners, files.tags) = Default::default();
                }
            }
            Json(Items { items: messages.into_iter().map(Message::from).collect() }).into_response()
        }
        Err(error) => Problem::of_messages(error).into_response(),
    }
}

async fn timeline_page(
    State(pages): State<Pages>,
    page: Result<Query<Page>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Ok(Query(page)) = page else {
        return Problem::new(StatusCode::BAD_REQUEST, "invalid_request", "after and limit are whole numbers")
            .into_response();
    };
    match pages.timeline.after(page.after, page.limit).await {
        Ok(rows) => Json(Items { items: rows.into_iter().map(Transition::from).collect() }).into_response(),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "timeline cannot be read");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the transition log cannot be read")
                .into_response()
        }
    }
}

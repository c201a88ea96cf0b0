//! The monitor's own HTTP port: figures, service discovery for Prometheus, and the read-only part of the API.

mod body;

use crate::{
    board::{Board, NodeView},
    messages::{Filter, Messages},
    state::NodeState,
    timeline::{PAGE_MAX, Timeline},
};
use asterism_service::{Metrics, http};
use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use body::{Items, Message, Node, Problem, Target, Transition};
use serde::Deserialize;
use std::sync::Arc;

/// What the handlers work with.
#[derive(Clone)]
struct Pages {
    board: Arc<Board>,
    timeline: Timeline,
    messages: Messages,
    cluster: Arc<str>,
}

/// Every route of the monitor.
pub fn router(
    board: Arc<Board>,
    timeline: Timeline,
    messages: Messages,
    cluster: &str,
    metrics: Metrics,
) -> Router {
    let readiness = readiness(Arc::clone(&board), timeline.clone());
    let pages = Pages { board, timeline, messages, cluster: cluster.into() };
    Router::new()
        .route("/sd", get(targets))
        .route("/api/v1/nodes", get(nodes))
        .route("/api/v1/timeline", get(timeline_page))
        .route("/api/v1/messages", get(messages_page))
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
    before: Option<i64>,
    #[serde(default)]
    limit: u32,
}

async fn messages_page(
    State(pages): State<Pages>,
    which: Result<Query<Which>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Ok(Query(Which { open, all, before, limit })) = which else {
        let detail = "open and all are true or false, before and limit whole numbers";
        return Problem::new(StatusCode::BAD_REQUEST, "invalid_request", detail).into_response();
    };
    let filter = Filter { open, all, before, limit, ..Filter::default() };
    match pages.messages.list(&filter).await {
        Ok(messages) => {
            Json(Items { items: messages.into_iter().map(Message::from).collect() }).into_response()
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "messages cannot be read");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the messages cannot be read")
                .into_response()
        }
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

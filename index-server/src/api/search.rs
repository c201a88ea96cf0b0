//! Finding: a page of a list, and a bounded graph around what is found.

use super::{
    Api,
    auth::Caller,
    extract::Query,
    problem::{ApiError, Problem},
    types::{EntryBody, PageBody},
};
use crate::{
    catalog::{EntryId, OwnerScope},
    graph::Graph,
    query,
};
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

const PAGE: u32 = 100;
/// Files in the middle of a graph; more is no picture any more.
const GRAPH: u32 = 100;
const GRAPH_MAX: u32 = 500;

/// What to look for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Search {
    /// For example `type:image AND tag:holiday`.
    #[serde(default)]
    q: String,
    /// From the page before.
    cursor: Option<String>,
    /// Items on the page, at most 1000.
    limit: Option<u32>,
}

/// Find files by name and tag.
#[utoipa::path(get, path = "/api/v1/search", tag = "search", params(Search),
    responses((status = 200, body = PageBody<EntryBody>), (status = 400, body = Problem)))]
pub(super) async fn search(
    State(api): State<Api>,
    caller: Caller,
    Query(search): Query<Search>,
) -> Result<Json<PageBody<EntryBody>>, ApiError> {
    let query = query::parse(&search.q)?;
    let scope = scope(&caller);
    let limit = search.limit.unwrap_or(PAGE);
    let page = api.catalog.search(&scope, &query, search.cursor.as_deref(), limit).await?;
    let items = page.items.into_iter().map(|found| EntryBody {
        tags: Some(found.tags.into_iter().map(Into::into).collect()),
        ..found.entry.into()
    });
    Ok(Json(PageBody { items: items.collect(), next: page.next }))
}

/// What is found, with the tags around it.
#[utoipa::path(get, path = "/api/v1/graph", tag = "search", params(Search),
    responses((status = 200, body = Graph), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn graph(
    State(api): State<Api>,
    caller: Caller,
    Query(search): Query<Search>,
) -> Result<Json<Graph>, ApiError> {
    let query = query::parse(&search.q)?;
    let scope = scope(&caller);
    let limit = search.limit.unwrap_or(GRAPH).clamp(1, GRAPH_MAX);
    let page = api.catalog.search(&scope, &query, None, limit).await?;
    let ids: Vec<EntryId> = page.items.iter().map(|found| found.entry.id).collect();
    let mut graph = api.graph.neighbourhood(&scope, &ids, limit).await?;
    graph.truncated |= page.next.is_some();
    Ok(Json(graph))
}

/// Everybody finds the own files.
fn scope(caller: &Caller) -> OwnerScope {
    OwnerScope::One(caller.user.name.clone())
}

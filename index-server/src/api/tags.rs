//! Tags: of a file, of all files, and beside each other.

use super::{
    Api,
    auth::Caller,
    extract::{Path, Query},
    files::in_task,
    problem::{ApiError, Problem},
    types::{PageBody, SimilarBody, TagCountBody, TaggingBody},
};
use crate::{
    catalog::{Entry, OwnerScope, Tag},
    events::Event,
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::IntoParams;

/// The kind of tags that people give.
const USER: &str = "user";
const LIMIT: u32 = 50;

/// Which kind of tag.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Kind {
    /// Without it: `user` for a new tag, any for one that is there.
    kind: Option<String>,
}

/// Which tags to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// How their names begin.
    #[serde(default)]
    prefix: String,
    /// Only this kind.
    kind: Option<String>,
    /// At most 1000.
    limit: Option<u32>,
}

/// The tags of the caller's files, the most frequent first.
#[utoipa::path(get, path = "/api/v1/tags", tag = "tags", params(Wanted),
    responses((status = 200, body = PageBody<TagCountBody>)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<PageBody<TagCountBody>>, ApiError> {
    let limit = wanted.limit.unwrap_or(LIMIT);
    let tags =
        api.catalog.tag_names(&caller.user.name, &wanted.prefix, wanted.kind.as_deref(), limit).await?;
    let items = tags.into_iter().map(|count| TagCountBody {
        name: count.tag.name().to_owned(),
        kind: count.tag.kind().to_owned(),
        files: count.files,
        score: None,
    });
    Ok(Json(items.collect::<Vec<_>>().into()))
}

/// Tags that often stand beside a tag.
#[utoipa::path(get, path = "/api/v1/tags/{tag}/related", tag = "tags", params(("tag" = String, Path), Kind),
    responses((status = 200, body = PageBody<TagCountBody>), (status = 503, body = Problem)))]
pub(super) async fn related(
    State(api): State<Api>,
    caller: Caller,
    Path(tag): Path<String>,
    Query(kind): Query<Kind>,
) -> Result<Json<PageBody<TagCountBody>>, ApiError> {
    let scope = OwnerScope::One(caller.user.name.clone());
    let name = asterism_tagger::normalise(&tag).ok_or(ApiError::NotFound("tag"))?;
    let related = api.graph.related(&scope, kind.kind.as_deref(), &name, LIMIT).await?;
    let items = related.into_iter().map(|tag| TagCountBody {
        name: tag.name,
        kind: tag.kind,
        files: tag.files,
        score: Some(tag.score),
    });
    Ok(Json(items.collect::<Vec<_>>().into()))
}

/// The tags of a file, with why.
pub(super) async fn of_file(api: &Api, file: &Entry) -> Result<Response, ApiError> {
    let tags = api.catalog.taggings(&[file.id]).await?.remove(&file.id).unwrap_or_default();
    let items: Vec<TaggingBody> = tags.into_iter().map(Into::into).collect();
    Ok(Json(PageBody::from(items)).into_response())
}

/// Files that share tags with this one.
pub(super) async fn similar(api: &Api, file: &Entry) -> Result<Response, ApiError> {
    let scope = OwnerScope::One(file.owner.clone());
    let found = api.graph.similar(&scope, file.id, LIMIT).await?;
    let items = found.into_iter().map(|similar| SimilarBody {
        path: similar.path,
        name: similar.name,
        size: similar.size,
        score: similar.score,
        shared: similar.shared,
    });
    Ok(Json(PageBody::from(items.collect::<Vec<_>>())).into_response())
}

pub(super) async fn add(
    api: &Api,
    caller: &Caller,
    file: &Entry,
    name: &str,
    kind: Kind,
) -> Result<Response, ApiError> {
    let tag = Tag::new(kind.kind.as_deref().unwrap_or(USER), name)
        .map_err(|error| ApiError::Invalid(error.to_string()))?;
    let (catalog, user, id) = (api.catalog.clone(), caller.user.name.clone(), file.id);
    let name = tag.name().to_owned();
    in_task(async move { Ok(catalog.add_user_tag(id, &tag, &user).await?) }).await?;
    tell(api, file, vec![name]);
    of_file(api, file).await
}

/// Without a kind, every tag of that name goes.
pub(super) async fn remove(
    api: &Api,
    caller: &Caller,
    file: &Entry,
    name: &str,
    kind: Kind,
) -> Result<StatusCode, ApiError> {
    let name = asterism_tagger::normalise(name).ok_or(ApiError::NotFound("tag"))?;
    let tags = api.catalog.taggings(&[file.id]).await?.remove(&file.id).unwrap_or_default();
    let wanted = |tag: &Tag| tag.name() == name && kind.kind.as_deref().is_none_or(|kind| kind == tag.kind());
    let gone: Vec<Tag> = tags.into_iter().map(|tagging| tagging.tag).filter(wanted).collect();
    if gone.is_empty() {
        return Err(ApiError::NotFound("tag"));
    }
    let (catalog, user, id) = (api.catalog.clone(), caller.user.name.clone(), file.id);
    in_task(async move {
        for tag in gone {
            catalog.remove_tag(id, &tag, &user).await?;
        }
        Ok(())
    })
    .await?;
    tell(api, file, Vec::new());
    Ok(StatusCode::NO_CONTENT)
}

/// Other open pages, and the graph, must learn of it.
fn tell(api: &Api, file: &Entry, tags: Vec<String>) {
    api.projecting.notify_one();
    api.events.publish(&file.owner, Event::FileTagged { path: file.path.to_string(), tags });
}

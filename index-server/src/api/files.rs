//! Files and folders: what is where, moving, the trash. A file's tags and its likes are below it: files have no children,
//! so `/files/a.txt/tags` can mean nothing else.

use super::{
    Api,
    auth::Caller,
    content::{with_redundancy, with_redundancy_if_known},
    extract::{JsonBody, Query},
    paths::{path, path_behind, segments},
    problem::{ApiError, Problem},
    tags,
    types::{EntryBody, FromTo, PageBody, TrashedBody, rfc3339},
};
use crate::{
    catalog::{CatalogError, Content, Entry, LogicalPath, NewFile, Replace, Restore, TrashId, UserName},
    events::Event,
    files::{DownloadError, Stored, UploadError},
};
use asterism_service::failpoint;
use axum::{
    Json,
    extract::State,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use serde::Deserialize;
use tracing::Instrument;
use utoipa::{IntoParams, ToSchema};

const FILES: &str = "/api/v1/files";
const FOLDERS: &str = "/api/v1/folders";
const PAGE: u32 = 200;

/// Which page of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    /// From the page before.
    pub(super) cursor: Option<String>,
    /// Items on the page, at most 1000.
    pub(super) limit: Option<u32>,
}

impl Paging {
    pub(super) fn limit(&self) -> u32 {
        self.limit.unwrap_or(PAGE)
    }
}

/// What to bring back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RestoreBody {
    /// Where it was; the newest from there.
    path: Option<String>,
    /// Or exactly this.
    id: Option<i64>,
}

/// A file or folder; below a file also `…/tags` and `…/similar`.
#[utoipa::path(get, path = "/api/v1/files/{path}", tag = "files", params(("path" = String, Path)),
    responses((status = 200, body = EntryBody), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn get(State(api): State<Api>, caller: Caller, uri: Uri) -> Result<Response, ApiError> {
    let segments = segments(uri.path(), FILES)?;
    if let Some((last, above)) = segments.split_last()
        && let Some(file) = file_at(&api, &caller.user.name, above).await?
    {
        return match last.as_str() {
            "tags" => tags::of_file(&api, &file).await,
            "similar" => tags::similar(&api, &file).await,
            _ => Err(ApiError::NotFound("file or folder")),
        };
    }
    let entry = api.catalog.stat(&caller.user.name, &path(&segments)?).await?;
    let id = entry.id;
    let mut body = with_redundancy(&api, entry).await?;
    if body.kind == "file" {
        let tags = api.catalog.taggings(&[id]).await?.remove(&id).unwrap_or_default();
        body.tags = Some(tags.into_iter().map(Into::into).collect());
    }
    Ok(Json(body).into_response())
}

/// The file that the segments name, if they name one.
async fn file_at(api: &Api, owner: &UserName, segments: &[String]) -> Result<Option<Entry>, ApiError> {
    if segments.is_empty() {
        return Ok(None);
    }
    match api.catalog.stat(owner, &path(segments)?).await {
        Ok(entry) => Ok((!entry.is_folder()).then_some(entry)),
        Err(CatalogError::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The file and the tag of a path `FILE/tags/TAG`.
async fn tag_at(
    api: &Api,
    owner: &UserName,
    segments: &[String],
) -> Result<Option<(Entry, String)>, ApiError> {
    match segments {
        [above @ .., tags, tag] if tags == "tags" => {
            Ok(file_at(api, owner, above).await?.map(|file| (file, tag.clone())))
        }
        _ => Ok(None),
    }
}

/// Give a file a tag: `PUT …/FILE/tags/TAG`.
#[utoipa::path(put, path = "/api/v1/files/{path}/tags/{tag}", tag = "tags",
    params(("path" = String, Path), ("tag" = String, Path), tags::Kind),
    responses((status = 200, body = PageBody<super::types::TaggingBody>), (status = 404, body = Problem)))]
pub(super) async fn put(
    State(api): State<Api>,
    caller: Caller,
    uri: Uri,
    Query(kind): Query<tags::Kind>,
) -> Result<Response, ApiError> {
    let segments = segments(uri.path(), FILES)?;
    let Some((file, tag)) = tag_at(&api, &caller.user.name, &segments).await? else {
        return Err(ApiError::NotFound("file"));
    };
    tags::add(&api, &caller, &file, &tag, kind).await
}

/// Put a file or folder into the trash; `DELETE …/FILE/tags/TAG` takes a tag from a file.
#[utoipa::path(delete, path = "/api/v1/files/{path}", tag = "files", params(("path" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    uri: Uri,
    Query(kind): Query<tags::Kind>,
) -> Result<StatusCode, ApiError> {
    let segments = segments(uri.path(), FILES)?;
    if let Some((file, tag)) = tag_at(&api, &caller.user.name, &segments).await? {
        return tags::remove(&api, &caller, &file, &tag, kind).await;
    }
    let path = path(&segments)?;
    let owner = caller.user.name;
    in_task(async move {
        api.catalog.trash(&owner, &path).await?;
        failpoint::hit("trash.committed");
        api.events.publish(&owner, Event::FileRemoved { path: path.to_string() });
        api.projecting.notify_one();
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// What is in a folder: folders first, then files, each by name.
#[utoipa::path(get, path = "/api/v1/folders/{path}", tag = "files", params(("path" = String, Path), Paging),
    responses((status = 200, body = PageBody<EntryBody>), (status = 404, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    uri: Uri,
    Query(paging): Query<Paging>,
) -> Result<Json<PageBody<EntryBody>>, ApiError> {
    let path = path_behind(uri.path(), FOLDERS)?;
    let page =
        match api.catalog.list(&caller.user.name, &path, paging.cursor.as_deref(), paging.limit()).await {
            Err(CatalogError::NotAFolder) => return Err(ApiError::NotFound("folder")),
            page => page?,
        };
    Ok(Json(PageBody { items: page.items.into_iter().map(Into::into).collect(), next: page.next }))
}

/// Make a folder and those above it.
#[utoipa::path(post, path = "/api/v1/folders/{path}", tag = "files", params(("path" = String, Path)),
    responses((status = 201, body = EntryBody), (status = 409, body = Problem)))]
pub(super) async fn mkdir(
    State(api): State<Api>,
    caller: Caller,
    uri: Uri,
) -> Result<(StatusCode, Json<EntryBody>), ApiError> {
    let path = path_behind(uri.path(), FOLDERS)?;
    in_task(async move {
        let folder = api.catalog.mkdir(&caller.user.name, &path, true).await?;
        Ok((StatusCode::CREATED, Json(folder.into())))
    })
    .await
}

/// Move or rename.
#[utoipa::path(post, path = "/api/v1/files:move", tag = "files", request_body = FromTo,
    responses((status = 200, body = EntryBody), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn move_entry(
    State(api): State<Api>,
    caller: Caller,
    JsonBody(body): JsonBody<FromTo>,
) -> Result<Json<EntryBody>, ApiError> {
    let (from, to) = (body.from.parse::<LogicalPath>()?, body.to.parse::<LogicalPath>()?);
    in_task(async move {
        let entry = api.catalog.move_entry(&caller.user.name, &from, &to).await?;
        if from != to {
            api.events.publish(&caller.user.name, Event::FileRemoved { path: from.to_string() });
            api.events.publish(&caller.user.name, Event::FileStored { path: entry.path.to_string() });
            api.projecting.notify_one();
        }
        Ok(Json(entry.into()))
    })
    .await
}

/// Copy a file. The copy has shards of its own.
#[utoipa::path(post, path = "/api/v1/files:copy", tag = "files", request_body = FromTo,
    responses((status = 201, body = EntryBody), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn copy(
    State(api): State<Api>,
    caller: Caller,
    JsonBody(body): JsonBody<FromTo>,
) -> Result<(StatusCode, Json<EntryBody>), ApiError> {
    let (from, to) = (body.from.parse::<LogicalPath>()?, body.to.parse::<LogicalPath>()?);
    in_task(async move {
        let owner = caller.user.name;
        let entry = api.catalog.stat(&owner, &from).await?;
        let content = entry.content.ok_or_else(|| ApiError::Conflict("only files can be copied".into()))?;
        // The commit decides; this only spares the nodes a copy that is refused at its end.
        match api.catalog.stat(&owner, &to).await {
            Ok(_) => return Err(ApiError::Exists("the name")),
            Err(CatalogError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let stored = copied(&api, &content).await?;
        let file = NewFile {
            owner: owner.clone(),
            path: to,
            size: stored.size,
            blake3: stored.blake3,
            media_type: stored.media_type.clone(),
            extents: stored.extents.clone(),
            replace: Replace::Never,
            idempotency: None,
            create_parents: true,
        };
        match api.catalog.commit_file(&file).await {
            Ok(committed) => {
                api.tagging.notify_one();
                api.extents.repair_if_short(&file.extents);
                api.events.publish(&owner, Event::FileStored { path: committed.entry.path.to_string() });
                Ok((StatusCode::CREATED, Json(with_redundancy_if_known(&api, committed.entry).await)))
            }
            Err(error @ CatalogError::OutcomeUnknown(_)) => Err(error.into()),
            Err(error) => {
                api.extents.abandon(stored).await;
                Err(error.into())
            }
        }
    })
    .await
}

/// The content once more, in extents of its own.
async fn copied(api: &Api, content: &Content) -> Result<Stored, ApiError> {
    let download = api.extents.open(content, 0..content.size).await?;
    let body = stream::unfold(download, async |mut download| {
        let piece = download.next().await?;
        Some((piece, download))
    });
    api.extents.store(body.boxed(), content.size).await.map_err(|error| match error {
        // Not the client's body broke off, but the reading of the original.
        UploadError::CutOff(cause) => match cause.downcast::<DownloadError>() {
            Ok(error) => ApiError::from(*error),
            Err(cause) => UploadError::CutOff(cause).into(),
        },
        error => error.into(),
    })
}

/// Bring something back from the trash to where it was.
#[utoipa::path(post, path = "/api/v1/files:restore", tag = "files", request_body = RestoreBody,
    responses((status = 200, body = EntryBody), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn restore(
    State(api): State<Api>,
    caller: Caller,
    JsonBody(body): JsonBody<RestoreBody>,
) -> Result<Json<EntryBody>, ApiError> {
    let what = match body {
        RestoreBody { path: Some(path), id: None } => Restore::Path(path.parse()?),
        RestoreBody { path: None, id: Some(id) } => Restore::Id(TrashId(id)),
        _ => return Err(ApiError::Invalid("say a path or an id".into())),
    };
    in_task(async move {
        let entry = api.catalog.restore(&caller.user.name, &what).await?;
        api.tagging.notify_one();
        api.projecting.notify_one();
        api.events.publish(&caller.user.name, Event::FileStored { path: entry.path.to_string() });
        Ok(Json(entry.into()))
    })
    .await
}

/// What is in the trash, newest first.
#[utoipa::path(get, path = "/api/v1/trash", tag = "files", params(Paging),
    responses((status = 200, body = PageBody<TrashedBody>)))]
pub(super) async fn trash(
    State(api): State<Api>,
    caller: Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<PageBody<TrashedBody>>, ApiError> {
    let page = api.catalog.trash_list(&caller.user.name, paging.cursor.as_deref(), paging.limit()).await?;
    let kept_ms = api.trash_kept.as_millis() as i64;
    let items = page.items.into_iter().map(|item| TrashedBody {
        id: item.id.0,
        path: item.path.to_string(),
        kind: if item.is_folder { "folder" } else { "file" },
        size: item.bytes,
        trashed_at: rfc3339(item.trashed_ms),
        expires_at: rfc3339(item.trashed_ms + kept_ms),
    });
    Ok(Json(PageBody { items: items.collect(), next: page.next }))
}

/// Runs a change in a task of its own, so that a client that goes away cannot cut it in half.
pub(super) async fn in_task<T: Send + 'static>(
    change: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::spawn(change.in_current_span()).await.map_err(anyhow::Error::from)?
}

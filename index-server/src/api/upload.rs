//! Content in: streamed to the nodes, then made a file by one commit.

use super::{
    Api,
    auth::Caller,
    content::{PREFIX, with_redundancy_if_known, with_redundancy_of},
    paths::path_behind,
    problem::{ApiError, Problem},
    types::EntryBody,
};
use crate::{
    catalog::{CatalogError, Idempotency, LogicalPath, NewFile, Replace},
    events::Event,
    files::Stored,
};
use asterism_service::failpoint;
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::StreamExt;
use sha2::{Digest, Sha256};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tracing::Instrument;

const KEY_BYTES_MAX: usize = 128;
/// A body of this size comes with its headers.
const BRIEF_BYTES_MAX: u64 = 32 << 10;
/// After an upload of this length it is asked once more whether its session is still good.
const LONG: Duration = Duration::from_secs(20);

/// Store a file, whole; parents are made. The answer states how many losses of nodes the file survives now.
#[utoipa::path(put, path = "/api/v1/content/{path}", tag = "files",
    params(("path" = String, Path, description = "each segment percent-encoded"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only if nothing is there"),
        ("If-Match" = Option<String>, Header, description = "an ETag: only if that version is there"),
        ("Idempotency-Key" = Option<String>, Header, description = "the same key twice happens once"),
        ("Repr-Digest" = Option<String>, Header, description = "`sha-256=:BASE64:` of the content")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = EntryBody), (status = 200, body = EntryBody, description = "a new version"),
        (status = 400, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem),
        (status = 413, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem), (status = 507, body = Problem)))]
pub(super) async fn put(
    State(api): State<Api>,
    caller: Caller,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let path = path_behind(uri.path(), PREFIX)?;
    if path.name().is_none() {
        return Err(ApiError::Conflict("the root is a folder".into()));
    }
    check_form(&headers)?;
    check_length(&api, &headers)?;
    let is_brief = length(&headers).is_some_and(|bytes| bytes <= BRIEF_BYTES_MAX);
    let upload = Upload { api, caller, path, wanted: Wanted::read(&headers)?, is_brief };
    upload.check_place().await?;
    // In a task of its own: a client that goes away cannot cut it in half.
    let task = tokio::spawn(upload.run(body).in_current_span());
    let (entry, created) = task.await.map_err(anyhow::Error::from)??;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let etag = entry.blake3.as_ref().and_then(|hash| HeaderValue::from_str(&format!("\"{hash}\"")).ok());
    let mut response = (status, Json(entry)).into_response();
    if let Some(etag) = etag {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}

/// What the headers of an upload ask for.
struct Wanted {
    replace: Replace,
    key: Option<String>,
    sha256: Option<[u8; 32]>,
}

impl Wanted {
    fn read(headers: &HeaderMap) -> Result<Self, ApiError> {
        let text = |name: &str| match headers.get(name).map(HeaderValue::to_str) {
            None => Ok(None),
            Some(Ok(text)) => Ok(Some(text.trim())),
            Some(Err(_)) => Err(ApiError::Invalid(format!("the header {name} cannot be read"))),
        };
        let replace = match (text("if-none-match")?, text("if-match")?) {
            (None, None) => Replace::Any,
            (None, Some("*")) => {
                return Err(ApiError::Invalid("If-Match takes the ETag of one version".into()));
            }
            (Some("*"), None) => Replace::Never,
            (None, Some(etag)) => Replace::IfBlake3(parse_etag(etag).ok_or(ApiError::Precondition)?),
            _ => return Err(ApiError::Invalid("an upload takes If-None-Match: * or one If-Match".into())),
        };
        let key = text("idempotency-key")?;
        if key.is_some_and(|key| key.is_empty() || key.len() > KEY_BYTES_MAX) {
            return Err(ApiError::Invalid(format!("an idempotency key has 1 to {KEY_BYTES_MAX} bytes")));
        }
        let sha256 = text("repr-digest")?.map(parse_digest).transpose()?;
        Ok(Self { replace, key: key.map(str::to_owned), sha256 })
    }
}

fn parse_etag(text: &str) -> Option<[u8; 32]> {
    Some(*blake3::Hash::from_hex(text.strip_prefix('"')?.strip_suffix('"')?).ok()?.as_bytes())
}

fn parse_digest(text: &str) -> Result<[u8; 32], ApiError> {
    let value = text.strip_prefix("sha-256=:").and_then(|rest| rest.strip_suffix(':'));
    let bytes = value.and_then(|value| STANDARD.decode(value).ok()).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| ApiError::Invalid("Repr-Digest is understood as sha-256=:BASE64:".into()))
}

/// Refuses what would be stored as something else than the client means.
fn check_form(headers: &HeaderMap) -> Result<(), ApiError> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(ApiError::Encoded);
    }
    if headers.contains_key(header::CONTENT_RANGE) {
        return Err(ApiError::Invalid("an upload is a whole file, not a range of one".into()));
    }
    Ok(())
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Refuses before the first byte what cannot fit.
fn check_length(api: &Api, headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(length) = length(headers) else { return Ok(()) };
    if length > api.upload_bytes_max {
        return Err(ApiError::TooLarge(api.upload_bytes_max));
    }
    let policy = api.extents.policy;
    let heard: Vec<u64> = api
        .members
        .all()
        .iter()
        .filter(|member| member.is_heard())
        .map(|member| member.free_bytes())
        .collect();
    let needed = (u128::from(length) * policy.total() as u128).div_ceil(policy.data() as u128);
    // With nobody heard the upload is refused for that, not for room.
    if !heard.is_empty() && heard.iter().map(|&free| u128::from(free)).sum::<u128>() < needed {
        return Err(ApiError::Full);
    }
    Ok(())
}

struct Upload {
    api: Api,
    caller: Caller,
    path: LogicalPath,
    wanted: Wanted,
    /// It is over so soon that the commit may as well be the first to refuse it.
    is_brief: bool,
}

impl Upload {
    /// Refuses before the first byte what the commit would refuse after the last one. The commit decides.
    async fn check_place(&self) -> Result<(), ApiError> {
        if self.wanted.key.is_some() {
            return Ok(()); // A repetition is no second upload.
        }
        if self.is_brief && self.wanted.replace == Replace::Any {
            return Ok(()); // Nothing is spared by asking twice.
        }
        let there = match self.api.catalog.stat(&self.caller.user.name, &self.path).await {
            Ok(entry) => Some(entry.content.ok_or(CatalogError::IsAFolder)?.blake3),
            Err(CatalogError::NotFound(_)) => None,
            Err(error) => return Err(error.into()),
        };
        match self.wanted.replace {
            Replace::Never if there.is_some() => Err(ApiError::Precondition),
            Replace::IfBlake3(expected) if there != Some(expected) => Err(ApiError::Precondition),
            _ => Ok(()),
        }
    }

    async fn run(self, body: Body) -> Result<(EntryBody, bool), ApiError> {
        let began = Instant::now();
        let digest = self.wanted.sha256.map(|_| Arc::new(Mutex::new(Sha256::new())));
        let watched = digest.clone();
        let body = body.into_data_stream().inspect(move |chunk| {
            if let (Some(digest), Ok(chunk)) = (&watched, chunk) {
                digest.lock().unwrap_or_else(PoisonError::into_inner).update(chunk);
            }
        });
        let stored = self.api.extents.store(body, self.api.upload_bytes_max).await?;
        failpoint::hit("upload.stored");
        let found =
            digest.map(|digest| digest.lock().unwrap_or_else(PoisonError::into_inner).clone().finalize());
        if found.is_some_and(|found| Some(<[u8; 32]>::from(found)) != self.wanted.sha256) {
            self.api.extents.abandon(stored).await;
            return Err(ApiError::Digest);
        }
        if began.elapsed() > LONG && !self.caller.is_still_in(&self.api).await {
            self.api.extents.abandon(stored).await;
            return Err(ApiError::Unauthenticated);
        }
        self.commit(stored).await
    }

    async fn commit(self, stored: Stored) -> Result<(EntryBody, bool), ApiError> {
        let Self { api, caller, path, wanted, .. } = self;
        let owner = caller.user.name;
        let idempotency = wanted.key.as_ref().map(|key| Idempotency {
            key: key.clone(),
            request_hash: request_hash(&path, wanted.replace, &stored.blake3),
        });
        let little = stored.little.clone().filter(|_| wanted.key.is_none());
        let file = NewFile {
            owner: owner.clone(),
            path,
            size: stored.size,
            blake3: stored.blake3,
            media_type: stored.media_type.clone(),
            extents: stored.extents.clone(),
            replace: wanted.replace,
            idempotency,
            create_parents: true,
        };
        let committed = match api.catalog.commit_file(&file).await {
            Ok(committed) => committed,
            // It may have happened: what is on the nodes must stay.
            Err(error @ CatalogError::OutcomeUnknown(_)) => return Err(error.into()),
            Err(CatalogError::Exists(_)) if wanted.replace == Replace::Never => {
                api.extents.abandon(stored).await;
                return Err(ApiError::Precondition);
            }
            Err(error) => {
                api.extents.abandon(stored).await;
                return Err(error.into());
            }
        };
        failpoint::hit("upload.committed");
        if wanted.key.is_some() {
            // If this was a repetition, the first upload's extents are the file; these here are nobody's.
            api.extents.abandon(stored).await;
        }
        if let (Some(little), Some(content)) = (little, &committed.entry.content) {
            api.extents.fresh.keep(content.id, little);
        }
        api.tagging.notify_one();
        api.extents.repair_if_short(&file.extents);
        api.events.publish(&owner, Event::FileStored { path: committed.entry.path.to_string() });
        let created = committed.created;
        let entry = match wanted.key {
            None => with_redundancy_of(&api, committed.entry, &file.extents),
            Some(_) => with_redundancy_if_known(&api, committed.entry).await,
        };
        Ok((entry, created))
    }
}

fn request_hash(path: &LogicalPath, replace: Replace, content: &[u8; 32]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{replace:?}").as_bytes()).update(content).update(path.to_string().as_bytes());
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_and_etags_are_read_exactly() {
        let digest = format!("sha-256=:{}:", STANDARD.encode([7; 32]));
        assert_eq!(parse_digest(&digest).unwrap(), [7; 32]);
        assert!(parse_digest("md5=:AAAA:").is_err());
        assert_eq!(parse_etag(&format!("\"{}\"", super::super::types::hex(&[7; 32]))), Some([7; 32]));
        assert_eq!(parse_etag("W/\"x\""), None);
    }
}

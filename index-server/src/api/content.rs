//! Content in and out.

use super::{
    Api,
    auth::Caller,
    paths::path_behind,
    problem::{ApiError, Problem},
    types::{EntryBody, hex},
};
use crate::{
    catalog::{Content, Entry, Idempotency, LogicalPath, NewFile, Replace, UserName},
    events::Event,
    files::Stored,
};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::{StreamExt, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

const PREFIX: &str = "/api/v1/content";
const KEY_BYTES_MAX: usize = 128;
/// What RFC 5987 lets stand unencoded.
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

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
) -> Result<impl IntoResponse, ApiError> {
    let path = path_behind(uri.path(), PREFIX)?;
    if path.name().is_none() {
        return Err(ApiError::Conflict("the root is a folder".into()));
    }
    let wanted = Wanted::read(&headers)?;
    check_length(&api, &headers)?;
    let upload = Upload { api, owner: caller.user.name, path, wanted };
    // In a task of its own: a client that goes away cannot cut it in half.
    let (entry, created) = tokio::spawn(upload.run(body)).await.map_err(anyhow::Error::from)??;
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

/// Refuses before the first byte what cannot fit.
fn check_length(api: &Api, headers: &HeaderMap) -> Result<(), ApiError> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let Some(length) = length else { return Ok(()) };
    if length > api.upload_bytes_max {
        return Err(ApiError::TooLarge(api.upload_bytes_max));
    }
    let policy = api.extents.policy;
    let heard: Vec<u64> =
        api.members.all().iter().filter(|member| member.is_heard()).map(|member| member.free_bytes()).collect();
    let needed = (u128::from(length) * policy.total() as u128).div_ceil(policy.data() as u128);
    // With nobody heard the upload is refused for that, not for room.
    if !heard.is_empty() && heard.iter().map(|&free| u128::from(free)).sum::<u128>() < needed {
        return Err(ApiError::Full);
    }
    Ok(())
}

struct Upload {
    api: Api,
    owner: UserName,
    path: LogicalPath,
    wanted: Wanted,
}

impl Upload {
    async fn run(self, body: Body) -> Result<(EntryBody, bool), ApiError> {
        let digest = self.wanted.sha256.map(|_| Arc::new(Mutex::new(Sha256::new())));
        let watched = digest.clone();
        let body = body.into_data_stream().inspect(move |chunk| {
            if let (Some(digest), Ok(chunk)) = (&watched, chunk) {
                digest.lock().unwrap_or_else(PoisonError::into_inner).update(chunk);
            }
        });
        let stored = self.api.extents.store(body, self.api.upload_bytes_max).await?;
        let found = digest.map(|digest| digest.lock().unwrap_or_else(PoisonError::into_inner).clone().finalize());
        if found.is_some_and(|found| Some(<[u8; 32]>::from(found)) != self.wanted.sha256) {
            self.api.extents.abandon(stored).await;
            return Err(ApiError::Digest);
        }
        self.commit(stored).await
    }

    async fn commit(self, stored: Stored) -> Result<(EntryBody, bool), ApiError> {
        let Self { api, owner, path, wanted } = self;
        let idempotency = wanted.key.as_ref().map(|key| Idempotency {
            key: key.clone(),
            request_hash: request_hash(&path, wanted.replace, &stored.blake3),
        });
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
            Err(error @ crate::catalog::CatalogError::OutcomeUnknown(_)) => return Err(error.into()),
            Err(crate::catalog::CatalogError::Exists(_)) if wanted.replace == Replace::Never => {
                api.extents.abandon(stored).await;
                return Err(ApiError::Precondition);
            }
            Err(error) => {
                api.extents.abandon(stored).await;
                return Err(error.into());
            }
        };
        if wanted.key.is_some() {
            // If this was a repetition, the first upload's extents are the file; these here are nobody's.
            api.extents.abandon(stored).await;
        }
        api.tagging.notify_one();
        if !file.extents.iter().all(|extent| extent.short_slots.is_empty()) {
            api.extents.repair.notify_one();
        }
        api.events.publish(&owner, Event::FileStored { path: committed.entry.path.to_string() });
        let created = committed.created;
        Ok((with_redundancy(&api, committed.entry).await?, created))
    }
}

fn request_hash(path: &LogicalPath, replace: Replace, content: &[u8; 32]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{replace:?}").as_bytes()).update(content).update(path.to_string().as_bytes());
    *hasher.finalize().as_bytes()
}

/// A file with the number of losses that it survives now.
pub(super) async fn with_redundancy(api: &Api, entry: Entry) -> Result<EntryBody, ApiError> {
    let mut redundancy = None;
    if let Some(content) = &entry.content {
        let rows = api.catalog.extents(content.id, 0..u64::MAX).await?;
        let live = api.members.live();
        // A file without content cannot be lost with any node; it says what the policy promises.
        let promised = api.extents.policy.parity() as i32;
        redundancy = Some(rows.iter().filter_map(|row| api.extents.margin(row, &live)).min().unwrap_or(promised));
    }
    Ok(EntryBody { redundancy, ..entry.into() })
}

/// Fetch a file, or a range of it.
#[utoipa::path(get, path = "/api/v1/content/{path}", tag = "files",
    params(("path" = String, Path), ("Range" = Option<String>, Header, description = "one range of bytes"),
        ("If-None-Match" = Option<String>, Header)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 206), (status = 304),
        (status = 404, body = Problem), (status = 416, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller,
    uri: Uri,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let path = path_behind(uri.path(), PREFIX)?;
    let entry = api.catalog.stat(&caller.user.name, &path).await?;
    let Some(content) = entry.content.clone() else {
        return Err(ApiError::Conflict("it is a folder".into()));
    };
    let etag = format!("\"{}\"", hex(&content.blake3));
    let matches = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if matches(header::IF_NONE_MATCH).is_some_and(|known| known == "*" || known.split(',').any(|tag| tag.trim() == etag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let wanted = headers.get(header::RANGE).filter(|_| matches(header::IF_RANGE).is_none_or(|version| version == etag));
    let range = wanted.map(|range| parse_range(range, content.size)).transpose()?;
    let (status, bytes) = match &range {
        Some(range) => (StatusCode::PARTIAL_CONTENT, range.clone()),
        None => (StatusCode::OK, 0..content.size),
    };
    let body = if method == Method::HEAD { Body::empty() } else { body(&api, &content, bytes.clone()).await? };
    let mut response = (status, body).into_response();
    describe(response.headers_mut(), &entry, &content, &etag, &bytes, range.is_some())?;
    Ok(response)
}

async fn body(api: &Api, content: &Content, bytes: Range<u64>) -> Result<Body, ApiError> {
    let download = api.extents.open(content, bytes).await?;
    Ok(Body::from_stream(stream::unfold(download, async |mut download| {
        let piece = download.next().await?;
        Some((piece, download))
    })))
}

fn describe(
    headers: &mut HeaderMap,
    entry: &Entry,
    content: &Content,
    etag: &str,
    bytes: &Range<u64>,
    partial: bool,
) -> Result<(), ApiError> {
    let name = utf8_percent_encode(entry.path.name().unwrap_or_default(), ATTRIBUTE).to_string();
    let value = |text: String| HeaderValue::from_str(&text).map_err(anyhow::Error::from);
    headers.insert(header::ETAG, value(etag.into())?);
    headers.insert(header::CONTENT_TYPE, value(content.media_type.clone())?);
    headers.insert(header::CONTENT_LENGTH, (bytes.end - bytes.start).into());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_DISPOSITION, value(format!("attachment; filename*=UTF-8''{name}"))?);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    // What people stored never runs in our origin.
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    if partial {
        let last = bytes.end.saturating_sub(1);
        headers.insert(header::CONTENT_RANGE, value(format!("bytes {}-{last}/{}", bytes.start, content.size))?);
    }
    Ok(())
}

/// One range of bytes. More than one, or none that the file has, is refused: a client asks again for what it needs.
fn parse_range(value: &HeaderValue, size: u64) -> Result<Range<u64>, ApiError> {
    let refused = ApiError::Range(size);
    let range = || {
        let (first, last) = value.to_str().ok()?.trim().strip_prefix("bytes=")?.split_once('-')?;
        let range = match (first.trim(), last.trim()) {
            ("", last) => size.saturating_sub(last.parse().ok()?)..size,
            (first, "") => first.parse().ok()?..size,
            (first, last) => first.parse().ok()?..last.parse::<u64>().ok()?.saturating_add(1).min(size),
        };
        (range.start < range.end).then_some(range)
    };
    range().ok_or(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(range: &str, expected: Option<Range<u64>>) {
        let parsed = parse_range(&HeaderValue::from_str(range).unwrap(), 100);
        assert_eq!(parsed.ok(), expected, "{range}");
    }

    #[test]
    fn ranges_are_within_the_file_or_refused() {
        check("bytes=0-9", Some(0..10));
        check("bytes=90-", Some(90..100));
        check("bytes=-1", Some(99..100));
        check("bytes=-500", Some(0..100));
        check("bytes=50-18446744073709551615", Some(50..100));
        for bad in ["bytes=5-2", "bytes=100-", "bytes=-0", "bytes=a-b", "bytes=0-1,5-6", "lines=0-9", "bytes=99999999999999999999-"] {
            check(bad, None);
        }
    }

    #[test]
    fn digests_and_etags_are_read_exactly() {
        let digest = format!("sha-256=:{}:", STANDARD.encode([7; 32]));
        assert_eq!(parse_digest(&digest).unwrap(), [7; 32]);
        assert!(parse_digest("md5=:AAAA:").is_err());
        assert_eq!(parse_etag(&format!("\"{}\"", hex(&[7; 32]))), Some([7; 32]));
        assert_eq!(parse_etag("W/\"x\""), None);
    }
}

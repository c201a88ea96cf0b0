//! Content out.

use super::{
    Api,
    auth::Caller,
    paths::path_behind,
    problem::{ApiError, Problem},
    types::{EntryBody, hex},
};
use crate::{
    catalog::{Content, Entry, LogicalPath, NewExtent},
    files::Download,
};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use futures::stream;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::{
    ops::Range,
    time::{Duration, Instant},
};

/// Before the path of a file.
pub(super) const PREFIX: &str = "/api/v1/content";
/// During a long download it is asked this often whether its session is still good.
pub(super) const STILL_IN: Duration = Duration::from_secs(20);
/// What RFC 5987 lets stand unencoded.
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A file with the number of losses that it survives now.
pub(super) async fn with_redundancy(api: &Api, entry: Entry) -> Result<EntryBody, ApiError> {
    let mut redundancy = None;
    if let Some(content) = &entry.content {
        let rows = api.catalog.extents(content.id, 0..u64::MAX).await?;
        let live = api.members.live();
        // A file without content cannot be lost with any node; it says what the policy promises.
        let promised = api.extents.policy.parity() as i32;
        redundancy =
            Some(rows.iter().filter_map(|row| api.extents.margin(row, &live)).min().unwrap_or(promised));
    }
    Ok(EntryBody { redundancy, ..entry.into() })
}

/// The same of a file that was committed a moment ago with these extents.
pub(super) fn with_redundancy_of(api: &Api, entry: Entry, extents: &[NewExtent]) -> EntryBody {
    let live = api.members.live();
    let margin = |extent: &NewExtent| api.extents.margin_of_new(extent, &live);
    let promised = api.extents.policy.parity() as i32;
    let redundancy = Some(extents.iter().filter_map(margin).min().unwrap_or(promised));
    EntryBody { redundancy, ..entry.into() }
}

/// The same of a file that was committed by an earlier request; its commit stands whether the database can be asked once more or not.
pub(super) async fn with_redundancy_if_known(api: &Api, entry: Entry) -> EntryBody {
    match with_redundancy(api, entry.clone()).await {
        Ok(body) => body,
        Err(error) => {
            tracing::warn!(%error, "redundancy of a new file is not known");
            entry.into()
        }
    }
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
    let is_head = method == Method::HEAD;
    match answer(&api, &caller, &path, is_head, &headers).await {
        // Replaced between the look at its name and the look at its extents: once more, by the new version.
        Err(ApiError::NotFound("content")) => answer(&api, &caller, &path, is_head, &headers).await,
        answered => answered,
    }
}

async fn answer(
    api: &Api,
    caller: &Caller,
    path: &LogicalPath,
    is_head: bool,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let entry = api.catalog.stat(&caller.user.name, path).await?;
    let Some(content) = entry.content.clone() else {
        return Err(ApiError::Conflict("it is a folder".into()));
    };
    let etag = format!("\"{}\"", hex(&content.blake3));
    let matches = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if matches(header::IF_NONE_MATCH)
        .is_some_and(|known| known == "*" || known.split(',').any(|tag| tag.trim() == etag))
    {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let wanted = headers
        .get(header::RANGE)
        .filter(|_| matches(header::IF_RANGE).is_none_or(|version| version == etag));
    let range = wanted.map(|range| parse_range(range, content.size)).transpose()?;
    let (status, bytes) = match &range {
        Some(range) => (StatusCode::PARTIAL_CONTENT, range.clone()),
        None => (StatusCode::OK, 0..content.size),
    };
    let body = if is_head { Body::empty() } else { body(api, caller, &content, bytes.clone()).await? };
    let mut response = (status, body).into_response();
    describe(response.headers_mut(), &entry, &content, &etag, &bytes, range.is_some())?;
    Ok(response)
}

async fn body(api: &Api, caller: &Caller, content: &Content, bytes: Range<u64>) -> Result<Body, ApiError> {
    let download = api.extents.open(content, bytes).await?;
    let sending = Sending { download, api: api.clone(), caller: caller.clone(), asked: Instant::now() };
    Ok(Body::from_stream(stream::try_unfold(sending, Sending::next)))
}

/// A download on its way to somebody who may lose the right to it.
pub(super) struct Sending {
    pub(super) download: Download,
    pub(super) api: Api,
    pub(super) caller: Caller,
    /// When it was last certain that the session is good.
    pub(super) asked: Instant,
}

impl Sending {
    /// The next piece; an error breaks the body off, which no client takes for its end.
    pub(super) async fn next(mut self) -> Result<Option<(Bytes, Self)>, ApiError> {
        if self.asked.elapsed() > STILL_IN {
            if !self.caller.is_still_in(&self.api).await {
                return Err(ApiError::Unauthenticated);
            }
            self.asked = Instant::now();
        }
        let piece = self.download.next().await.transpose()?;
        Ok(piece.map(|piece| (piece, self)))
    }
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
        headers
            .insert(header::CONTENT_RANGE, value(format!("bytes {}-{last}/{}", bytes.start, content.size))?);
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
        for bad in [
            "bytes=5-2",
            "bytes=100-",
            "bytes=-0",
            "bytes=a-b",
            "bytes=0-1,5-6",
            "lines=0-9",
            "bytes=99999999999999999999-",
        ] {
            check(bad, None);
        }
    }
}

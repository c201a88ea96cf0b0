//! What goes in comes out, and nothing else stays behind.

use super::TestBed;
use crate::test_bed::noise;
use axum::body::{Body, Bytes};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::{future::join_all, stream};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::convert::Infallible;

const KIB: usize = 1 << 10;
/// Content of a full stripe with four data shards.
const STRIPE: usize = 1 << 20;
const EXTENT: usize = 64 << 20;

/// Comes in pieces of changing, odd sizes, without a length.
fn in_pieces(content: &[u8]) -> Body {
    let (mut pieces, mut rest, mut size) = (Vec::new(), content, 1);
    while !rest.is_empty() {
        let (piece, next) = rest.split_at(size.min(rest.len()));
        pieces.push(Ok::<_, Infallible>(Bytes::copy_from_slice(piece)));
        (rest, size) = (next, size * 3 % 300_007 + 1);
    }
    Body::from_stream(stream::iter(pieces))
}

async fn check(bed: &TestBed, bytes: usize, shards: usize) {
    let (path, content) = (format!("/sizes/{bytes}"), noise(bytes, bytes as u64));
    let file = bed.put("editor", &path, in_pieces(&content)).await;
    assert_eq!((&file["size"], &file["redundancy"]), (&json!(bytes), &json!(2)), "{file}");
    assert_eq!(file["blake3"], blake3::hash(&content).to_hex().to_string());
    let extents = bed.extents_of("editor", &path).await;
    assert_eq!(
        extents.iter().map(|extent| bed.shards.census(extent)).sum::<usize>(),
        shards,
        "{bytes} bytes"
    );
    assert_eq!(bed.content("editor", &path).await, content, "{bytes} bytes");
    for (first, last) in
        [(0, 0), (bytes / 2, bytes / 2 + 999), (bytes.saturating_sub(1), bytes + 5), (1, bytes)]
    {
        check_range(bed, &path, &content, first, last).await;
    }
}

async fn check_range(bed: &TestBed, path: &str, content: &[u8], first: usize, last: usize) {
    let target = format!("/api/v1/content{path}");
    let answer =
        bed.asks("editor", "GET", &target).header("range", format!("bytes={first}-{last}")).send().await;
    let end = (last + 1).min(content.len());
    if first >= end {
        let answer = answer.refused(416, "range_not_satisfiable");
        assert_eq!(answer.header("content-range"), format!("bytes */{}", content.len()));
        return;
    }
    let answer = answer.is(206);
    assert_eq!(answer.bytes()[..], content[first..end], "{path} {first}-{last}");
    assert_eq!(answer.header("content-range"), format!("bytes {first}-{}/{}", end - 1, content.len()));
    assert_eq!(answer.header("content-length"), (end - first).to_string());
}

#[tokio::test]
async fn every_size_comes_back() {
    let bed = TestBed::start().await;
    for (bytes, shards) in [
        (0, 0),
        (1, 3),
        (32 * KIB, 3),
        (32 * KIB + 1, 6),
        (STRIPE - 1, 6),
        (STRIPE, 6),
        (STRIPE + 1, 6),
        (3 * STRIPE + 1, 6),
    ] {
        check(&bed, bytes, shards).await;
    }
}

#[tokio::test]
async fn a_file_larger_than_an_extent_has_two() {
    let bed = TestBed::start().await;
    check(&bed, EXTENT + 1, 12).await;
    let content = noise(EXTENT + 1, EXTENT as u64 + 1);
    let path = format!("/sizes/{}", EXTENT + 1);
    check_range(&bed, &path, &content, EXTENT - 10, EXTENT).await;
}

#[tokio::test]
async fn a_new_file_is_201_and_a_new_version_200() {
    let bed = TestBed::start().await;
    let put =
        |content: &'static str| bed.asks("editor", "PUT", "/api/v1/content/a/b.txt").body(content).send();
    let first = put("one").await.is(201);
    assert_eq!(first.header("etag"), format!("\"{}\"", first.json()["blake3"].as_str().unwrap()));
    let second = put("two").await.is(200);
    assert_ne!(first.header("etag"), second.header("etag"));
    assert_eq!(bed.content("editor", "/a/b.txt").await, b"two");
    bed.leaks_nothing(&[("editor", "/a/b.txt")]).await;
    bed.asks("editor", "PUT", "/api/v1/content/a").body("x").send().await.refused(409, "conflict");
    bed.asks("editor", "PUT", "/api/v1/content/a/b.txt/c").body("x").send().await.refused(409, "conflict");
    bed.asks("editor", "PUT", "/api/v1/content/").body("x").send().await.refused(404, "not_found");
    bed.leaks_nothing(&[("editor", "/a/b.txt")]).await;
}

#[tokio::test]
async fn conditions_hold_or_nothing_happens() {
    let bed = TestBed::start().await;
    let put = |header: &'static str, value: String| {
        bed.asks("editor", "PUT", "/api/v1/content/f").header(header, value).body("new").send()
    };
    let other = format!("\"{}\"", "ab".repeat(32));
    put("if-match", other.clone()).await.refused(412, "precondition_failed");
    let etag = put("if-none-match", "*".into()).await.is(201).header("etag").to_owned();
    put("if-none-match", "*".into()).await.refused(412, "precondition_failed");
    put("if-match", other).await.refused(412, "precondition_failed");
    put("if-match", format!("W/{etag}")).await.refused(412, "precondition_failed");
    put("if-match", "*".into()).await.refused(400, "invalid_request");
    put("if-none-match", etag.clone()).await.refused(400, "invalid_request");
    put("if-match", etag).await.is(200);
    bed.leaks_nothing(&[("editor", "/f")]).await;
}

#[tokio::test]
async fn of_many_first_uploads_one_is_the_first() {
    let bed = TestBed::start().await;
    let put = |number: usize| {
        let content = noise(50_000, number as u64);
        bed.asks("editor", "PUT", "/api/v1/content/race").header("if-none-match", "*").body(content).send()
    };
    let answers = join_all((0..6).map(put)).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.status == 412).count(), 5, "{answers:?}");
    bed.leaks_nothing(&[("editor", "/race")]).await;
}

#[tokio::test]
async fn a_named_upload_happens_once() {
    let bed = TestBed::start().await;
    let put = |path: &'static str, key: &'static str, content: &'static str| {
        let target = format!("/api/v1/content/{path}");
        bed.asks("editor", "PUT", &target).header("idempotency-key", key).body(content).send()
    };
    let first = put("a", "key-1", "content").await.is(201);
    let again = put("a", "key-1", "content").await.is(201);
    assert_eq!((first.json(), first.header("etag")), (again.json(), again.header("etag")));
    put("a", "key-1", "other content").await.refused(409, "conflict");
    put("b", "key-1", "content").await.refused(409, "conflict");
    bed.leaks_nothing(&[("editor", "/a")]).await;
    put("a", "key-2", "content").await.is(200);
    let other = bed.asks("admin", "PUT", "/api/v1/content/a").header("idempotency-key", "key-1").body("mine");
    other.send().await.is(201);
    bed.leaks_nothing(&[("editor", "/a"), ("admin", "/a")]).await;
    let key = "k".repeat(129);
    for key in ["", &key] {
        let ask = bed.asks("editor", "PUT", "/api/v1/content/c").header("idempotency-key", key).body("x");
        ask.send().await.refused(400, "invalid_request");
    }
}

#[tokio::test]
async fn many_repetitions_at_once_are_one_upload() {
    let bed = TestBed::start().await;
    let put = |_| {
        let ask = bed.asks("editor", "PUT", "/api/v1/content/once").header("idempotency-key", "k");
        ask.body(noise(40_000, 1)).send()
    };
    let answers = join_all((0..6).map(put)).await;
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    bed.leaks_nothing(&[("editor", "/once")]).await;
}

#[tokio::test]
async fn content_is_what_its_digest_says_or_not_stored() {
    let bed = TestBed::start().await;
    let put = |digest: String| {
        bed.asks("editor", "PUT", "/api/v1/content/d").header("repr-digest", digest).body("content").send()
    };
    let digest = |content: &str| format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(content)));
    put(digest("other")).await.refused(422, "digest_mismatch");
    put("md5=:AAAA:".into()).await.refused(400, "invalid_request");
    put("sha-256=AAAA".into()).await.refused(400, "invalid_request");
    bed.asks("editor", "GET", "/api/v1/files/d").send().await.is(404);
    bed.leaks_nothing(&[]).await;
    put(digest("content")).await.is(201);
}

#[tokio::test]
async fn what_would_be_stored_as_something_else_is_refused() {
    let bed = TestBed::start().await;
    let put = |name: &'static str, value: &'static str| {
        bed.asks("editor", "PUT", "/api/v1/content/e").header(name, value).body("x").send()
    };
    put("content-encoding", "gzip").await.refused(415, "unsupported_media_type");
    put("content-range", "bytes 0-0/2").await.refused(400, "invalid_request");
    put("content-encoding", "identity").await.is(201);
}

#[tokio::test]
async fn what_cannot_fit_is_refused_before_the_first_byte() {
    let bed = TestBed::with(|api| api.upload_bytes_max = 1 << 43).await;
    let put = |length: &'static str| {
        bed.asks("editor", "PUT", "/api/v1/content/big").header("content-length", length).body(never()).send()
    };
    put("8796093022209").await.refused(413, "payload_too_large");
    put("8796093022208").await.refused(507, "insufficient_storage");
    assert_eq!(bed.shard_count(), 0);
}

/// A body that must not be read.
fn never() -> Body {
    Body::from_stream(stream::poll_fn(|_| -> std::task::Poll<Option<Result<Bytes, Infallible>>> {
        panic!("the body was read")
    }))
}

#[tokio::test]
async fn a_body_without_a_length_is_bounded_too() {
    let bed = TestBed::with(|api| api.upload_bytes_max = 3_000_000).await;
    let put = |bytes: usize| {
        bed.asks("editor", "PUT", "/api/v1/content/l").body(in_pieces(&noise(bytes, 1))).send()
    };
    put(3_000_001).await.refused(413, "payload_too_large");
    bed.asks("editor", "GET", "/api/v1/files/l").send().await.is(404);
    bed.leaks_nothing(&[]).await;
    put(3_000_000).await.is(201);
}

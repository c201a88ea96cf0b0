//! Right bytes, or a clear error, or a body that breaks; never wrong or short ones.

use super::TestBed;
use crate::{
    api::{
        auth::Caller,
        content::{STILL_IN, Sending},
    },
    test_bed::noise,
};
use asterism_cluster::memory::Fault;
use axum::http::{HeaderMap, Method, header};
use std::time::Instant;

const TARGET: &str = "/api/v1/content/f";

async fn with_file(bytes: usize) -> (TestBed, Vec<u8>) {
    let (bed, content) = (TestBed::start().await, noise(bytes, 1));
    bed.put("editor", "/f", content.clone()).await;
    (bed, content)
}

#[tokio::test]
async fn two_dead_nodes_are_no_hindrance() {
    for (first, second) in [(0, 1), (2, 5), (3, 4)] {
        let (bed, content) = with_file(3_000_000).await;
        bed.kill(first);
        bed.bury(second).await;
        assert_eq!(bed.content("editor", "/f").await, content, "without {first} and {second}");
    }
}

#[tokio::test]
async fn three_dead_nodes_are_told_before_the_body() {
    let (bed, _) = with_file(3_000_000).await;
    (0..3).for_each(|node| bed.kill(node));
    let answer = bed.asks("editor", "GET", TARGET).send().await.refused(503, "too_few_nodes");
    assert_eq!(answer.json()["detail"], "only 3 of at least 4 storage nodes are there");
    assert!(!answer.header("retry-after").is_empty());
    bed.asks("editor", "HEAD", TARGET).send().await.is(200);
    for node in 0..3 {
        bed.bury(node).await;
    }
    assert_eq!(bed.get("editor", "/api/v1/files/f").await["redundancy"], -1);
}

#[tokio::test]
async fn a_failure_in_the_middle_breaks_the_body() {
    let (bed, content) = with_file(5_000_000).await;
    (0..3).for_each(|node| bed.shards.set_fault(bed.nodes[node], Fault::DiesAfter(2)));
    let answer = bed.asks("editor", "GET", TARGET).send().await.is(200);
    assert_eq!(answer.header("content-length"), content.len().to_string());
    assert!(answer.body.is_err(), "a client must not take it for the end");
    let range =
        bed.asks("editor", "GET", TARGET).header("range", "bytes=1000000-4999999").send().await.is(206);
    assert!(range.body.is_err());
    // What lies before the damage is still to be had.
    let range = bed.asks("editor", "GET", TARGET).header("range", "bytes=0-1999999").send().await.is(206);
    assert_eq!(range.bytes()[..], content[..2_000_000]);
}

#[tokio::test]
async fn damaged_shards_are_read_around_and_noted() {
    let (bed, content) = with_file(3_000_000).await;
    let extent = bed.extents_of("editor", "/f").await.remove(0);
    for slot in [0, 3] {
        assert!(bed.shards.flip(extent.nodes[slot], extent.key(slot), 1, 77));
    }
    assert_eq!(bed.content("editor", "/f").await, content);
    let short = bed.catalog.short_all(None, 10).await.unwrap();
    assert_eq!(short.iter().map(|extent| extent.slots.clone()).collect::<Vec<_>>(), [[0, 3]]);
    assert_eq!(bed.get("editor", "/api/v1/files/f").await["redundancy"], 0);
    // The same cell of a third shard: too few are left of that stripe, however often the bad ones are asked.
    assert!(bed.shards.flip(extent.nodes[1], extent.key(1), 1, 7));
    let answer = bed.asks("editor", "GET", TARGET).send().await;
    assert!(answer.status == 503 || answer.body.is_err(), "{answer:?}");
}

#[tokio::test]
async fn shards_that_are_gone_are_noted_and_silent_nodes_are_not() {
    let (bed, content) = with_file(200_000).await;
    bed.shards.wipe(bed.nodes[1]);
    bed.kill(2);
    assert_eq!(bed.content("editor", "/f").await, content);
    let extent = bed.extents_of("editor", "/f").await.remove(0);
    let wiped = extent.nodes.iter().position(|node| *node == bed.nodes[1]).unwrap() as u8;
    let short = bed.catalog.short_all(None, 10).await.unwrap();
    let noted: Vec<u8> = short.into_iter().flat_map(|extent| extent.slots).collect();
    assert!(noted.iter().all(|slot| *slot == wiped), "only a healthy node's word is proof: {noted:?}");
}

#[tokio::test]
async fn what_the_browser_has_is_not_sent_again() {
    let (bed, content) = with_file(1000).await;
    let etag = bed.asks("editor", "GET", TARGET).send().await.is(200).header("etag").to_owned();
    let get =
        |name: &'static str, value: String| bed.asks("editor", "GET", TARGET).header(name, value).send();
    for known in [etag.clone(), "*".into(), format!("\"x\", {etag}")] {
        assert!(get("if-none-match", known).await.is(304).bytes().is_empty());
    }
    get("if-none-match", "\"x\"".into()).await.is(200);
    let part = |version: String| {
        bed.asks("editor", "GET", TARGET).header("range", "bytes=0-9").header("if-range", version).send()
    };
    assert_eq!(part(etag).await.is(206).bytes()[..], content[..10]);
    assert_eq!(part("\"x\"".into()).await.is(200).bytes()[..], content[..]);
}

#[tokio::test]
async fn ranges_that_are_none_are_refused() {
    let (bed, _) = with_file(100).await;
    let many = format!("bytes={}", "0-1,".repeat(10_000));
    for range in [
        "bytes=5-2",
        "bytes=100-",
        "bytes=-0",
        "bytes=x-y",
        "lines=1-2",
        "bytes=0-1,3-4",
        &many,
        "bytes=18446744073709551616-",
        "bytes=-",
    ] {
        let answer = bed.asks("editor", "GET", TARGET).header("range", range).send().await;
        answer.refused(416, "range_not_satisfiable");
    }
    let all = bed
        .asks("editor", "GET", TARGET)
        .header("range", "bytes=0-18446744073709551615")
        .send()
        .await
        .is(206);
    assert_eq!(all.bytes().len(), 100);
    assert_eq!(
        bed.asks("editor", "GET", TARGET).header("range", "bytes=-7").send().await.is(206).bytes().len(),
        7
    );
}

#[tokio::test]
async fn what_people_stored_does_not_run_here() {
    let bed = TestBed::start().await;
    bed.put("editor", "/page.html", "<!doctype html><script>alert(1)</script>").await;
    bed.put("editor", "/pic.svg", "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
        .await;
    for path in ["page.html", "pic.svg"] {
        let answer = bed.asks("editor", "GET", &format!("/api/v1/content/{path}")).send().await.is(200);
        assert_eq!(answer.header("content-security-policy"), "sandbox; default-src 'none'");
        assert!(answer.header("content-disposition").starts_with("attachment; "));
        assert_eq!(answer.header("cache-control"), "private, no-cache");
    }
}

#[tokio::test]
async fn head_says_what_get_would() {
    let (bed, _) = with_file(70_000).await;
    let get = bed.asks("editor", "GET", TARGET).send().await.is(200);
    let head = bed.asks("editor", "HEAD", TARGET).send().await.is(200);
    assert!(head.bytes().is_empty());
    for name in ["content-length", "etag", "content-type", "content-disposition", "accept-ranges"] {
        assert_eq!(head.header(name), get.header(name));
        assert!(!head.header(name).is_empty(), "{name}");
    }
    bed.asks("editor", "HEAD", "/api/v1/content/none").send().await.is(404);
    bed.asks("editor", "POST", "/api/v1/folders/d").send().await.is(201);
    bed.asks("editor", "GET", "/api/v1/content/d").send().await.refused(409, "conflict");
}

/// A download whose session was last seen so long ago that it is looked at again.
async fn long_download(bed: &TestBed) -> Sending {
    let token = HeaderMap::from_iter([(header::AUTHORIZATION, "Bearer editor".parse().unwrap())]);
    let caller = Caller::authenticate(&bed.api, &Method::GET, &token).await.unwrap();
    let entry = bed.catalog.stat(&caller.user.name, &"/f".parse().unwrap()).await.unwrap();
    let content = entry.content.unwrap();
    let download = bed.api.extents.open(&content, 0..content.size).await.unwrap();
    let asked = Instant::now().checked_sub(STILL_IN * 2).unwrap();
    Sending { download, api: bed.api.clone(), caller, asked }
}

#[tokio::test]
async fn a_download_ends_with_its_session() {
    let (bed, _) = with_file(3_000_000).await;
    let (_, going_on) = long_download(&bed).await.next().await.unwrap().unwrap();
    assert!(going_on.asked.elapsed() < STILL_IN, "the session is good");
    let cut_off = long_download(&bed).await;
    bed.asks("editor", "DELETE", "/api/v1/session").send().await.is(204);
    assert!(cut_off.next().await.is_err());
    assert!(going_on.next().await.is_ok(), "until it is asked again");
}

//! What each change tells the page.

use super::TestBed;
use crate::events::Event;
use serde_json::json;

/// Events since the last look.
fn news(bed: &TestBed, seen: &mut u64) -> Vec<Event> {
    let (missed, _) = bed.api.events.subscribe(Some(*seen));
    *seen = missed.last().map_or(*seen, |last| last.seq);
    missed.into_iter().map(|event| event.event).collect()
}

fn stored(path: &str) -> Event {
    Event::FileStored { path: path.into() }
}

fn removed(path: &str) -> Event {
    Event::FileRemoved { path: path.into() }
}

#[tokio::test]
async fn each_change_is_told_once() {
    let (bed, mut seen) = (TestBed::start().await, 0);
    bed.put("editor", "/a", "x").await;
    assert_eq!(news(&bed, &mut seen), [stored("/a")]);
    let call = |verb: &'static str, body: serde_json::Value| {
        bed.asks("editor", "POST", &format!("/api/v1/files:{verb}")).json(&body).send()
    };
    call("move", json!({"from": "/a", "to": "/b"})).await.is(200);
    assert_eq!(news(&bed, &mut seen), [removed("/a"), stored("/b")]);
    call("move", json!({"from": "/b", "to": "/b"})).await.is(200);
    assert_eq!(news(&bed, &mut seen), []);
    call("copy", json!({"from": "/b", "to": "/c"})).await.is(201);
    assert_eq!(news(&bed, &mut seen), [stored("/c")]);
    bed.asks("editor", "DELETE", "/api/v1/files/c").send().await.is(204);
    assert_eq!(news(&bed, &mut seen), [removed("/c")]);
    call("restore", json!({"path": "/c"})).await.is(200);
    assert_eq!(news(&bed, &mut seen), [stored("/c")]);
    bed.asks("editor", "PUT", "/api/v1/files/c/tags/Sea").send().await.is(200);
    assert_eq!(news(&bed, &mut seen), [Event::FileTagged { path: "/c".into(), tags: vec!["sea".into()] }]);
    call("move", json!({"from": "/none", "to": "/b"})).await.is(404);
    assert_eq!(news(&bed, &mut seen), []);
}

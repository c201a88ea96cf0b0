//! Names from outside: stored exactly, or refused with the right code.

use super::{TestBed, encoded};
use serde_json::json;

#[tokio::test]
async fn paths_that_lead_elsewhere_are_refused_on_every_way_in() {
    let bed = TestBed::start().await;
    bed.put("editor", "/here", "x").await;
    let long = "a".repeat(256);
    let deep = "d/".repeat(130);
    let longer = "e".repeat(5000);
    for path in [
        "..",
        "../etc/passwd",
        "a/..",
        "a/../b",
        ".",
        "a/./b",
        "%2e%2e",
        "%2E%2e/x",
        "a/%2e%2e/%2e%2e/etc",
        "..%2fetc",
        "a%2fb",
        "a%2F..%2Fb",
        "a%00b",
        "%00",
        "a%0ab",
        "a%0d%0aSet-Cookie:x",
        "a%1b%5b31m",
        "a%7f",
        "a//b",
        "/a",
        "/",
        "a//",
        "%ff%fe",
        "a%C0%AFb",
        "%ED%A0%80",
        &long,
        &deep,
        &longer,
    ] {
        for (method, route) in [
            ("PUT", "content"),
            ("GET", "content"),
            ("GET", "files"),
            ("DELETE", "files"),
            ("POST", "folders"),
            ("GET", "folders"),
        ] {
            let answer =
                bed.asks("editor", method, &format!("/api/v1/{route}/{path}")).body("x").send().await;
            answer.refused(400, "invalid_path");
        }
    }
    for path in [
        "",
        "a",
        "../a",
        "C:\\x",
        "\\\\host\\x",
        "/..",
        "/a/../b",
        "//",
        "/a//b",
        "/a\0b",
        "/a\nb",
        "/a\u{7f}",
    ] {
        for body in [json!({"from": "/here", "to": path}), json!({"from": path, "to": "/there"})] {
            for route in ["move", "copy"] {
                let ask = bed.asks("editor", "POST", &format!("/api/v1/files:{route}")).json(&body);
                ask.send().await.refused(400, "invalid_path");
            }
        }
        let ask = bed.asks("editor", "POST", "/api/v1/files:restore").json(&json!({"path": path}));
        ask.send().await.refused(400, "invalid_path");
    }
    let all = bed.get("editor", "/api/v1/folders/").await;
    assert_eq!(all["items"].as_array().unwrap().len(), 1, "{all}");
}

/// Names that look like something else, and are only names.
const ODD: &[&str] = &[
    "two words",
    " both ends ",
    "it's",
    "\"quoted\"",
    "100%",
    "%2e%2e",
    "%00",
    "%252e",
    "#1?&+;=@",
    "-rf",
    ".hidden",
    "...",
    "back\\slash",
    "..\\",
    "C:\\x",
    "$(id)",
    "`id`",
    ";id",
    "'; DROP TABLE entries;--",
    "' OR 1=1",
    "_",
    "%",
    "🎈🪐",
    "文件 名.txt",
    "e\u{301}",
    "é",
    "con",
    "CON",
    "a.",
    "a ",
    "<img src=x onerror=alert(1)>",
    "tags",
    "similar",
    "files:move",
    "a:b",
    "\u{202e}gpj.exe",
    "\u{feff}bom",
    "null",
    "~",
    "a+b",
];

#[tokio::test]
async fn odd_names_are_stored_exactly() {
    let bed = TestBed::start().await;
    let long = ["n".repeat(255), "标".repeat(85), format!("{}xyz", "🎈".repeat(63))];
    for name in ODD.iter().copied().chain(long.iter().map(String::as_str)) {
        let path = format!("/a folder/{name}");
        let file = bed.put("editor", &path, name.to_owned()).await;
        assert_eq!((&file["path"], &file["name"]), (&json!(path), &json!(name)));
        assert_eq!(bed.content("editor", &path).await, name.as_bytes(), "{name:?}");
        assert_eq!(bed.get("editor", &format!("/api/v1/files{}", encoded(&path))).await["name"], name);
        check_disposition(&bed, &path, name).await;
    }
    let listed = bed.get("editor", "/api/v1/folders/a%20folder?limit=1000").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), ODD.len() + long.len());
}

/// One header, and RFC 5987 in it.
async fn check_disposition(bed: &TestBed, path: &str, name: &str) {
    let answer = bed.asks("editor", "GET", &format!("/api/v1/content{}", encoded(path))).send().await.is(200);
    let values: Vec<_> = answer.headers.get_all("content-disposition").iter().collect();
    let [value] = values[..] else { panic!("{values:?}") };
    let encoded = value.to_str().unwrap().strip_prefix("attachment; filename*=UTF-8''").unwrap();
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"-._~%".contains(&c);
    assert!(encoded.bytes().all(plain), "{encoded}");
    assert_eq!(percent_encoding::percent_decode_str(encoded).decode_utf8().unwrap(), name);
}

#[tokio::test]
async fn names_that_look_alike_are_two_files() {
    let bed = TestBed::start().await;
    let names = ["café", "cafe\u{301}", "CAFÉ", "café ", "café."];
    for name in names {
        let answer = bed.asks("editor", "PUT", &format!("/api/v1/content/{}", encoded(name))).body(name);
        answer.header("if-none-match", "*").send().await.is(201);
    }
    for name in names {
        assert_eq!(bed.content("editor", &format!("/{name}")).await, name.as_bytes());
    }
}

#[tokio::test]
async fn odd_names_of_users_nodes_and_tags_are_only_not_found() {
    let bed = TestBed::start().await;
    for name in ["%2e%2e", "a%2fb", "%00", "'%20OR%201=1", "$(id)", "%F0%9F%8E%88", "%0d%0a", "con", "-rf"] {
        bed.asks("admin", "DELETE", &format!("/api/v1/users/{name}")).send().await.refused(404, "not_found");
        bed.asks("admin", "GET", &format!("/api/v1/nodes/{name}")).send().await.refused(404, "not_found");
        let related = bed.asks("reader", "GET", &format!("/api/v1/tags/{name}/related")).send().await;
        assert!(related.status == 200 || related.status == 404, "{related:?}");
    }
    for target in ["/api/v1/users/%ff", "/api/v1/nodes/%ff", "/api/v1/tags/%ff/related"] {
        let method = if target.contains("users") { "DELETE" } else { "GET" };
        bed.asks("admin", method, target).send().await.refused(400, "invalid_path");
    }
}

#[tokio::test]
async fn a_query_is_bound_not_pasted() {
    let bed = TestBed::start().await;
    bed.put("editor", "/one.txt", "x").await;
    bed.put("editor", "/100%_'.txt", "x").await;
    let found = async |query: &str| {
        let target = format!("/api/v1/search?q={}", encoded(query));
        let answer = bed.asks("editor", "GET", &target).send().await;
        (answer.status.as_u16(), answer.json()["items"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(found("%").await, (200, 1), "a percent sign is a character");
    assert_eq!(found("_").await, (200, 1));
    assert_eq!(found("'").await, (200, 1));
    assert_eq!(found("\"' OR 1=1 --\"").await, (200, 0));
    assert_eq!(found("'; DROP TABLE entries;--").await, (200, 0));
    assert_eq!(found(&"x".repeat(10_000)).await.0, 400);
    assert_eq!(found(&"(".repeat(500)).await.0, 400);
    assert_eq!(found("one").await, (200, 1));
    for (name, value) in [
        ("cursor", "'"),
        ("cursor", "%00"),
        ("limit", "-1"),
        ("limit", "1e9"),
        ("limit", "x"),
        ("sort", "name"),
    ] {
        let targets = ["search", "folders/", "trash"].map(|route| format!("/api/v1/{route}?{name}={value}"));
        for target in targets {
            bed.asks("editor", "GET", &target).send().await.refused(400, "invalid_request");
        }
    }
    assert_eq!(bed.get("editor", "/api/v1/tags?prefix=%25").await["items"], json!([]));
    assert_eq!(bed.get("editor", "/api/v1/tags?kind='%20OR%201=1").await["items"], json!([]));
    let page = bed.get("editor", "/api/v1/folders/?limit=4294967295").await;
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
}

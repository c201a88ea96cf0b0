//! The page, addresses that are none, and the headers that every answer carries.

use super::TestBed;

#[tokio::test]
async fn addresses_of_the_api_are_never_the_page() {
    let bed = TestBed::start().await;
    for target in [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v1/nothing",
        "/api/v2/files/a",
        "/api/v1/files",
        "/api/v1/Files/a",
        "/api/v1/%66iles/a",
    ] {
        bed.ask("GET", target).send().await.refused(404, "not_found");
        bed.asks("admin", "POST", target).send().await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn every_other_address_is_the_page() {
    let bed = TestBed::start().await;
    let index = bed.ask("GET", "/index.html").send().await.is(200);
    for target in [
        "/",
        "/files/a/b",
        "/nodes",
        "/no/such/page",
        "/..%2f..%2fetc/passwd",
        "/%2e%2e/Cargo.toml",
        "/assets/../../Cargo.toml",
    ] {
        let answer = bed.ask("GET", target).send().await.is(200);
        assert_eq!(answer.bytes(), index.bytes(), "{target}");
        assert!(answer.header("content-type").starts_with("text/html"));
    }
    let known = bed.ask("GET", "/").header("if-none-match", index.header("etag")).send().await;
    assert!(known.is(304).bytes().is_empty());
    bed.ask("POST", "/files").send().await.refused(405, "method_not_allowed");
    let policy = index.header("content-security-policy");
    for rule in ["default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
        assert!(policy.contains(rule), "{policy}");
    }
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(index.header(name), value);
    }
}

#[tokio::test]
async fn answers_of_the_api_are_kept_by_nobody() {
    let bed = TestBed::start().await;
    assert_eq!(bed.asks("reader", "GET", "/api/v1/session").send().await.header("cache-control"), "no-store");
    assert_eq!(bed.ask("GET", "/api/v1/session").send().await.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_plain_request_id_is_kept_and_another_is_not() {
    let bed = TestBed::start().await;
    let answer = bed.ask("GET", "/api/v1/session").header("x-request-id", "my-id_7").send().await.is(401);
    assert_eq!((answer.header("x-request-id"), &answer.json()["request_id"]), ("my-id_7", &"my-id_7".into()));
    let long = "x".repeat(65);
    for id in ["", "a b", "<script>", "a\tb", "a\"b", &long, "é"] {
        let answer = bed.ask("GET", "/api/v1/session").header("x-request-id", id).send().await.is(401);
        assert_eq!(answer.header("x-request-id").len(), 32, "{id:?}");
    }
}

#[tokio::test]
async fn the_api_describes_itself() {
    let bed = TestBed::start().await;
    let document = bed.ask("GET", "/api/openapi.json").send().await.is(200).json();
    assert!(document["paths"]["/api/v1/content/{path}"]["put"].is_object());
    let page = bed.ask("GET", "/api/docs").send().await.is(200);
    let page = String::from_utf8(page.bytes().to_vec()).unwrap();
    assert!(page.contains("PUT /api/v1/content/{path}") && !page.contains("<script"), "{page}");
}

#[tokio::test]
async fn metrics_carry_no_names_and_no_invented_methods() {
    let bed = TestBed::start().await;
    let metrics = asterism_service::Metrics::default();
    bed.api.metrics.register(&metrics, bed.members.clone(), bed.api.roster.clone(), &bed.extents.damage);
    bed.put("editor", "/secret-name", "x").await;
    for method in ["AAA", "BBB"] {
        bed.ask(method, "/api/v1/session").send().await;
    }
    let text = metrics.text().unwrap();
    assert!(text.contains("/api/v1/content/{*path}"), "{text}");
    for word in ["secret-name", "editor", "AAA"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
}

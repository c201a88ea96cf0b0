//! Bodies that are no request.

use super::TestBed;

#[tokio::test]
async fn bodies_that_are_no_request_are_refused() {
    let bed = TestBed::start().await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_member = format!("{{\"from\": {}1{}}}", "[".repeat(5000), "]".repeat(5000));
    for body in [
        "",
        "{",
        "null",
        "[]",
        "1",
        "\"x\"",
        "{}",
        "{\"from\": \"/a\"}",
        "{\"from\": 1, \"to\": \"/b\"}",
        "{\"from\": null, \"to\": \"/b\"}",
        "{\"from\": \"/a\", \"to\": \"/b\", \"force\": true}",
        "{\"from\": \"/a\", \"from\": \"/c\", \"to\": \"/b\"}",
        "{\"from\": \"/a\", \"to\": \"/b\"} x",
        "{\"from\": NaN}",
        "{\"from\": \"\\ud800\", \"to\": \"/b\"}",
        "{'from': '/a'}",
        &deep,
        &deep_member,
    ] {
        for route in ["move", "copy"] {
            let ask = bed.asks("editor", "POST", &format!("/api/v1/files:{route}"));
            let answer = ask.header("content-type", "application/json").body(body.to_owned()).send().await;
            answer.refused(400, "invalid_request");
        }
    }
    let invalid = bed.asks("editor", "POST", "/api/v1/files:move").header("content-type", "application/json");
    invalid.body(b"{\"from\": \"\xff\"}".to_vec()).send().await.refused(400, "invalid_request");
    let without_type =
        bed.asks("editor", "POST", "/api/v1/files:move").body("{\"from\": \"/a\", \"to\": \"/b\"}");
    without_type.send().await.refused(400, "invalid_request");
}

#[tokio::test]
async fn numbers_out_of_range_are_refused() {
    let bed = TestBed::start().await;
    for id in ["-1", "9223372036854775807"] {
        let ask =
            bed.asks("editor", "POST", "/api/v1/files:restore").header("content-type", "application/json");
        ask.body(format!("{{\"id\": {id}}}")).send().await.refused(404, "not_found");
    }
    for id in ["9223372036854775808", "1.5", "\"1\"", "1e400", "[1]"] {
        let ask =
            bed.asks("editor", "POST", "/api/v1/files:restore").header("content-type", "application/json");
        ask.body(format!("{{\"id\": {id}}}")).send().await.refused(400, "invalid_request");
    }
    for body in ["{\"id\": 1, \"path\": \"/a\"}", "{}"] {
        let ask =
            bed.asks("editor", "POST", "/api/v1/files:restore").header("content-type", "application/json");
        ask.body(body).send().await.refused(400, "invalid_request");
    }
}

#[tokio::test]
async fn bodies_are_bounded() {
    let bed = TestBed::start().await;
    for (method, target) in [
        ("POST", "/api/v1/session"),
        ("POST", "/api/v1/tokens"),
        ("POST", "/api/v1/users"),
        ("PUT", "/api/v1/users/admin/password"),
        ("POST", "/api/v1/files:move"),
        ("POST", "/api/v1/files:copy"),
        ("POST", "/api/v1/files:restore"),
    ] {
        let ask = bed.asks("admin", method, target).header("content-type", "application/json");
        ask.body(" ".repeat(1 << 20)).send().await.refused(413, "payload_too_large");
    }
}

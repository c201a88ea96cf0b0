//! Bad input gets a clear answer: the right code, one sentence, nothing lost, no panic.

use anyhow::{Context, ensure};
use asterism_e2e::http::{self, Answer};
use asterism_e2e::samples::noise;
use asterism_e2e::{Cluster, Ledger, Options, within};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(300);

fn small() -> Options {
    Options { nodes: 3, policy: "2+1".to_owned(), ..Options::default() }
}

/// A refusal as RFC 9457 has it: status, stable code, a sentence, and nothing of the inside.
fn check_problem(what: &str, answer: &Answer, status: u16, code: &str) -> anyhow::Result<()> {
    ensure!(answer.status.as_u16() == status, "{what}: {answer:?}");
    ensure!(answer.media_type.starts_with("application/problem+json"), "{what}: {answer:?}");
    let problem = answer.json()?;
    ensure!(problem["code"] == code, "{what}: {problem}");
    let detail = problem["detail"].as_str().or(problem["title"].as_str()).unwrap_or_default();
    ensure!(!detail.is_empty(), "{what}: no sentence in {problem}");
    for inside in ["sqlx", "panicked", ".rs:", "SELECT "] {
        ensure!(!answer.text.contains(inside), "{what} shows the inside: {problem}");
    }
    Ok(())
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_get_the_same_answer() -> anyhow::Result<()> {
    within(LIMIT, async {
        let cluster = Cluster::start(small()).await?;
        let log_in = async |user: &str, password: &str| {
            let body = json!({"user": user, "password": password});
            http::send(http::client().post(format!("{}/api/v1/session", cluster.url())).json(&body)).await
        };
        let (wrong, unknown) = (log_in("admin", "guess").await?, log_in("nobody", "guess").await?);
        check_problem("a wrong password", &wrong, 401, "unauthenticated")?;
        check_problem("an unknown user", &unknown, 401, "unauthenticated")?;
        ensure!(wrong.json()?["detail"] == unknown.json()?["detail"], "{wrong:?} differs from {unknown:?}");
        ensure!(log_in("admin", &cluster.password()?).await?.status == 200);

        for (what, request) in [
            ("no token", http::client().get(format!("{}/api/v1/folders/", cluster.url()))),
            ("a wrong token", http::client().get(format!("{}/api/v1/nodes", cluster.url())).bearer_auth("x")),
        ] {
            check_problem(what, &http::send(request).await?, 401, "unauthenticated")?;
        }
        let password = cluster.home().join("password");
        std::fs::write(&password, "guess")?;
        let file = password.display().to_string();
        let arguments = ["login", cluster.url(), "--password-file", &file];
        cluster.cli_as("", &arguments).await?.refused("")?;
        cluster.cli_as("wrong", &["ls"]).await?.refused("")?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn paths_that_lead_elsewhere_are_refused() -> anyhow::Result<()> {
    within(LIMIT, async {
        let cluster = Cluster::start(small()).await?;
        let mut ledger = Ledger::default();
        let file = noise(&cluster.home().join("file"), 1_000, 1)?;
        ledger.put(&cluster, &[file], "/a").await?;

        let long = "a".repeat(256);
        let paths = [
            "/../etc/passwd",
            "/a/../b",
            "/a/..",
            "/.",
            "/a/./b",
            "/%2e%2e/b",
            "/a/%2E%2E/%2e%2e/etc",
            "/..%2fetc",
            "/a%2F..%2Fb",
            "/a%00b",
            "/%00",
            "/a%0ab",
            "/a%0d%0ab",
            "/a%7fb",
            "/a//b",
            "/%ff%fe",
            "/a%C0%AFb",
            &long_path(),
            &format!("/{long}"),
        ]
        .map(str::to_owned);
        for path in &paths {
            for method in ["GET", "PUT"] {
                let answer = raw(&cluster, method, &format!("/api/v1/content{path}")).await?;
                check_problem(&format!("{method} {path}"), &answer, 400, "invalid_path")?;
            }
        }
        for body in [json!({"from": "/a/file", "to": "/b/../c"}), json!({"from": "/a/file", "to": "/b\0"})] {
            let answer = http::send(cluster.request(Method::POST, "/files:move").json(&body)).await?;
            check_problem(&body.to_string(), &answer, 400, "invalid_path")?;
        }
        let unknown = cluster.call(Method::GET, "/content/no/such/file").await?;
        check_problem("an unknown path", &unknown, 404, "not_found")?;
        cluster.get("/no/such/file", &cluster.home().join("none")).await?.refused("no")?;
        ensure!(!cluster.home().join("none").exists(), "a refused download left a file");
        cluster.cli(&["rm", "/no/such/file"]).await?.refused("no")?;
        cluster.cli(&["mv", "/a", "/a/inside"]).await?.refused("")?;

        ledger.check(&cluster).await
    })
    .await
}

/// Deeper than any path may be.
fn long_path() -> String {
    "/d".repeat(2_100)
}

/// A request with the target written as it is: a client library would clean it.
async fn raw(cluster: &Cluster, method: &str, target: &str) -> anyhow::Result<Answer> {
    let host = cluster.url().trim_start_matches("http://");
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nContent-Length: 1\r\n\
         Connection: close\r\n\r\nx",
        cluster.token()
    );
    http::send_raw(cluster.url(), request.as_bytes()).await
}

#[tokio::test]
async fn every_name_that_a_person_may_give_works_everywhere() -> anyhow::Result<()> {
    within(LIMIT, async {
        let cluster = Cluster::start(small()).await?;
        let mut ledger = Ledger::default();
        let names = [
            "two words",
            " space at both ends ",
            "it's",
            "\"quoted\"",
            "100%",
            "%2e%2e",
            "%00",
            "#1?&+;=@",
            "-rf",
            ".hidden",
            "...",
            "back\\slash",
            "$(id)",
            "`id`",
            "'; DROP TABLE entries;--",
            "🎈🪐",
            "文件 名.txt",
            "e\u{301}",
            "é",
            "con",
            "CON",
            "<img src=x onerror=alert(1)>",
            "tags",
            "similar",
            "a:move",
            &"n".repeat(255),
            &"标".repeat(85),
        ]
        .map(str::to_owned);
        let file = noise(&cluster.home().join("content"), 70_000, 9)?;
        for name in &names {
            let path = format!("/a folder/{name}");
            cluster.put(&[&file.file], &path).await?.ok().with_context(|| name.clone())?;
            ledger.acknowledged(&path, &file);
        }
        let listed = cluster.cli(&["ls", "--json", "/a folder"]).await?.json()?;
        let listed: Vec<_> =
            listed.as_array().context("a list")?.iter().filter_map(|entry| entry["name"].as_str()).collect();
        for name in &names {
            ensure!(listed.contains(&name.as_str()), "{name:?} is not listed in {listed:?}");
        }
        ensure!(listed.len() == names.len(), "{listed:?}");
        ledger.check(&cluster).await?;

        cluster.cli(&["mv", "/a folder/two words", "/no/such/folder/x"]).await?.refused("folder")?;
        cluster.cli(&["mkdir", "/目标"]).await?.ok()?;
        // Moved, tagged, found, trashed and brought back by the same name.
        for name in &names {
            let (from, to) = (format!("/a folder/{name}"), format!("/目标/{name}"));
            cluster.cli(&["mv", "--", &from, &to]).await?.ok().with_context(|| name.clone())?;
            ledger.moved(&from, &to)?;
            cluster.cli(&["tag", "add", "--", &to, "kept"]).await?.ok().with_context(|| name.clone())?;
            cluster.cli(&["rm", "--", &to]).await?.ok().with_context(|| name.clone())?;
            cluster.cli(&["restore", "--", &to]).await?.ok().with_context(|| name.clone())?;
        }
        let found = asterism_e2e::story::found(&cluster, "tag:kept").await?;
        ensure!(found.len() == names.len(), "{found:?}");
        ledger.check(&cluster).await
    })
    .await
}

#[tokio::test]
async fn hostile_requests_are_refused_and_the_server_goes_on() -> anyhow::Result<()> {
    within(LIMIT, async {
        let cluster = Cluster::start(small()).await?;
        for (what, path, status, code) in [
            ("a half query", "/search?q=%28", 400, "invalid_query"),
            ("a size that is none", "/search?q=size%3A%3E12parsecs", 400, "invalid_query"),
            ("a forged cursor", "/folders/?cursor=%00%27", 400, "invalid_request"),
            ("a negative page", "/folders/?limit=-1", 400, "invalid_request"),
            ("an unknown node", "/nodes/n99", 404, "not_found"),
            ("an unknown call", "/nothing", 404, "not_found"),
        ] {
            check_problem(what, &cluster.call(Method::GET, path).await?, status, code)?;
        }
        let unknown_member = json!({"from": "/a", "to": "/b", "force": true}).to_string();
        for (what, body, status, code) in [
            ("no JSON", "{".to_owned(), 400, "invalid_request"),
            ("an unknown member", unknown_member, 400, "invalid_request"),
            ("a deep one", "[".repeat(10_000), 400, "invalid_request"),
            ("a long one", " ".repeat(1 << 20), 413, "payload_too_large"),
        ] {
            let request = cluster.request(Method::POST, "/files:move").header("content-type", "application/json");
            check_problem(what, &http::send(request.body(body)).await?, status, code)?;
        }
        for request in ["GET / HTTP/9.9\r\n\r\n", "\u{16}\u{3}\u{1}hello\r\n\r\n", "PUT /api/v1/content/x HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"] {
            // Any answer, or a closed connection; and afterwards everything works.
            let _ = http::send_raw(cluster.url(), request.as_bytes()).await;
        }
        let cut = "PUT /api/v1/content/cut HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\nContent-Length: 10\r\n\r\nfive."
            .replace("TOKEN", cluster.token());
        drop_in_the_middle(&cluster, &cut).await?;
        ensure!(!cluster.exists("/cut").await?, "half an upload became a file");
        let log = cluster.log_tail();
        ensure!(!log.contains("panicked"), "{log}");
        Ok(())
    })
    .await
}

/// Sends a part of a request and hangs up.
async fn drop_in_the_middle(cluster: &Cluster, request: &str) -> anyhow::Result<()> {
    use tokio::io::AsyncWriteExt;
    let address = cluster.url().trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    stream.shutdown().await?;
    Ok(())
}

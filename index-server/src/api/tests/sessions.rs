//! Logging in, staying in, and being thrown out.

use super::{Ask, TestBed};
use crate::{
    api::{
        access::{Access, TABLE},
        crowd::AT_ONCE_MAX,
        session::begin_session,
    },
    catalog::{CredentialKind, Role},
};
use futures::future::join_all;
use serde_json::json;

const PASSWORD: &str = "correct horse battery";

/// A bed with a user who has a password.
async fn with_ada(role: Role) -> TestBed {
    let bed = TestBed::start().await;
    let hash = bed.api.passwords.hash(PASSWORD.into()).await.unwrap();
    bed.catalog.create_user(&"ada".parse().unwrap(), &hash, role).await.unwrap();
    bed
}

fn log_in<'a>(bed: &'a TestBed, user: &str, password: &str) -> Ask<'a> {
    bed.ask("POST", "/api/v1/session").json(&json!({"user": user, "password": password}))
}

async fn cookie(bed: &TestBed) -> String {
    log_in(bed, "ada", PASSWORD).send().await.is(200).cookie()
}

#[tokio::test]
async fn a_session_begins_and_ends() {
    let bed = with_ada(Role::Editor).await;
    let answer = log_in(&bed, "ada", PASSWORD).send().await.is(200);
    assert_eq!((&answer.json()["user"], &answer.json()["role"]), (&json!("ada"), &json!("editor")));
    let flags = answer.header("set-cookie").to_owned();
    for flag in ["asterism_session=", "; Path=/", "; HttpOnly", "; SameSite=Lax", "; Max-Age="] {
        assert!(flags.contains(flag), "{flag} is not in {flags}");
    }
    assert!(!flags.contains("Secure"), "over plain HTTP the browser would drop it");
    let cookie = answer.cookie();
    let who = bed.ask("GET", "/api/v1/session").header("cookie", &cookie).send().await.is(200).json();
    assert_eq!(who, answer.json());
    let ended = bed.ask("DELETE", "/api/v1/session").session(&cookie).send().await.is(204);
    assert!(ended.header("set-cookie").contains("Max-Age=0"));
    bed.ask("GET", "/api/v1/session").header("cookie", &cookie).send().await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn behind_https_the_cookie_stays_there() {
    let bed = TestBed::with(|api| api.https = true).await;
    let hash = bed.api.passwords.hash(PASSWORD.into()).await.unwrap();
    bed.catalog.create_user(&"ada".parse().unwrap(), &hash, Role::Reader).await.unwrap();
    let answer = log_in(&bed, "ada", PASSWORD).send().await.is(200);
    assert!(answer.header("set-cookie").ends_with("; Secure"));
}

#[tokio::test]
async fn nobody_learns_which_users_there_are() {
    let bed = with_ada(Role::Editor).await;
    let mut answers = Vec::new();
    for (user, password) in [
        ("ada", "wrong"),
        ("nobody", "wrong"),
        ("", ""),
        ("' OR 1=1 --", "x"),
        ("ada", &"x".repeat(2000)),
        ("../..", "x"),
    ] {
        let mut problem = log_in(&bed, user, password).send().await.refused(401, "unauthenticated").json();
        problem["request_id"] = json!(null);
        answers.push(problem);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    log_in(&bed, "ada", &"x".repeat(100_000)).send().await.refused(413, "payload_too_large");
}

#[tokio::test]
async fn guessing_passwords_is_slow() {
    let bed = with_ada(Role::Editor).await;
    for _ in 0..10 {
        log_in(&bed, "ada", "wrong").send().await.is(401);
    }
    let answer = log_in(&bed, "ada", PASSWORD).send().await.refused(429, "too_many_requests");
    assert_eq!(answer.header("retry-after"), "60");
    log_in(&bed, "ada", PASSWORD).from([192, 0, 2, 2]).send().await.is(200);
    log_in(&bed, "ada", PASSWORD).header("x-forwarded-for", "198.51.100.7").send().await.is(429);
}

#[tokio::test]
async fn guessing_many_at_once_is_no_faster() {
    let bed = with_ada(Role::Editor).await;
    let answers = join_all((0..40).map(|_| log_in(&bed, "ada", "wrong").send())).await;
    let tried = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(tried, 10, "the others were refused before a password was looked at");
}

#[tokio::test]
async fn a_login_takes_no_session_from_outside() {
    let bed = with_ada(Role::Editor).await;
    let planted = "asterism_session=planted-by-somebody";
    let answer = log_in(&bed, "ada", PASSWORD).header("cookie", planted).send().await.is(200);
    assert_ne!(answer.cookie(), planted);
    bed.ask("GET", "/api/v1/session").header("cookie", planted).send().await.is(401);
    assert_ne!(cookie(&bed).await, answer.cookie(), "each login is a session of its own");
}

#[tokio::test]
async fn a_new_password_ends_every_session_and_token() {
    let bed = with_ada(Role::Editor).await;
    let (here, elsewhere) = (cookie(&bed).await, cookie(&bed).await);
    let token = bed.ask("POST", "/api/v1/tokens").session(&here).json(&json!({"name": "laptop"}));
    let token = token.send().await.is(201).json()["token"].as_str().unwrap().to_owned();
    bed.asks(&token, "GET", "/api/v1/session").send().await.is(200);

    let change = |current: &str, new: &str| {
        let body = json!({"current": current, "password": new});
        bed.ask("PUT", "/api/v1/users/ada/password").session(&here).json(&body).send()
    };
    change("wrong", "a brand new one").await.refused(401, "unauthenticated");
    change(PASSWORD, "short").await.refused(400, "invalid_request");
    change(PASSWORD, &"x".repeat(1025)).await.refused(400, "invalid_request");
    change(PASSWORD, "a brand new one").await.is(204);
    for cookie in [&here, &elsewhere] {
        bed.ask("GET", "/api/v1/session").header("cookie", cookie).send().await.is(401);
    }
    bed.asks(&token, "GET", "/api/v1/session").send().await.is(401);
    log_in(&bed, "ada", PASSWORD).send().await.is(401);
    log_in(&bed, "ada", "a brand new one").send().await.is(200);
}

#[tokio::test]
async fn a_login_that_comes_too_late_for_the_old_password_is_none() {
    let bed = with_ada(Role::Editor).await;
    let name = "ada".parse().unwrap();
    let before = bed.catalog.user(&name).await.unwrap();
    bed.catalog.set_password(&name, "$argon2id$new").await.unwrap();
    bed.catalog.remove_credentials(&name).await.unwrap();
    // The old password was found to be right just before.
    assert!(begin_session(&bed.api, &before, i64::MAX).await.is_err());
    assert_eq!(bed.catalog.credentials(&name).await.unwrap(), []);
}

#[tokio::test]
async fn a_stolen_session_cannot_find_the_password_by_guessing() {
    let bed = with_ada(Role::Editor).await;
    let cookie = cookie(&bed).await;
    let guess = || {
        let body = json!({"current": "a guess", "password": "a brand new one"});
        bed.ask("PUT", "/api/v1/users/ada/password").session(&cookie).json(&body).send()
    };
    for _ in 0..10 {
        guess().await.is(401);
    }
    guess().await.refused(429, "too_many_requests");
}

#[tokio::test]
async fn passwords_of_others_are_for_admins() {
    let bed = with_ada(Role::Operator).await;
    let body = json!({"password": "a brand new one"});
    bed.asks("operator", "PUT", "/api/v1/users/ada/password")
        .json(&body)
        .send()
        .await
        .refused(403, "forbidden");
    bed.asks("admin", "PUT", "/api/v1/users/nobody/password")
        .json(&body)
        .send()
        .await
        .refused(404, "not_found");
    bed.asks("admin", "PUT", "/api/v1/users/Ada/password").json(&body).send().await.refused(404, "not_found");
    // Without the present one not even an admin changes the own.
    bed.asks("admin", "PUT", "/api/v1/users/admin/password").json(&body).send().await.is(401);
    bed.asks("admin", "PUT", "/api/v1/users/ada/password").json(&body).send().await.is(204);
    log_in(&bed, "ada", "a brand new one").send().await.is(200);
}

#[tokio::test]
async fn users_come_and_go() {
    let bed = TestBed::start().await;
    let add = |body: serde_json::Value| bed.asks("admin", "POST", "/api/v1/users").json(&body).send();
    add(json!({"name": "eve", "role": "reader", "password": PASSWORD})).await.is(201);
    add(json!({"name": "eve", "role": "reader", "password": PASSWORD})).await.refused(409, "exists");
    add(json!({"name": "eve2", "role": "king", "password": PASSWORD})).await.refused(400, "invalid_request");
    add(json!({"name": "eve2", "role": "reader", "password": "short"})).await.refused(400, "invalid_request");
    for name in ["", "Eve", "a/b", "..", "$(id)", "<b>", "a\u{0}", &"e".repeat(65)] {
        add(json!({"name": name, "role": "reader", "password": PASSWORD}))
            .await
            .refused(400, "invalid_request");
    }
    let cookie = log_in(&bed, "eve", PASSWORD).send().await.is(200).cookie();
    bed.asks("admin", "DELETE", "/api/v1/users/eve").send().await.is(204);
    bed.ask("GET", "/api/v1/session").header("cookie", &cookie).send().await.is(401);
    bed.asks("admin", "DELETE", "/api/v1/users/eve").send().await.refused(404, "not_found");
    bed.asks("admin", "DELETE", "/api/v1/users/admin").send().await.refused(409, "conflict");
    bed.put("editor", "/a.txt", "x").await;
    bed.asks("admin", "DELETE", "/api/v1/users/editor").send().await.refused(409, "not_empty");
}

#[tokio::test]
async fn what_has_expired_or_was_never_given_is_nothing() {
    let bed = TestBed::start().await;
    let hash = crate::api::auth::token_hash("old");
    let user = "editor".parse().unwrap();
    bed.catalog.create_credential(&user, CredentialKind::Session, "", &hash, Some(1)).await.unwrap();
    for token in ["old", "", "Editor", "editor ", "null", "e.y.J"] {
        let expected = if token.trim() == "editor" { 200 } else { 401 };
        bed.asks(token, "GET", "/api/v1/session").send().await.is(expected);
    }
    for scheme in ["Basic editor", "bearer", "Bearer", "Token editor", "Bearereditor"] {
        bed.ask("GET", "/api/v1/session").header("authorization", scheme).send().await.is(401);
    }
    bed.ask("GET", "/api/v1/session").header("authorization", "bearer editor").send().await.is(200);
    bed.ask("GET", "/api/v1/session").header("authorization", b"Bearer \xff\xfe").send().await.is(401);
    // A bad token is not made good by a cookie beside it.
    let both = bed.asks("wrong", "GET", "/api/v1/session").header("cookie", "asterism_session=editor");
    both.send().await.is(401);
}

#[tokio::test]
async fn other_sites_cannot_use_the_cookie() {
    let bed = TestBed::start().await;
    let cookie = "asterism_session=admin";
    let changing = TABLE
        .iter()
        .filter(|(method, _, access)| *method != "GET" && *method != "HEAD" && *access != Access::Public);
    for (method, template, _) in changing {
        let target = template.replace("{*path}", "a").replace("{name}", "n1");
        let ask = || bed.ask(method, &target).header("cookie", cookie);
        ask().send().await.refused(403, "forbidden");
        for origin in
            ["https://evil.example", "null", "http://box.example", "http://box.example:8420.evil.example", ""]
        {
            ask().header("origin", origin).send().await.refused(403, "forbidden");
        }
        ask().header("sec-fetch-site", "cross-site").send().await.refused(403, "forbidden");
        ask().header("sec-fetch-site", "same-site").send().await.refused(403, "forbidden");
    }
    bed.ask("GET", "/api/v1/session").header("cookie", cookie).send().await.is(200);
    bed.ask("POST", "/api/v1/folders/ours").session(cookie).send().await.is(201);
    let login = log_in(&bed, "admin", "x").header("origin", "https://evil.example").send().await;
    login.refused(403, "forbidden");
}

#[tokio::test]
async fn a_form_is_no_json() {
    let bed = TestBed::start().await;
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let body = json!({"from": "/a", "to": "/b"}).to_string();
        let ask = bed.ask("POST", "/api/v1/files:move").session("asterism_session=editor");
        ask.header("content-type", media_type).body(body).send().await.refused(400, "invalid_request");
    }
}

#[tokio::test]
async fn one_user_cannot_take_the_places_of_all() {
    let bed = TestBed::start().await;
    let editor = "editor".parse().unwrap();
    let places: Vec<_> = (0..AT_ONCE_MAX).map(|_| bed.api.crowd.enter(&editor).unwrap()).collect();
    let answer = bed.asks("editor", "GET", "/api/v1/session").send().await.refused(429, "too_many_requests");
    assert_eq!(answer.header("retry-after"), "2");
    bed.asks("reader", "GET", "/api/v1/session").send().await.is(200);
    drop(places);
    for _ in 0..2 * AT_ONCE_MAX {
        bed.asks("editor", "GET", "/api/v1/session").send().await.is(200);
    }
}

//! Every route has a rule, and the rule holds.

use super::{Answer, TestBed};
use crate::{
    api::{
        access::{Access, TABLE},
        docs,
    },
    catalog::Role,
};
use std::collections::BTreeSet;

/// The router's own text: what is written there must be in the table.
const ROUTER: &str = include_str!("../mod.rs");

/// The routes in the text of the router, as (method, template).
fn routes() -> BTreeSet<(String, String)> {
    let mut routes = BTreeSet::new();
    for line in ROUTER.lines() {
        let Some((_, rest)) = line.split_once(".route(\"") else { continue };
        let (template, handlers) = rest.split_once('"').unwrap();
        for method in ["get", "put", "post", "delete", "head", "patch", "options", "any"] {
            let called = |before: char| handlers.contains(&format!("{before}{method}("));
            if [' ', '.', ':'].into_iter().any(called) {
                routes.insert((method.to_uppercase(), template.to_owned()));
            }
        }
    }
    routes
}

fn table() -> BTreeSet<(String, String)> {
    TABLE.iter().map(|(method, template, _)| ((*method).to_owned(), (*template).to_owned())).collect()
}

/// A path that a template matches.
fn filled(template: &str) -> String {
    template
        .replace("{*path}", "a/b.txt")
        .replace("{name}", "n1")
        .replace("{tag}", "holiday")
        .replace("{id}", "1")
}

#[test]
fn the_table_is_the_router() {
    assert_eq!(routes(), table());
}

#[test]
fn what_is_documented_is_what_there_is() {
    let documented: BTreeSet<(String, String)> = docs::operations()
        .into_iter()
        .map(|(method, path)| {
            // A tag of a file is served by the file's route: a path of any depth can only stand at the end.
            let path = path.replace("/files/{path}/tags/{tag}", "/files/{path}");
            (method.to_owned(), path.replace("{path}", "{*path}"))
        })
        .collect();
    let undocumented = |(method, path): &(String, String)| {
        method == "HEAD"
            || path.starts_with("/api/openapi")
            || path == "/api/docs"
            || path == "/api/v1/folders/"
    };
    let expected: BTreeSet<(String, String)> =
        table().into_iter().filter(|route| !undocumented(route)).collect();
    assert_eq!(documented, expected);
}

#[tokio::test]
async fn without_a_session_everything_is_refused() {
    let bed = TestBed::start().await;
    for (method, template, access) in TABLE {
        let answer = bed.ask(method, &filled(template)).send().await;
        match access {
            Access::Public => assert_ne!(answer.status, 401, "{answer:?}"),
            Access::Role(_) if *method == "HEAD" => drop(answer.is(401)),
            Access::Role(_) => drop(answer.refused(401, "unauthenticated")),
        }
    }
}

#[tokio::test]
async fn a_role_too_low_is_refused_and_one_high_enough_is_not() {
    let bed = TestBed::start().await;
    for (method, template, access) in TABLE {
        let Access::Role(needed) = access else { continue };
        for role in [Role::Reader, Role::Editor, Role::Operator, Role::Admin] {
            if *method == "DELETE" && *template == "/api/v1/session" {
                continue; // It would end the token.
            }
            let answer = bed.asks(role.as_str(), method, &filled(template)).send().await;
            let refused = answer.status == 403;
            assert_eq!(refused, role < *needed, "{role} {method} {template}: {answer:?}");
        }
    }
}

fn check_methods(answer: Answer) {
    answer.refused(405, "method_not_allowed");
}

#[tokio::test]
async fn methods_that_a_route_does_not_have_are_refused() {
    let bed = TestBed::start().await;
    for method in ["PATCH", "TRACE", "OPTIONS", "PROPFIND"] {
        check_methods(bed.ask(method, "/api/v1/files/a").send().await);
        check_methods(bed.asks("admin", method, "/api/v1/session").send().await);
    }
    let answer = bed.asks("admin", "PUT", "/api/v1/session").send().await;
    let allowed: BTreeSet<&str> = answer.header("allow").split(", ").collect();
    assert_eq!(allowed, BTreeSet::from(["DELETE", "GET", "HEAD", "POST"]));
}

#[tokio::test]
async fn head_is_a_get_without_a_body() {
    let bed = TestBed::start().await;
    let answer = bed.asks("reader", "HEAD", "/api/v1/session").send().await.is(200);
    assert!(answer.bytes().is_empty());
    bed.ask("HEAD", "/api/v1/session").send().await.is(401);
}

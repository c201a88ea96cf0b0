//! The API described by itself: OpenAPI from the code, and the same as a page that needs no script.

use super::{
    cluster, content, events, files, fsck, leaving, messages, nodes, search, session, tags, upload, users,
};
use axum::{Json, response::Html};
use std::{fmt::Write, sync::LazyLock};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document, RefOr,
        path::Operation,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

#[derive(OpenApi)]
#[openapi(
    info(title = "Asterism", description = "A cluster that you can switch off, machine by machine, and always know what you still have."),
    paths(
        session::log_in, session::show, session::log_out, session::create_token,
        users::list, users::create, users::remove, users::set_password,
        upload::put, content::get,
        files::get, files::put, files::delete, files::list, files::mkdir, files::move_entry, files::copy, files::restore, files::trash,
        search::search, search::graph, tags::list, tags::related,
        nodes::list, nodes::show, nodes::stop, nodes::wake, leaving::drain, leaving::retire, leaving::weigh,
        cluster::show, cluster::timeline, fsck::ask, fsck::show, events::socket,
        messages::list, messages::mark, messages::silences, messages::silence, messages::end_silence, messages::webhook,
    ),
    modifiers(&Security),
)]
struct ApiDoc;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
        let cookie = ApiKey::Cookie(ApiKeyValue::new(super::auth::COOKIE));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    }
}

static DOCUMENT: LazyLock<Document> = LazyLock::new(ApiDoc::openapi);
static PAGE: LazyLock<String> = LazyLock::new(|| render(&DOCUMENT));

pub(super) async fn openapi() -> Json<&'static Document> {
    Json(&DOCUMENT)
}

pub(super) async fn page() -> Html<&'static str> {
    Html(&PAGE)
}

/// All operations, as (method, path).
#[cfg(test)]
pub(super) fn operations() -> Vec<(&'static str, String)> {
    let paths = DOCUMENT.paths.paths.iter();
    paths
        .flat_map(|(path, item)| methods(item).map(|(method, _)| (method, path.clone())).collect::<Vec<_>>())
        .collect()
}

fn methods(item: &utoipa::openapi::PathItem) -> impl Iterator<Item = (&'static str, &Operation)> {
    let all = [
        ("GET", &item.get),
        ("POST", &item.post),
        ("PUT", &item.put),
        ("PATCH", &item.patch),
        ("DELETE", &item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| operation.as_ref().map(|operation| (method, operation)))
}

fn render(document: &Document) -> String {
    let mut page = String::from(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <title>Asterism API</title><style>body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}\
         code{background:#8882;padding:.1em .3em;border-radius:3px}h2{margin-top:2rem}dd{margin:0 0 .5rem 1.5rem}</style>\
         <h1>Asterism API</h1><p>The machine-readable form is <a href=/api/openapi.json>openapi.json</a>. \
         Log in for a cookie, or send <code>Authorization: Bearer TOKEN</code>. Errors are <code>application/problem+json</code>.</p>",
    );
    for (path, item) in &document.paths.paths {
        for (method, operation) in methods(item) {
            render_operation(&mut page, method, path, operation);
        }
    }
    page
}

fn render_operation(page: &mut String, method: &str, path: &str, operation: &Operation) {
    let summary = operation.summary.as_deref().or(operation.description.as_deref()).unwrap_or_default();
    // Writing to a string does not fail.
    let _infallible =
        write!(page, "<h2><code>{method} {}</code></h2><p>{}</p>", escape(path), escape(summary));
    let parameters = operation.parameters.iter().flatten();
    page.push_str("<dl>");
    for parameter in parameters {
        let RefOr::T(parameter) = parameter else { continue };
        let about = parameter.description.as_deref().unwrap_or_default();
        let _infallible =
            write!(page, "<dt><code>{}</code></dt><dd>{}</dd>", escape(&parameter.name), escape(about));
    }
    let codes: Vec<&str> = operation.responses.responses.keys().map(String::as_str).collect();
    let _infallible = write!(page, "</dl><p>Answers: {}</p>", escape(&codes.join(", ")));
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

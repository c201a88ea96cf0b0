//! Who may call what: the one table for every route, and the layer that puts it in front of all of them.

use super::{Api, auth::Caller, problem::ApiError};
use crate::catalog::Role;
use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing; it gives nothing away.
    Public,
    /// This role, or a higher one.
    Role(Role),
}

use Access::Public;
const READER: Access = Access::Role(Role::Reader);
const EDITOR: Access = Access::Role(Role::Editor);
const OPERATOR: Access = Access::Role(Role::Operator);
const ADMIN: Access = Access::Role(Role::Admin);

/// Every route with its methods, as the router knows them. What is not here is refused.
pub(super) const TABLE: &[(&str, &str, Access)] = &[
    ("GET", "/api/openapi.json", Public),
    ("GET", "/api/docs", Public),
    ("POST", "/api/v1/session", Public),
    ("GET", "/api/v1/session", READER),
    ("DELETE", "/api/v1/session", READER),
    ("POST", "/api/v1/tokens", READER),
    ("GET", "/api/v1/users", ADMIN),
    ("POST", "/api/v1/users", ADMIN),
    ("DELETE", "/api/v1/users/{name}", ADMIN),
    ("PUT", "/api/v1/users/{name}/password", READER), // Own one; another's only for admins.
    ("PUT", "/api/v1/content/{*path}", EDITOR),
    ("GET", "/api/v1/content/{*path}", READER),
    ("HEAD", "/api/v1/content/{*path}", READER),
    ("GET", "/api/v1/files/{*path}", READER),
    ("PUT", "/api/v1/files/{*path}", EDITOR),
    ("DELETE", "/api/v1/files/{*path}", EDITOR),
    ("GET", "/api/v1/folders/", READER),
    ("GET", "/api/v1/folders/{*path}", READER),
    ("POST", "/api/v1/folders/{*path}", EDITOR),
    ("POST", "/api/v1/files:move", EDITOR),
    ("POST", "/api/v1/files:copy", EDITOR),
    ("POST", "/api/v1/files:restore", EDITOR),
    ("GET", "/api/v1/trash", READER),
    ("GET", "/api/v1/search", READER),
    ("GET", "/api/v1/graph", READER),
    ("GET", "/api/v1/tags", READER),
    ("GET", "/api/v1/tags/{tag}/related", READER),
    ("GET", "/api/v1/nodes", READER),
    ("GET", "/api/v1/nodes/{name}", READER),
    ("POST", "/api/v1/nodes/{name}/stop", OPERATOR),
    ("POST", "/api/v1/nodes/{name}/wake", OPERATOR),
    ("POST", "/api/v1/nodes/{name}/drain", OPERATOR),
    ("POST", "/api/v1/nodes/{name}/retire", OPERATOR),
    ("PUT", "/api/v1/nodes/{name}/weight", OPERATOR),
    ("GET", "/api/v1/cluster", READER),
    ("GET", "/api/v1/fsck", OPERATOR),
    ("POST", "/api/v1/fsck", ADMIN),
    ("GET", "/api/v1/timeline", READER),
    ("GET", "/api/v1/messages", READER),
    ("PATCH", "/api/v1/messages/{id}", READER), // To have read; to take it on is for operators.
    ("GET", "/api/v1/silences", READER),
    ("POST", "/api/v1/silences", OPERATOR),
    ("DELETE", "/api/v1/silences/{id}", OPERATOR),
    ("POST", "/api/v1/alerts/webhook", OPERATOR),
    ("GET", "/api/v1/events", READER),
];

/// What `method` on the route `template` asks of its caller. HEAD is a GET whose body is not sent.
fn access(method: &Method, template: &str) -> Option<Access> {
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    TABLE.iter().find(|(known, route, _)| *known == method && *route == template).map(|(.., access)| *access)
}

/// The methods of a route, for `Allow`.
fn methods(template: &str) -> String {
    let mut methods: Vec<&str> =
        TABLE.iter().filter(|(_, route, _)| *route == template).map(|(method, ..)| *method).collect();
    if methods.contains(&"GET") && !methods.contains(&"HEAD") {
        methods.push("HEAD");
    }
    methods.join(", ")
}

/// Lets a request through if its caller may make it; handlers find the caller among the extensions.
pub(super) async fn layer(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let template = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    let wanted = match access(request.method(), template) {
        None => return ApiError::Method(methods(template)).into_response(),
        Some(Public) => return next.run(request).await,
        Some(Access::Role(role)) => role,
    };
    match Caller::authenticate(&api, request.method(), request.headers()).await {
        Ok(caller) if caller.user.role >= wanted => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Ok(caller) => {
            tracing::warn!(user = %caller.user.name, route = template, "refused: role too low");
            ApiError::Forbidden.into_response()
        }
        Err(error) => {
            tracing::warn!(route = template, %error, "refused");
            error.into_response()
        }
    }
}

//! Logging in and out, and tokens for programs.

use super::{
    Api,
    auth::{COOKIE, Caller, new_token, refuse_other_sites, token_hash},
    extract::JsonBody,
    problem::{ApiError, Problem},
    types::{Session, rfc3339},
};
use crate::catalog::{CatalogError, CredentialKind, User, UserName};
use asterism_service::world::unix_ms;
use axum::{
    Json,
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse},
};
use serde::{Deserialize, Serialize};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use utoipa::ToSchema;

/// A session ends after this time, used or not.
const SESSION: Duration = Duration::from_secs(14 * 24 * 3600);
const LABEL_BYTES_MAX: usize = 100;

/// Who wants in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogIn {
    /// Name.
    user: String,
    /// Secret.
    password: String,
}

/// What a new token is for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    /// For people to tell tokens apart.
    name: String,
}

/// A new token; it is shown this once.
#[derive(Serialize, ToSchema)]
pub(super) struct Token {
    /// For `Authorization: Bearer`.
    token: String,
}

/// Log in: the answer sets the session cookie.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", request_body = LogIn,
    responses((status = 200, body = Session), (status = 401, body = Problem), (status = 429, body = Problem)))]
pub(super) async fn log_in(
    State(api): State<Api>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    JsonBody(LogIn { user, password }): JsonBody<LogIn>,
) -> Result<impl IntoResponse, ApiError> {
    if headers.contains_key(header::ORIGIN) {
        refuse_other_sites(&headers)?;
    }
    let limiter = &api.passwords.limiter;
    if !limiter.admit(address.ip(), &user, Instant::now()) {
        return Err(ApiError::TooMany);
    }
    let known = match user.parse::<UserName>() {
        Ok(name) => match api.catalog.user(&name).await {
            Ok(user) => Some(user),
            Err(CatalogError::NotFound(_)) => None,
            Err(error) => return Err(error.into()),
        },
        Err(_) => None,
    };
    let hash = known.as_ref().map(|user| user.password_hash.clone());
    let right = api.passwords.verify(password, hash).await?;
    let Some(known) = known.filter(|_| right) else {
        tracing::warn!(%address, "login failed");
        return Err(ApiError::WrongPassword);
    };
    limiter.succeeded(address.ip(), &user);
    let user = known;
    let expires_ms = unix_ms() + SESSION.as_millis() as i64;
    let token = begin_session(&api, &user, expires_ms).await?;
    tracing::info!(user = %user.name, %address, "logged in");
    let cookie = set_cookie(&token, SESSION, api.https);
    let session = Session {
        user: user.name.to_string(),
        role: user.role.to_string(),
        expires_at: Some(rfc3339(expires_ms)),
    };
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), Json(session)))
}

/// A new session of `user`, whose password was right a moment ago.
pub(super) async fn begin_session(api: &Api, user: &User, expires_ms: i64) -> Result<String, ApiError> {
    let token = new_token().map_err(anyhow::Error::from)?;
    let (kind, hash) = (CredentialKind::Session, token_hash(&token));
    let id = api.catalog.create_credential(&user.name, kind, "", &hash, Some(expires_ms)).await?;
    // Whoever changed the password meanwhile has ended all sessions but this one, if it came too late for that.
    if api.catalog.user(&user.name).await?.password_hash != user.password_hash {
        api.catalog.remove_credential(&user.name, id).await?;
        return Err(ApiError::WrongPassword);
    }
    Ok(token)
}

/// Who am I?
#[utoipa::path(get, path = "/api/v1/session", tag = "session",
    responses((status = 200, body = Session), (status = 401, body = Problem)))]
pub(super) async fn show(caller: Caller) -> Json<Session> {
    Json(Session {
        user: caller.user.name.to_string(),
        role: caller.user.role.to_string(),
        expires_at: caller.credential.expires_ms.map(rfc3339),
    })
}

/// Log out: the session or token ends.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", responses((status = 204), (status = 401, body = Problem)))]
pub(super) async fn log_out(State(api): State<Api>, caller: Caller) -> Result<impl IntoResponse, ApiError> {
    match api.catalog.remove_credential(&caller.user.name, caller.credential.id).await {
        Ok(()) | Err(CatalogError::NotFound(_)) => {} // Ended by another call meanwhile.
        Err(error) => return Err(error.into()),
    }
    let cookie = set_cookie("", Duration::ZERO, api.https);
    Ok((StatusCode::NO_CONTENT, AppendHeaders([(header::SET_COOKIE, cookie)])))
}

/// Make an API token for the caller.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "session", request_body = NewToken,
    responses((status = 201, body = Token), (status = 400, body = Problem)))]
pub(super) async fn create_token(
    State(api): State<Api>,
    caller: Caller,
    JsonBody(NewToken { name }): JsonBody<NewToken>,
) -> Result<impl IntoResponse, ApiError> {
    if name.len() > LABEL_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(ApiError::Invalid(format!(
            "a token's name has at most {LABEL_BYTES_MAX} bytes and no control characters"
        )));
    }
    let token = new_token().map_err(anyhow::Error::from)?;
    let (user, kind) = (&caller.user.name, CredentialKind::Token);
    let id = api.catalog.create_credential(user, kind, &name, &token_hash(&token), None).await?;
    // A session that ended meanwhile must not live on in a token.
    if !caller.is_still_in(&api).await {
        api.catalog.remove_credential(user, id).await?;
        return Err(ApiError::Unauthenticated);
    }
    tracing::info!(user = %caller.user.name, "token made");
    Ok((StatusCode::CREATED, Json(Token { token })))
}

fn set_cookie(value: &str, lasts: Duration, https: bool) -> String {
    let secure = if https { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{secure}", lasts.as_secs())
}

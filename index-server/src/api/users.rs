//! Users, for admins; everybody may change the own password.

use super::{
    Api,
    auth::Caller,
    extract::{JsonBody, Path},
    passwords::{PASSWORD_BYTES_MAX, PASSWORD_BYTES_MIN},
    problem::{ApiError, Problem},
    types::{PageBody, rfc3339},
};
use crate::catalog::{Role, User, UserName};
use axum::{
    Json,
    extract::{ConnectInfo, State},
    http::StatusCode,
    response::IntoResponse,
};
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, time::Instant};
use utoipa::ToSchema;

/// A user.
#[derive(Serialize, ToSchema)]
pub(super) struct UserBody {
    /// Unique.
    name: String,
    /// `reader`, `editor`, `operator` or `admin`.
    role: String,
    /// RFC 3339.
    created_at: String,
}

impl From<User> for UserBody {
    fn from(user: User) -> Self {
        Self {
            name: user.name.to_string(),
            role: user.role.to_string(),
            created_at: rfc3339(user.created_ms),
        }
    }
}

/// A user to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    /// Unique.
    name: String,
    /// `reader`, `editor`, `operator` or `admin`.
    role: String,
    /// At least 10 bytes.
    password: String,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    /// At least 10 bytes.
    password: String,
    /// The present one, when it is the caller's own.
    #[serde(default)]
    current: Option<String>,
}

/// All users.
#[utoipa::path(get, path = "/api/v1/users", tag = "users", responses((status = 200, body = PageBody<UserBody>)))]
pub(super) async fn list(State(api): State<Api>) -> Result<Json<PageBody<UserBody>>, ApiError> {
    let users = api.catalog.users().await?;
    Ok(Json(users.into_iter().map(UserBody::from).collect::<Vec<_>>().into()))
}

/// Add a user.
#[utoipa::path(post, path = "/api/v1/users", tag = "users", request_body = NewUser,
    responses((status = 201, body = UserBody), (status = 409, body = Problem)))]
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    JsonBody(new): JsonBody<NewUser>,
) -> Result<impl IntoResponse, ApiError> {
    let name: UserName = new
        .name
        .parse()
        .map_err(|error: crate::catalog::UserNameError| ApiError::Invalid(error.to_string()))?;
    let role: Role = new
        .role
        .parse()
        .map_err(|_| ApiError::Invalid("a role is reader, editor, operator or admin".into()))?;
    check_password(&new.password)?;
    let hash = api.passwords.hash(new.password).await?;
    let user = api.catalog.create_user(&name, &hash, role).await?;
    tracing::info!(user = %name, %role, by = %caller.user.name, "user added");
    Ok((StatusCode::CREATED, Json(UserBody::from(user))))
}

/// Remove a user who has no files left.
#[utoipa::path(delete, path = "/api/v1/users/{name}", tag = "users", params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn remove(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    let name = parse(&name)?;
    api.catalog.remove_user(&name).await?;
    tracing::info!(user = %name, by = %caller.user.name, "user removed");
    Ok(StatusCode::NO_CONTENT)
}

/// Set a password; all sessions and tokens of the user end.
#[utoipa::path(put, path = "/api/v1/users/{name}/password", tag = "users", params(("name" = String, Path)),
    request_body = NewPassword, responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn set_password(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    JsonBody(new): JsonBody<NewPassword>,
) -> Result<StatusCode, ApiError> {
    let own = caller.user.name.as_str() == name;
    if !own && caller.user.role < Role::Admin {
        return Err(ApiError::Forbidden);
    }
    if own {
        // A stolen session must not be enough to take the account over, nor to find the password by guessing.
        let limiter = &api.passwords.limiter;
        if !limiter.admit(address.ip(), &name, Instant::now()) {
            return Err(ApiError::TooMany);
        }
        let current = new.current.unwrap_or_default();
        if !api.passwords.verify(current, Some(caller.user.password_hash.clone())).await? {
            return Err(ApiError::WrongPassword);
        }
        limiter.succeeded(address.ip(), &name);
    }
    check_password(&new.password)?;
    let name = parse(&name)?;
    let hash = api.passwords.hash(new.password).await?;
    api.catalog.set_password(&name, &hash).await?;
    api.catalog.remove_credentials(&name).await?;
    tracing::info!(user = %name, by = %caller.user.name, "password changed");
    Ok(StatusCode::NO_CONTENT)
}

fn parse(name: &str) -> Result<UserName, ApiError> {
    name.parse().map_err(|_| ApiError::NotFound("user"))
}

fn check_password(password: &str) -> Result<(), ApiError> {
    if (PASSWORD_BYTES_MIN..=PASSWORD_BYTES_MAX).contains(&password.len()) {
        return Ok(());
    }
    Err(ApiError::Invalid(format!("a password has {PASSWORD_BYTES_MIN} to {PASSWORD_BYTES_MAX} bytes")))
}

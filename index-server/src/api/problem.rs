//! Every answer that is not the one asked for: `application/problem+json` (RFC 9457) with a stable code and a sentence.
//! The cause is logged here, once, and never sent.

use crate::{
    catalog::{CatalogError, PathError},
    files::{DownloadError, UploadError},
    graph::GraphError,
    query::QueryError,
};
use axum::{
    Json,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// How long a client should wait before it asks again.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("2");
/// How long somebody who guesses passwords must wait.
const LOGIN_RETRY_SECONDS: HeaderValue = HeaderValue::from_static("60");

/// One variant per answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// Nobody is logged in, or with a session that has ended.
    #[error("log in first")]
    Unauthenticated,
    /// Name or password is wrong; which one is not said.
    #[error("name or password is wrong")]
    WrongPassword,
    /// The caller's role does not allow it.
    #[error("your role does not allow this")]
    Forbidden,
    /// The route does not have this method.
    #[error("this address has only {0}")]
    Method(String),
    /// A cookie came from another site.
    #[error("requests from other sites are refused")]
    CrossSite,
    /// It is not there, or not the caller's.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The path is none.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The path cannot be read.
    #[error("invalid path: {0}")]
    BadPath(&'static str),
    /// The search cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The request cannot be read.
    #[error("{0}")]
    Invalid(String),
    /// The content is not sent as it is.
    #[error("content is stored as it is sent; Content-Encoding is not undone here")]
    Encoded,
    /// The body is not what its digest says.
    #[error("the content does not have the digest that was announced; nothing was stored")]
    Digest,
    /// The place is taken.
    #[error("{0} exists already")]
    Exists(&'static str),
    /// It still holds something.
    #[error("{0} is not empty")]
    NotEmpty(&'static str),
    /// It contradicts what there is.
    #[error("{0}")]
    Conflict(String),
    /// The condition does not hold.
    #[error("the file is not the one that was expected")]
    Precondition,
    /// The upload is larger than allowed.
    #[error("larger than the {0} bytes allowed")]
    TooLarge(u64),
    /// No such bytes.
    #[error("the file has {0} bytes; ask for one range within them")]
    Range(u64),
    /// Too many attempts.
    #[error("too many attempts; wait a minute")]
    TooMany,
    /// Too many requests of one user.
    #[error("too many requests of yours are under way; wait for some to end")]
    Busy,
    /// Not enough storage nodes.
    #[error("only {reachable} of at least {needed} storage nodes are there")]
    TooFewNodes {
        /// That can be used.
        reachable: usize,
        /// That are needed.
        needed: usize,
    },
    /// The nodes are full.
    #[error("the storage nodes have no room for this")]
    Full,
    /// Something this server needs is away.
    #[error("{0} is not available now; try again")]
    Unavailable(&'static str),
    /// A stop or wake was refused or failed.
    #[error("{}", .0.message)]
    Refused(Box<super::types::Act>),
    /// The body came too slowly.
    #[error("the request took too long to arrive")]
    TooSlow,
    /// The upload was cut off; nobody hears this answer.
    #[error("the upload was cut off")]
    CutOff,
    /// A fault of this program or its database.
    #[error("internal error")]
    Internal(#[from] anyhow::Error),
}

/// The body of an answer that is not the one asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// `about:blank`: the code says it all.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    /// Of the status.
    pub(super) title: String,
    /// HTTP status.
    pub(super) status: u16,
    /// Stable, for programs.
    pub(super) code: &'static str,
    /// A sentence for people.
    pub(super) detail: String,
    /// By which the log can be searched; filled in on the way out.
    pub(super) request_id: String,
    /// Of a refused or failed stop or wake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) act: Option<super::types::Act>,
}

impl ApiError {
    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthenticated | Self::WrongPassword => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            Self::Forbidden | Self::CrossSite => (StatusCode::FORBIDDEN, "forbidden"),
            Self::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            Self::Path(_) | Self::BadPath(_) => (StatusCode::BAD_REQUEST, "invalid_path"),
            Self::Query(_) => (StatusCode::BAD_REQUEST, "invalid_query"),
            Self::Invalid(_) | Self::CutOff => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
            Self::Encoded => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            Self::Digest => (StatusCode::UNPROCESSABLE_ENTITY, "digest_mismatch"),
            Self::Exists(_) => (StatusCode::CONFLICT, "exists"),
            Self::NotEmpty(_) => (StatusCode::CONFLICT, "not_empty"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
            Self::Precondition => (StatusCode::PRECONDITION_FAILED, "precondition_failed"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"),
            Self::Range(_) => (StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable"),
            Self::TooMany | Self::Busy => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
            Self::TooFewNodes { .. } => (StatusCode::SERVICE_UNAVAILABLE, "too_few_nodes"),
            Self::Full => (StatusCode::INSUFFICIENT_STORAGE, "insufficient_storage"),
            Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Self::Refused(_) => (StatusCode::CONFLICT, "refused"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        if let Self::Internal(error) = &self {
            tracing::error!(error = format!("{error:#}"), "request failed");
        }
        let problem = Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or_default().into(),
            status: status.as_u16(),
            code,
            detail: self.to_string(),
            request_id: super::request_id::current(),
            act: if let Self::Refused(act) = &self { Some((**act).clone()) } else { None },
        };
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match &self {
            Self::TooMany => drop(headers.insert(header::RETRY_AFTER, LOGIN_RETRY_SECONDS)),
            Self::TooFewNodes { .. } | Self::Unavailable(_) | Self::Busy => {
                drop(headers.insert(header::RETRY_AFTER, RETRY_SECONDS))
            }
            Self::Range(size) => insert(headers, header::CONTENT_RANGE, &format!("bytes */{size}")),
            Self::Method(methods) => insert(headers, header::ALLOW, methods),
            _ => {}
        }
        response
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

impl From<CatalogError> for ApiError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::NotFound(what) => Self::NotFound(what),
            CatalogError::Exists(what) => Self::Exists(what),
            CatalogError::NotAFolder => Self::Conflict("a file is in the way: it is not a folder".into()),
            CatalogError::IsAFolder => Self::Conflict("it is a folder".into()),
            CatalogError::NotEmpty(what) => Self::NotEmpty(what),
            CatalogError::Conflict(why) => Self::Conflict(why.into()),
            CatalogError::Precondition => Self::Precondition,
            CatalogError::InvalidCursor => Self::Invalid("not a cursor of this list".into()),
            CatalogError::Unavailable(ref cause) | CatalogError::OutcomeUnknown(ref cause) => {
                tracing::warn!(%cause, "the database is not available");
                Self::Unavailable("the database")
            }
            error => Self::Internal(error.into()),
        }
    }
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::CutOff(cause) => {
                tracing::info!(%cause, "upload cut off");
                Self::CutOff
            }
            UploadError::Stalled => Self::TooSlow,
            UploadError::TooLarge(most) => Self::TooLarge(most),
            UploadError::TooFewNodes(few) => {
                Self::TooFewNodes { reachable: few.reachable, needed: few.needed }
            }
            UploadError::Full => Self::Full,
            UploadError::Busy => Self::Unavailable("memory for another upload"),
            UploadError::Failed(asterism_cluster::WriteError::TooFew { durable, floor, last }) => {
                tracing::warn!(%last, durable, floor, "upload failed: too many nodes failed");
                Self::TooFewNodes { reachable: durable, needed: floor }
            }
            error => Self::Internal(error.into()),
        }
    }
}

impl From<DownloadError> for ApiError {
    fn from(error: DownloadError) -> Self {
        match error {
            DownloadError::Catalog(error) => error.into(),
            DownloadError::Read(asterism_cluster::ReadError::TooFew { readable, needed }) => {
                Self::TooFewNodes { reachable: readable, needed }
            }
            error => Self::Internal(error.into()),
        }
    }
}

impl From<GraphError> for ApiError {
    fn from(error: GraphError) -> Self {
        if error.is_unavailable() {
            tracing::warn!(%error, "the tag graph is not available");
            return Self::Unavailable("the tag graph");
        }
        Self::Internal(error.into())
    }
}

impl From<tonic::Status> for ApiError {
    fn from(status: tonic::Status) -> Self {
        match status.code() {
            tonic::Code::Unavailable
            | tonic::Code::DeadlineExceeded
            | tonic::Code::Cancelled
            | tonic::Code::Unknown => {
                tracing::warn!(error = status.message(), "the monitor is not available");
                Self::Unavailable("the monitor")
            }
            tonic::Code::NotFound => Self::NotFound("node"),
            _ => Self::Internal(anyhow::anyhow!("the monitor answered {status}")),
        }
    }
}

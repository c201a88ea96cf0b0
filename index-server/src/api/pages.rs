//! The web page, and the headers that every answer carries.

use super::problem::ApiError;
use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

const SECURITY: [(HeaderName, HeaderValue); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
];
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; \
     worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

pub(super) async fn security_headers(request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if is_api {
        // What one user was told must not be found in the browser by the next.
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    for (name, value) in SECURITY {
        headers.entry(name).or_insert(value);
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(POLICY);
    response
}

/// A file of the page; any other address outside the API is the page itself, which finds its way by the address.
pub(super) async fn show(request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/api/") || path == "/api" {
        return ApiError::NotFound("address").into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return ApiError::Method("GET, HEAD".into()).into_response();
    }
    let Some(asset) = asterism_web::asset(path).or_else(|| asterism_web::asset(asterism_web::INDEX)) else {
        return ApiError::NotFound("page").into_response();
    };
    let known = request.headers().get(header::IF_NONE_MATCH);
    let cache = if asset.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let described = [
        (header::ETAG, asset.etag.clone()),
        (header::CACHE_CONTROL, cache.into()),
        (header::CONTENT_TYPE, asset.media_type.into()),
    ];
    if known.is_some_and(|known| known.as_bytes() == asset.etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, described).into_response();
    }
    (described, asset.bytes.into_owned()).into_response()
}

//! One id per request: taken from the caller if it is a plain one, else made; in every log line and every answer.

use axum::{extract::Request, http::HeaderValue, middleware::Next, response::Response};
use tracing::Instrument;
use uuid::Uuid;

const HEADER: &str = "x-request-id";
const BYTES_MAX: usize = 64;

tokio::task_local! {
    static CURRENT: String;
}

/// The id of the request that this task works on; empty outside of one.
pub(super) fn current() -> String {
    CURRENT.try_with(String::clone).unwrap_or_default()
}

pub(super) async fn layer(request: Request, next: Next) -> Response {
    let given = request.headers().get(HEADER).and_then(|value| value.to_str().ok()).filter(|id| is_plain(id));
    let id = given.map_or_else(|| Uuid::new_v4().simple().to_string(), str::to_owned);
    let span = tracing::info_span!("request", id = %id, method = %request.method());
    let mut response = CURRENT.scope(id.clone(), next.run(request)).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

fn is_plain(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= BYTES_MAX
        && id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_cannot_forge_log_lines() {
        assert!(is_plain("b7c1-AF_9"));
        for bad in ["", "a b", "a\nb", "a\"b", &"x".repeat(65)] {
            assert!(!is_plain(bad), "{bad:?}");
        }
    }
}

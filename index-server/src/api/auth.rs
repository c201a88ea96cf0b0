//! Who calls: a session cookie or a bearer token, checked against its hash in the catalog.

use super::{Api, crowd::Place, problem::ApiError};
use crate::catalog::{CatalogError, Credential, User};
use asterism_service::world::unix_ms;
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Method, header, request::Parts},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::sync::Arc;

/// The name of the session cookie.
pub(super) const COOKIE: &str = "asterism_session";
const TOKEN_BYTES: usize = 32;

/// The user on whose behalf a request is made.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) user: User,
    pub(super) credential: Credential,
    /// Held as long as anything is done for this request: a download holds it to its end.
    _place: Arc<Place>,
}

impl Caller {
    pub(super) async fn authenticate(
        api: &Api,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Self, ApiError> {
        let token = match bearer(headers) {
            Some(token) => token,
            None => {
                let token = cookie(headers).ok_or(ApiError::Unauthenticated)?;
                if !method.is_safe() || headers.contains_key(header::UPGRADE) {
                    refuse_other_sites(headers)?;
                }
                token
            }
        };
        let found = api.catalog.find_credential(&token_hash(token), unix_ms()).await?;
        let (user, credential) = found.ok_or(ApiError::Unauthenticated)?;
        let place = api.crowd.enter(&user.name).ok_or(ApiError::Busy)?;
        Ok(Self { user, credential, _place: Arc::new(place) })
    }
}

impl Caller {
    /// Whether the session or token is still good; a database that is away for a moment ends nothing.
    pub(super) async fn is_still_in(&self, api: &Api) -> bool {
        match api.catalog.credentials(&self.user.name).await {
            Ok(all) => {
                let now = unix_ms();
                let good = |known: &Credential| {
                    known.id == self.credential.id && known.expires_ms.is_none_or(|end| end > now)
                };
                all.iter().any(good)
            }
            Err(CatalogError::NotFound(_)) => false,
            Err(_) => true,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or(ApiError::Unauthenticated)
    }
}

/// A new token that nobody can guess.
pub(crate) fn new_token() -> Result<String, getrandom::Error> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What is kept of a token. It has full entropy, so a fast hash is enough.
pub(crate) fn token_hash(token: &str) -> [u8; 32] {
    *blake3::hash(token.as_bytes()).as_bytes()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value).next()
}

/// A browser sends the cookie along whoever made the page; only our own pages may use it for changes and sockets.
pub(super) fn refuse_other_sites(headers: &HeaderMap) -> Result<(), ApiError> {
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let same = match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => {
            origin.split_once("://").is_some_and(|(_, authority)| authority == host)
        }
        (None, _) => headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin"),
        _ => false,
    };
    if same { Ok(()) } else { Err(ApiError::CrossSite) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        assert_eq!(cookie(&headers(&[("cookie", "a=b; asterism_session=tok; c=d")])), Some("tok"));
        assert_eq!(cookie(&headers(&[("cookie", "xasterism_session=tok")])), None);
    }

    #[test]
    fn only_our_own_pages_may_use_the_cookie() {
        let check = |pairs: &[(&'static str, &str)], ours: bool| {
            assert_eq!(refuse_other_sites(&headers(pairs)).is_ok(), ours, "{pairs:?}");
        };
        check(&[("origin", "http://box:8420"), ("host", "box:8420")], true);
        check(&[("origin", "https://evil.example"), ("host", "box:8420")], false);
        check(&[("origin", "null"), ("host", "box:8420")], false);
        check(&[("origin", "http://box:8420.evil.example"), ("host", "box:8420")], false);
        check(&[("host", "box:8420")], false);
        check(&[("host", "box:8420"), ("sec-fetch-site", "same-origin")], true);
        check(&[("host", "box:8420"), ("sec-fetch-site", "cross-site")], false);
    }

    #[test]
    fn tokens_differ() {
        assert_ne!(new_token().unwrap(), new_token().unwrap());
        assert_eq!(new_token().unwrap().len(), 43);
    }
}

//! Requests: where to, as whom, and how answers become values or errors.

use crate::{
    error::{Error, Problem},
    types::Session,
};
use reqwest::{Method, RequestBuilder, Response, Url};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A server that sends nothing for this long has gone; uploads and acts may take longer as a whole.
const READ_TIMEOUT: Duration = Duration::from_secs(120);

/// A connection to a cluster.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<String>,
}

impl Client {
    /// A client for the server at `base`, with an API token or session token if there is one.
    ///
    /// # Errors
    /// The URL does not parse.
    pub fn new(base: &str, token: Option<String>) -> Result<Self, Error> {
        let base: Url = base.parse().map_err(|_| Error::Url(base.into()))?;
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
            return Err(Error::Url(base.into()));
        }
        // Fails only if another part of the process chose a provider before, which serves as well.
        if rustls::crypto::CryptoProvider::get_default().is_none()
            && rustls::crypto::ring::default_provider().install_default().is_err()
        {
            return Err(Error::Answer("TLS is not usable".into()));
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .no_proxy()
            .build()
            .map_err(|source| Error::Unreachable { server: base.to_string(), source })?;
        Ok(Self { http, base, token })
    }

    /// The same caller at another server.
    ///
    /// # Errors
    /// The URL does not parse.
    pub fn at(&self, base: &str) -> Result<Self, Error> {
        Self::new(base, self.token.clone())
    }

    /// The server's URL.
    pub fn server(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Logs in; the client acts as that user from now on.
    ///
    /// # Errors
    /// Wrong name or password, or the server is not reached.
    pub async fn log_in(&mut self, user: &str, password: &str) -> Result<Session, Error> {
        let body = serde_json::json!({ "user": user, "password": password });
        let response = self.send(self.request(Method::POST, &["api", "v1", "session"]).json(&body)).await?;
        let cookie = response.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
        let token = cookie.filter_map(|cookie| cookie.strip_prefix("asterism_session=")).next();
        let token = token.and_then(|rest| rest.split(';').next()).map(str::to_owned);
        self.token = Some(token.ok_or_else(|| Error::Answer("no session in the answer".into()))?);
        decode(response).await
    }

    /// Who the client acts as.
    ///
    /// # Errors
    /// Nobody, or the server is not reached.
    pub async fn session(&self) -> Result<Session, Error> {
        self.get(&["api", "v1", "session"], &[]).await
    }

    /// Makes an API token for the user.
    ///
    /// # Errors
    /// Not logged in, or the server is not reached.
    pub async fn create_token(&self, name: &str) -> Result<String, Error> {
        let body = serde_json::json!({ "name": name });
        let answer: serde_json::Value = self.post(&["api", "v1", "tokens"], &body).await?;
        let token = answer.get("token").and_then(serde_json::Value::as_str);
        token.map(str::to_owned).ok_or_else(|| Error::Answer("no token in the answer".into()))
    }

    /// A request to the path made of `segments`, each encoded by itself.
    pub(crate) fn request<S: AsRef<str>>(&self, method: Method, segments: &[S]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        let response = request.send().await.map_err(|source| self.unreachable(source))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let text = response.text().await.unwrap_or_default();
        let problem = serde_json::from_str(&text).unwrap_or_else(|_| Problem {
            status,
            code: "unknown".into(),
            detail: format!("the server answered {status}"),
            ..Problem::default()
        });
        Err(Error::Refused(Box::new(problem)))
    }

    pub(crate) async fn get<T: DeserializeOwned, S: AsRef<str>>(
        &self,
        segments: &[S],
        query: &[(&str, &str)],
    ) -> Result<T, Error> {
        let mut request = self.request(Method::GET, segments);
        if !query.is_empty() {
            request = with_query(request, query);
        }
        decode(self.send(request).await?).await
    }

    pub(crate) async fn post<T: DeserializeOwned, S: AsRef<str>>(
        &self,
        segments: &[S],
        body: &impl Serialize,
    ) -> Result<T, Error> {
        decode(self.send(self.request(Method::POST, segments).json(body)).await?).await
    }

    pub(crate) fn unreachable(&self, source: reqwest::Error) -> Error {
        Error::Unreachable { server: self.server().to_owned(), source }
    }
}

pub(crate) fn with_query(request: RequestBuilder, query: &[(&str, &str)]) -> RequestBuilder {
    request.query(query)
}

pub(crate) async fn decode<T: DeserializeOwned>(response: Response) -> Result<T, Error> {
    let bytes = response.bytes().await.map_err(|error| Error::Answer(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| Error::Answer(error.to_string()))
}

/// The segments of a call on a path in the store.
pub(crate) fn on_path<'a>(prefix: &[&'a str], path: &'a str) -> Vec<&'a str> {
    let mut segments = prefix.to_vec();
    segments.extend(path.split('/').filter(|segment| !segment.is_empty()));
    segments
}

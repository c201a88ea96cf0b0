//! The HTTP API of a cluster, for what the command line does not show: status codes, headers, hostile bytes.

use super::Cluster;
use crate::http::{self, Answer};
use reqwest::{Method, RequestBuilder};

impl Cluster {
    /// A request as the admin; `path` stands behind `/api/v1` and is sent as it is.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        http::client().request(method, format!("{}/api/v1{path}", self.url())).bearer_auth(self.token())
    }

    /// Sends a request without a body as the admin.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn call(&self, method: Method, path: &str) -> anyhow::Result<Answer> {
        http::send(self.request(method, path)).await
    }

    /// Whether a path is there; only the answer `not_found` says that it is not.
    ///
    /// # Errors
    /// Any other failure.
    pub async fn exists(&self, path: &str) -> anyhow::Result<bool> {
        let answer = self.call(Method::GET, &format!("/files{}", http::encoded(path))).await?;
        if answer.status.as_u16() == 404 && answer.json()?["code"] == "not_found" {
            return Ok(false);
        }
        answer.ok()?;
        Ok(true)
    }
}

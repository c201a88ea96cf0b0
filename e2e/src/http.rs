//! HTTP as a test sees it: a status and a text, whatever they are.

use anyhow::{Context, bail};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::Value;
use std::fmt::Write;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No answer of a healthy server on loopback takes longer, uploads aside.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// `Content-Type`, or nothing.
    pub media_type: String,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// It is none; the message shows it.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.text).with_context(|| format!("not JSON ({}): {}", self.status, self.text))
    }

    /// Fails unless the status is a success.
    ///
    /// # Errors
    /// It is another one; the message shows the body.
    pub fn ok(self) -> anyhow::Result<Self> {
        if !self.status.is_success() {
            bail!("{}: {}", self.status, self.text);
        }
        Ok(self)
    }
}

/// The client of all tests.
///
/// # Panics
/// A client without any setting cannot be built.
pub fn client() -> Client {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        // An error says that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder().no_proxy().build().expect("a client with default settings")
}

/// Sends a request and reads the whole answer.
///
/// # Errors
/// There is no answer in time.
pub async fn send(request: RequestBuilder) -> anyhow::Result<Answer> {
    send_within(request, REQUEST_LIMIT).await
}

/// Sends a request that may take as long as `limit`, and reads the whole answer.
///
/// # Errors
/// There is no answer in time.
pub async fn send_within(request: RequestBuilder, limit: Duration) -> anyhow::Result<Answer> {
    let response = request.timeout(limit).send().await?;
    let status = response.status();
    let media_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
    let media_type = media_type.unwrap_or_default().to_owned();
    Ok(Answer { status, media_type, text: response.text().await? })
}

/// Fetches a page that must be there.
///
/// # Errors
/// It is not, or not in time.
pub async fn get(url: &str) -> anyhow::Result<String> {
    let answer = send(client().get(url)).await.with_context(|| url.to_owned())?;
    Ok(answer.ok().with_context(|| url.to_owned())?.text)
}

/// A path or a value as it stands in a URL: every byte but letters, digits and the slash is escaped.
pub fn encoded(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'/' {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// Sends bytes as they are, and gives the answer: for requests that no honest client would make.
///
/// The request must ask for the connection to be closed.
///
/// # Errors
/// There is no answer in time, or none of HTTP.
pub async fn send_raw(url: &str, request: &[u8]) -> anyhow::Result<Answer> {
    let address = url.strip_prefix("http://").context("an http URL")?;
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request).await?;
        let mut answer = Vec::new();
        // A server that refuses may close before it has read everything.
        let end = stream.read_to_end(&mut answer).await;
        if answer.is_empty() {
            end?;
        }
        anyhow::Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = tokio::time::timeout(REQUEST_LIMIT, exchange).await.context("no answer")??;
    parse(&answer).with_context(|| format!("not HTTP: {answer:?}"))
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, text) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    let media_type = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let media_type = media_type.map(|(_, value)| value.to_owned()).unwrap_or_default();
    Some(Answer { status, media_type, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_but_the_slash_is_escaped() {
        assert_eq!(encoded("/a b/100%/中"), "/a%20b/100%25/%E4%B8%AD");
        assert_eq!(encoded("/../x"), "/%2E%2E/x");
    }
}

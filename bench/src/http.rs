//! One connection to a server: as little as possible between the clock and the wire, so that the server is measured.

use crate::{
    content::{Content, PIECE_BYTES},
    s3::{self, Keys},
};
use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Frame, Incoming, SizeHint},
    client::conn::http1::{self, SendRequest},
    header,
    http::request::Builder,
};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    task::{Context as Task, Poll},
    time::Duration,
};
use time::OffsetDateTime;
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};

/// A server that takes longer for one file is not slow but stuck.
const REQUEST_DEADLINE: Duration = Duration::from_secs(300);
/// What of a refusal stands in the message.
const REFUSAL_BYTES_MAX: usize = 2 << 10;

/// Where files are put and fetched, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// In front of a file's path.
    pub(crate) prefix: String,
    pub(crate) access: Access,
}

/// How a request says whose it is.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    /// The same token each time.
    Bearer(String),
    /// A signature of S3 for each request.
    Signed(Keys),
}

impl Access {
    fn add(&self, request: Builder, method: &Method, host: &str, path: &str) -> anyhow::Result<Builder> {
        Ok(match self {
            Self::Bearer(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            Self::Signed(keys) => {
                let signed = keys.sign(method.as_str(), host, path, OffsetDateTime::now_utc())?;
                request
                    .header(header::AUTHORIZATION, signed.authorization)
                    .header("x-amz-date", signed.moment)
                    .header("x-amz-content-sha256", s3::UNSIGNED)
            }
        })
    }
}

/// A kept-alive connection, used by one client at a time.
pub(crate) struct Connection {
    target: Target,
    sender: SendRequest<Upload>,
    driver: JoinHandle<Result<(), hyper::Error>>,
}

impl Connection {
    pub(crate) async fn open(target: &Target) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(target.address).await.context("cannot reach the server")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Self { target: target.clone(), sender, driver: tokio::spawn(connection) })
    }

    /// Stores `content`, which must be acknowledged.
    pub(crate) async fn put(&mut self, path: &str, content: Content) -> anyhow::Result<()> {
        let answer = async {
            let response = self.send(Method::PUT, path, Some(content)).await?;
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            ensure!(status == StatusCode::CREATED || status == StatusCode::OK, refusal(status, &body));
            Ok(())
        };
        within(path, answer).await
    }

    /// Fetches a file, which must be `content` to the last byte.
    pub(crate) async fn get(&mut self, path: &str, content: Content) -> anyhow::Result<()> {
        let answer = async {
            let response = self.send(Method::GET, path, None).await?;
            let status = response.status();
            let mut body = response.into_body();
            if status != StatusCode::OK {
                bail!(refusal(status, &body.collect().await?.to_bytes()));
            }
            let mut received = 0;
            while let Some(frame) = body.frame().await {
                let Ok(data) = frame?.into_data() else { continue };
                ensure!(content.has(received, &data), "wrong bytes after {received}");
                received += data.len() as u64;
            }
            ensure!(received == content.bytes, "{received} of {} bytes came", content.bytes);
            Ok(())
        };
        within(path, answer).await
    }

    /// Asks something without a body, which must be answered with 200.
    pub(crate) async fn ask(&mut self, method: Method, path: &str) -> anyhow::Result<Bytes> {
        let answer = async {
            let response = self.send(method, path, None).await?;
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            ensure!(status == StatusCode::OK, refusal(status, &body));
            Ok(body)
        };
        within(path, answer).await
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        content: Option<Content>,
    ) -> anyhow::Result<Response<Incoming>> {
        let path = format!("{}{path}", self.target.prefix);
        let host = self.target.address.to_string();
        let request = self.target.access.add(Request::builder(), &method, &host, &path)?;
        let request = request.method(method).uri(path).header(header::HOST, host);
        let request = request.body(Upload { content, sent: 0 })?;
        self.sender.ready().await?;
        Ok(self.sender.send_request(request).await?)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Gives an answer its deadline, and its failure the path.
async fn within<T>(path: &str, answer: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let outcome = timeout(REQUEST_DEADLINE, answer).await;
    outcome
        .unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within {REQUEST_DEADLINE:?}")))
        .with_context(|| path.to_owned())
}

fn refusal(status: StatusCode, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(REFUSAL_BYTES_MAX)]);
    format!("the server answered {status}: {text}")
}

/// The body of a request.
struct Upload {
    content: Option<Content>,
    sent: u64,
}

impl Upload {
    fn rest(&self) -> u64 {
        self.content.map_or(0, |content| content.bytes - self.sent)
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self
            .content
            .map(|content| content.piece(self.sent, PIECE_BYTES))
            .filter(|piece| !piece.is_empty());
        self.sent += piece.as_ref().map_or(0, Bytes::len) as u64;
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest())
    }
}

//! Requests to the index-server that runs, as a client sends them, from its router on; and what a client can know of the answer.

use crate::index::{API_TOKEN, Index};
use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use http_body_util::BodyExt;
use std::{convert::Infallible, time::Duration};
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

/// Every request ends within this time, whatever happens (PROMISES P9): the sum of the deadlines on the longest way.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(180);

/// What came of a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// All of an answer.
    Whole(StatusCode, Bytes),
    /// A status, and a body that broke off.
    Broken(StatusCode),
    /// None: the server ended, or none runs.
    None,
    /// None within the deadline, though the server runs.
    Late,
}

impl Answer {
    /// The status, if the answer came in whole.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Whole(status, _) => Some(*status),
            _ => None,
        }
    }

    /// What the story tells of it.
    pub fn word(&self) -> String {
        match self {
            Self::Whole(status, body) => format!("{} {} B", status.as_u16(), body.len()),
            Self::Broken(status) => format!("{} and broke off", status.as_u16()),
            Self::None => "no answer".into(),
            Self::Late => "late".into(),
        }
    }
}

/// One request.
pub struct Ask {
    /// GET and so on.
    pub method: Method,
    /// With its query.
    pub target: String,
    /// Name and value.
    pub headers: Vec<(&'static str, String)>,
    /// Sent in pieces, with pauses between them.
    pub body: Vec<Bytes>,
    /// Between two pieces.
    pub pause: Duration,
}

impl Ask {
    /// A request without a body.
    pub fn new(method: Method, target: impl Into<String>) -> Self {
        Self { method, target: target.into(), headers: Vec::new(), body: Vec::new(), pause: Duration::ZERO }
    }

    /// With a header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With a JSON body.
    pub fn json(mut self, value: &serde_json::Value) -> Self {
        self.body = vec![value.to_string().into()];
        self.header("content-type", "application/json")
    }

    /// Sends it.
    pub async fn send(self, index: &Index) -> Answer {
        let Some(running) = index.running() else { return Answer::None };
        let answering = running.process.outlives(self.answer(running.router));
        match timeout(REQUEST_DEADLINE, answering).await {
            Ok(answer) => answer.unwrap_or(Answer::None),
            Err(_) => Answer::Late,
        }
    }

    async fn answer(self, router: axum::Router) -> Answer {
        let mut request = Request::builder()
            .method(self.method)
            .uri(self.target)
            .header("host", "simulation")
            .header("authorization", format!("Bearer {API_TOKEN}"));
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let pause = self.pause;
        let pieces = stream::iter(self.body).enumerate().then(move |(number, piece)| async move {
            if number > 0 && !pause.is_zero() {
                sleep(pause).await;
            }
            Ok::<_, Infallible>(piece)
        });
        let request = request.body(Body::from_stream(pieces)).expect("a request that can be");
        let answer = match router.oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        let (head, mut body) = answer.into_parts();
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => whole.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new())),
                Err(_) => return Answer::Broken(head.status),
            }
        }
        Answer::Whole(head.status, whole.freeze())
    }
}

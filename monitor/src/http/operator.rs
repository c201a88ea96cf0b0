//! What an operator can do at the monitor's own port, also while no index-server is there: wake, stop, mark, silence, post alerts.
//! Who he is, is said by one token; a browser never sends it by itself, so that no other site can use it.

use super::{
    Pages,
    body::{Act, Problem, Taken},
};
use crate::{
    act::{ActError, Order, Verb},
    messages::{NewSilence, PAYLOAD_BYTES_MAX, SilenceError, WebhookError},
    text::one_line,
};
use asterism_proto::monitor::act_response::Outcome;
use axum::{
    Json,
    body::{Bytes, to_bytes},
    extract::{Path, Query, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, de::DeserializeOwned};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::timeout;

/// Whose token it is, is not said in it.
pub(super) const OPERATOR: &str = "operator";
const BODY_BYTES_MAX: usize = 64 << 10;
const BODY_DEADLINE: Duration = Duration::from_secs(15);
const REASON_CHARS_MAX: usize = 500;

type Answer = Result<Response, Problem>;

impl Pages {
    /// Lets the one in who has the operators' token.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        match (&self.operator, given) {
            (Some(token), Some((_, given))) if token.matches(given.trim()) => Ok(()),
            (None, _) => {
                Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "operator_token_file is not set here"))
            }
            _ => Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "the operators' token is needed",
            )),
        }
    }
}

/// Whether only to say what would happen.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct How {
    dry_run: bool,
    /// Taken because the index-server's API has it; only `false` is.
    force: bool,
}

pub(super) async fn wake(
    pages: State<Pages>,
    headers: HeaderMap,
    name: Path<String>,
    how: Result<Query<How>, axum::extract::rejection::QueryRejection>,
) -> Answer {
    act(pages, headers, name, how, Verb::Wake).await
}

pub(super) async fn stop(
    pages: State<Pages>,
    headers: HeaderMap,
    name: Path<String>,
    how: Result<Query<How>, axum::extract::rejection::QueryRejection>,
) -> Answer {
    act(pages, headers, name, how, Verb::Stop).await
}

async fn act(
    State(pages): State<Pages>,
    headers: HeaderMap,
    Path(name): Path<String>,
    how: Result<Query<How>, axum::extract::rejection::QueryRejection>,
    verb: Verb,
) -> Answer {
    pages.admit(&headers)?;
    let Ok(Query(How { dry_run, force: false })) = how else {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "dry_run is true or false; force is not for here",
        ));
    };
    let act = pages.order(&name, verb, dry_run).await?;
    let status = if act.is_refusal() { StatusCode::CONFLICT } else { StatusCode::OK };
    Ok(match status {
        StatusCode::OK => Json(act).into_response(),
        status => {
            Problem::new(status, "refused", "it was refused, or it failed").with_act(act).into_response()
        }
    })
}

impl Pages {
    /// Has the monitor act on the node of this name.
    pub(super) async fn order(&self, name: &str, verb: Verb, dry_run: bool) -> Result<Act, Problem> {
        let node = self.board.nodes().into_iter().find(|node| node.name.as_str() == name);
        let node = node.ok_or(Problem::new(StatusCode::NOT_FOUND, "not_found", "no such node"))?;
        let order = Order {
            node: node.id,
            verb,
            dry_run,
            force: false,
            actor: OPERATOR.into(),
            request_id: String::new(),
        };
        match self.acts.act(order).await {
            Ok(response) => Ok(Act::from(response)),
            Err(ActError::UnknownNode) => {
                Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "no such node"))
            }
            Err(ActError::Stopping | ActError::Broken) => {
                Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the monitor is stopping"))
            }
        }
    }
}

async fn bytes(request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    match timeout(BODY_DEADLINE, to_bytes(request.into_body(), bytes_max)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => {
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", "the body is too large"))
        }
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "the body took too long")),
    }
}

async fn json<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    serde_json::from_slice(&bytes(request, BODY_BYTES_MAX).await?).map_err(|_| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid_request", "the body is not what is wanted here")
    })
}

/// What to note of a message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    read: Option<bool>,
    acknowledged: Option<bool>,
}

pub(super) async fn mark(
    State(pages): State<Pages>,
    headers: HeaderMap,
    Path(id): Path<String>,
    request: Request,
) -> Answer {
    pages.admit(&headers)?;
    let Mark { read, acknowledged } = json(request).await?;
    let missing = || Problem::new(StatusCode::NOT_FOUND, "not_found", "no such message");
    let id = id.parse().map_err(|_| missing())?;
    match pages.messages.mark(id, OPERATOR, read, acknowledged).await.map_err(Problem::of_messages)? {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(missing()),
    }
}

/// A silence that is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Silence {
    #[serde(default)]
    name: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    begins_in_seconds: u32,
    seconds: u32,
    #[serde(default)]
    reason: String,
}

pub(super) async fn silence(State(pages): State<Pages>, headers: HeaderMap, request: Request) -> Answer {
    pages.admit(&headers)?;
    let Silence { name, labels, begins_in_seconds, seconds, reason } = json(request).await?;
    let begins_ms = crate::board::unix_ms() + i64::from(begins_in_seconds) * 1000;
    let silence = NewSilence {
        name,
        labels,
        begins_ms,
        ends_ms: begins_ms + i64::from(seconds) * 1000,
        author: OPERATOR.into(),
        reason: one_line(&reason, REASON_CHARS_MAX),
    };
    match pages.messages.add_silence(&silence).await {
        Ok(id) => Ok((StatusCode::CREATED, Json(serde_json::json!({ "id": id }))).into_response()),
        Err(SilenceError::Invalid(why)) => Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_request", why)),
        Err(SilenceError::Messages(error)) => Err(Problem::of_messages(error)),
    }
}

pub(super) async fn webhook(State(pages): State<Pages>, headers: HeaderMap, request: Request) -> Answer {
    pages.admit(&headers)?;
    let payload = bytes(request, PAYLOAD_BYTES_MAX).await?;
    match pages.messages.take_webhook(&payload).await {
        Ok(taken) => Ok(Json(Taken { alerts: taken.alerts, dropped: taken.dropped }).into_response()),
        Err(WebhookError::Invalid(why)) => Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_request", why)),
        Err(WebhookError::Messages(error)) => Err(Problem::of_messages(error)),
    }
}

impl Act {
    fn is_refusal(&self) -> bool {
        matches!(self.outcome, "refused" | "failed")
    }
}

/// The word of the API for an outcome.
pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Refused => "refused",
        Outcome::DryRun => "dry_run",
        Outcome::Unchanged => "unchanged",
        Outcome::Failed | Outcome::Unspecified => "failed",
    }
}

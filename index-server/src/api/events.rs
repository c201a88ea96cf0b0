//! The WebSocket: events to the page as they happen.

use super::{Api, auth::Caller, extract::Query, problem::ApiError};
use crate::{catalog::UserName, events::Numbered};
use axum::{
    extract::{
        State,
        ws::{
            CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code,
            rejection::WebSocketUpgradeRejection,
        },
    },
    response::Response,
};
use serde::Deserialize;
use std::time::Duration;
use tokio::{
    sync::broadcast::error::RecvError,
    time::{MissedTickBehavior, interval, timeout},
};
use utoipa::IntoParams;

/// Clients say nothing but pongs; anything larger ends the connection.
const MESSAGE_BYTES_MAX: usize = 4 << 10;
/// A quiet connection is pinged, and a session that has ended is noticed, this often.
const PING: Duration = Duration::from_secs(20);
/// A client that takes nothing for this long is cut off.
const SEND_DEADLINE: Duration = Duration::from_secs(10);

/// Where to begin.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Since {
    /// The last event that the client has seen.
    since: Option<u64>,
}

/// Events as they happen (WebSocket): one JSON object each, with `seq` and `type`.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(Since), responses((status = 101)))]
pub(super) async fn socket(
    State(api): State<Api>,
    caller: Caller,
    Query(since): Query<Since>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|_| ApiError::Invalid("this address is a WebSocket".into()))?;
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| Box::pin(run(socket, api, caller, since.since))))
}

async fn run(mut socket: WebSocket, api: Api, caller: Caller, since: Option<u64>) {
    let user = &caller.user.name;
    let (missed, mut events) = api.events.subscribe(since);
    for event in &missed {
        if !send_event(&mut socket, event, user).await {
            return;
        }
    }
    let mut ping = interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let goes_on = tokio::select! {
            event = events.recv() => match event {
                Ok(event) => send_event(&mut socket, &event, user).await,
                Err(RecvError::Lagged(_)) => send_event(&mut socket, &api.events.resync(), user).await,
                Err(RecvError::Closed) => false,
            },
            said = socket.recv() => match said {
                Some(Ok(Message::Pong(_) | Message::Ping(_))) => true,
                Some(Ok(Message::Text(_) | Message::Binary(_))) => {
                    close(&mut socket, close_code::POLICY, "nothing is to be said here").await
                }
                // What is larger than a frame may be is the one thing that breaks the protocol and can still be answered.
                Some(Err(_)) => close(&mut socket, close_code::SIZE, "nothing is to be said here").await,
                Some(Ok(Message::Close(_))) | None => false,
            },
            _ = ping.tick() => match caller.is_still_in(&api).await {
                true => send(&mut socket, Message::Ping(Default::default())).await,
                false => close(&mut socket, close_code::POLICY, "the session has ended").await,
            },
        };
        if !goes_on {
            return;
        }
    }
}

async fn send_event(socket: &mut WebSocket, event: &Numbered, user: &UserName) -> bool {
    if !event.is_for(user) {
        return true;
    }
    match serde_json::to_string(event) {
        Ok(text) => send(socket, Message::Text(Utf8Bytes::from(text))).await,
        Err(error) => {
            tracing::error!(%error, "event cannot be encoded");
            false
        }
    }
}

/// Says why, and that it is over.
async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) -> bool {
    send(socket, Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }))).await;
    false
}

async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(timeout(SEND_DEADLINE, socket.send(message)).await, Ok(Ok(())))
}

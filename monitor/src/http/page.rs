//! The monitor's own page, for when nothing else is there: nodes, messages, the log, and a button that wakes. No script; every word
//! from elsewhere is escaped.

use super::Pages;
use crate::{
    act::Verb,
    board::NodeView,
    messages::{Filter, Message},
    state::NodeState,
    timeline::Transition,
};
use asterism_service::Secret;
use axum::{
    body::Bytes,
    extract::{Query, State},
    http::{StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};
use serde::Deserialize;
use std::fmt::Write;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:1.5rem auto;padding:0 1rem;color-scheme:light dark}\
    table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #8884;vertical-align:top}\
    h2{margin-top:2rem}form{margin:0}.bad{color:#c92a2a;font-weight:600}.note{padding:.5rem 1rem;border:1px solid #8888;border-radius:6px}";
/// The page may load its own style sheet and post to itself, and nothing else.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
const TRANSITIONS_SHOWN: usize = 20;
const MESSAGES_SHOWN: u32 = 50;

pub(super) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

pub(super) async fn show(State(pages): State<Pages>) -> Response {
    render(&pages, StatusCode::OK, "").await
}

/// What the form of a node says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wake {
    node: String,
    token: String,
}

/// Wakes a node for somebody who types the operators' token: nothing a browser sends by itself can do it.
pub(super) async fn wake(State(pages): State<Pages>, body: Bytes) -> Response {
    let Some(Wake { node, token }) = read(&body) else {
        return render(&pages, StatusCode::BAD_REQUEST, "That was no form of this page.").await;
    };
    let allowed = pages.operator.as_ref().is_some_and(|operator: &Secret| operator.matches(token.trim()));
    if !allowed {
        return render(&pages, StatusCode::UNAUTHORIZED, "That is not the operators' token.").await;
    }
    match pages.order(&node, Verb::Wake, false).await {
        Ok(act) => render(&pages, StatusCode::OK, &act.message).await,
        Err(problem) => render(&pages, StatusCode::CONFLICT, problem.detail()).await,
    }
}

/// A form is written as a query is.
fn read(body: &[u8]) -> Option<Wake> {
    let uri: Uri = format!("/?{}", std::str::from_utf8(body).ok()?).parse().ok()?;
    Query::try_from_uri(&uri).ok().map(|Query(form)| form)
}

async fn render(pages: &Pages, status: StatusCode, note: &str) -> Response {
    let index = pages.board.index();
    let messages =
        pages.messages.list(&Filter { open: true, limit: MESSAGES_SHOWN, ..Filter::default() }).await;
    let transitions = pages.timeline.newest(TRANSITIONS_SHOWN as u32).await;
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv=refresh content=10>\
         <meta name=viewport content='width=device-width'><link rel=stylesheet href=/style.css>\
         <title>Asterism monitor</title><h1>Asterism monitor: {}</h1>",
        escape(&pages.cluster)
    );
    if !note.is_empty() {
        push(&mut page, format_args!("<p class=note>{}</p>", escape(note)));
    }
    match index {
        Ok(()) => page.push_str("<p>The index-server answers; its page shows more.</p>"),
        Err(why) => push(
            &mut page,
            format_args!(
                "<p class=bad>No index-server answers ({}). The monitor goes by its own probes; nodes can be woken and not stopped.</p>",
                escape(&why)
            ),
        ),
    }
    page.push_str("<h2>Messages</h2>");
    match messages {
        Ok(messages) if messages.is_empty() => page.push_str("<p>Nothing needs you.</p>"),
        Ok(messages) => {
            rows(&mut page, &["severity", "since", "what", "files"], messages.iter().map(message_row))
        }
        Err(_) => page.push_str("<p class=bad>The messages cannot be read.</p>"),
    }
    page.push_str("<h2>Nodes</h2>");
    let wakes = pages.operator.is_some();
    let nodes = pages.board.nodes();
    rows(
        &mut page,
        &["name", "state", "since", "why", "zone", ""],
        nodes.iter().map(|node| node_row(node, wakes)),
    );
    page.push_str("<h2>Transitions</h2>");
    match transitions {
        Ok(transitions) => {
            rows(&mut page, &["time", "what", "why", "who"], transitions.iter().map(transition_row))
        }
        Err(_) => page.push_str("<p class=bad>The transition log cannot be read.</p>"),
    }
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, Html(page)).into_response()
}

/// A table; cells are HTML already.
fn rows(page: &mut String, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let cells = |tag: &str, cells: &[String]| -> String {
        cells.iter().map(|cell| format!("<{tag}>{cell}</{tag}>")).collect()
    };
    let head: Vec<String> = head.iter().map(|&name| name.to_owned()).collect();
    push(page, format_args!("<table><tr>{}</tr>", cells("th", &head)));
    for row in rows {
        push(page, format_args!("<tr>{}</tr>", cells("td", &row)));
    }
    page.push_str("</table>");
}

fn message_row(message: &Message) -> Vec<String> {
    let files = message.files.as_ref().map_or_else(|| "-".into(), |files| files.count.to_string());
    vec![
        escape(&message.severity),
        moment(message.started_ms),
        format!("<b>{}</b><br>{}", escape(&message.summary), escape(&message.advice)),
        files,
    ]
}

fn node_row(node: &NodeView, wakes: bool) -> Vec<String> {
    let away = matches!(node.state, NodeState::Offline | NodeState::Asleep);
    let state = if node.state == NodeState::Offline {
        "<span class=bad>offline</span>".into()
    } else {
        node.state.to_string()
    };
    let name = escape(node.name.as_str());
    let button = if away && wakes && node.act.is_none() {
        format!(
            "<form method=post action=/wake><input type=hidden name=node value=\"{name}\">\
             <input type=password name=token placeholder=\"operators' token\" aria-label=\"operators' token\" required> <button>Wake {name}</button></form>"
        )
    } else {
        node.act.as_deref().map(escape).unwrap_or_default()
    };
    vec![name, state, moment(node.since_unix_ms), escape(&node.cause), escape(&node.zone), button]
}

fn transition_row(row: &Transition) -> Vec<String> {
    let what = format!("{}: {} → {}", escape(&row.subject), escape(&row.from), escape(&row.to));
    vec![moment(row.unix_ms), what, escape(&row.cause), escape(&row.actor)]
}

fn moment(unix_ms: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(unix_ms / 1000).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _infallible = page.write_fmt(text);
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

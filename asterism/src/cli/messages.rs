//! What people are told.

use crate::cli::output;
use asterism_client::{Client, types::Message};

pub(crate) async fn run(
    client: &Client,
    unread: bool,
    all: bool,
    read: &[i64],
    json: bool,
) -> anyhow::Result<()> {
    for id in read {
        client.mark_message(*id, Some(true), None).await?;
    }
    if !read.is_empty() {
        return Ok(());
    }
    let messages = client.messages(unread, all).await?;
    output::print(json, &messages, || {
        if messages.is_empty() { "nothing needs you".into() } else { text(&messages) }
    })
}

fn text(messages: &[Message]) -> String {
    let one = |message: &Message| {
        let mark = if message.read { " " } else { "*" };
        let state = match &message.ended_at {
            Some(ended) => format!("ended {ended}"),
            None => format!("since {}", message.started_at),
        };
        let mut lines = vec![
            format!("{mark} {} {:8} {}", message.id, message.severity, output::shown(&message.summary)),
            format!("    {} {state}{}", output::shown(&message.name), files(message)),
        ];
        if message.ended_at.is_none() && !message.advice.is_empty() {
            lines.push(format!("    {}", output::shown(&message.advice)));
        }
        if let Some(person) = &message.acknowledged_by {
            lines.push(format!("    taken by {}", output::shown(person)));
        }
        lines.join("\n")
    };
    messages.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn files(message: &Message) -> String {
    let Some(count) = message.files else { return String::new() };
    let names = |what: &str, names: &[String]| {
        if names.is_empty() {
            String::new()
        } else {
            format!(", {what} {}", output::shown(&names.join(", ")))
        }
    };
    format!(", files touched: {count}{}{}", names("owners", &message.owners), names("tags", &message.tags))
}

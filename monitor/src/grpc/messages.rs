//! Messages and silences on the wire.

use crate::{
    messages::{Change, Filter, Message, MessagesError, NewSilence, Silence, SilenceError, WebhookError},
    text::one_line,
};
use asterism_proto::monitor as wire;
use tonic::Status;

const PERSON_CHARS_MAX: usize = 128;

pub(super) fn filter(request: &wire::MessagesRequest) -> Filter {
    Filter {
        person: person(&request.person),
        unread: request.unread,
        open: request.open,
        all: request.all,
        before: Some(request.before).filter(|before| *before > 0),
        limit: request.limit,
        ..Filter::default()
    }
}

pub(super) fn person(name: &str) -> String {
    one_line(name, PERSON_CHARS_MAX)
}

pub(super) fn message(message: Message) -> wire::Message {
    let help = message.help();
    let count = message.files.as_ref().map(|files| files.count);
    let files = message.files.unwrap_or_default();
    wire::Message {
        id: message.id,
        source: message.source,
        name: message.name,
        severity: message.severity,
        labels: message.labels.into_iter().collect(),
        value: message.value,
        summary: message.summary,
        advice: message.advice,
        runbook: message.runbook,
        started_ms: message.started_ms,
        ended_ms: message.ended_ms,
        files: count,
        owners: files.owners,
        tags: files.tags,
        parent: message.parent,
        children: message.children,
        read: message.read,
        acknowledged_by: message.acknowledged_by.unwrap_or_default(),
        silenced: message.silenced,
        helps: help.into_iter().map(|(help, node)| wire::Help { verb: help.as_str().into(), node }).collect(),
    }
}

pub(super) fn change(change: Change) -> wire::MessageChange {
    let Change { changed, id, name, severity, firing, summary } = change;
    wire::MessageChange { changed, id, name, severity, firing, summary }
}

pub(super) fn silence(silence: Silence) -> wire::Silence {
    let Silence { id, silence: NewSilence { name, labels, begins_ms, ends_ms, author, reason } } = silence;
    wire::Silence { id, name, labels: labels.into_iter().collect(), begins_ms, ends_ms, author, reason }
}

pub(super) fn new_silence(silence: wire::Silence) -> NewSilence {
    let wire::Silence { name, labels, begins_ms, ends_ms, author, reason, .. } = silence;
    NewSilence {
        name,
        labels: labels.into_iter().collect(),
        begins_ms,
        ends_ms,
        author: person(&author),
        reason,
    }
}

pub(super) fn failed(error: MessagesError) -> Status {
    tracing::error!(error = &error as &dyn std::error::Error, "messages cannot be used");
    Status::internal("the messages cannot be used")
}

pub(super) fn silence_failed(error: SilenceError) -> Status {
    match error {
        SilenceError::Invalid(why) => Status::invalid_argument(why),
        SilenceError::Messages(error) => failed(error),
    }
}

pub(super) fn webhook_failed(error: WebhookError) -> Status {
    match error {
        WebhookError::Invalid(why) => Status::invalid_argument(why),
        WebhookError::Messages(error) => failed(error),
    }
}

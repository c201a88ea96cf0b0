//! Pure: what is posted.

use crate::messages::Message;
use serde_json::{Value, json};

/// The message as JSON.
pub(super) fn plain(message: &Message, cluster: &str) -> String {
    let files = message.files.as_ref();
    json!({
        "version": 1,
        "cluster": cluster,
        "id": message.id,
        "source": message.source,
        "name": message.name,
        "severity": message.severity,
        "state": state(message),
        "labels": message.labels,
        "value": message.value,
        "summary": message.summary,
        "advice": message.advice,
        "runbook": message.runbook,
        "started_ms": message.started_ms,
        "ended_ms": message.ended_ms,
        "files": files.map(|files| files.count),
        "owners": files.map(|files| &files.owners),
        "tags": files.map(|files| &files.tags),
    })
    .to_string()
}

/// `template` with its marks filled in. Each is put in as the inside of a JSON string, so that no word of a message can end one.
pub(super) fn filled(template: &str, message: &Message, cluster: &str) -> String {
    let files = message.files.as_ref().map_or_else(|| "?".into(), |files| files.count.to_string());
    let marks: [(&str, &str); 8] = [
        ("{cluster}", cluster),
        ("{name}", &message.name),
        ("{severity}", &message.severity),
        ("{state}", state(message)),
        ("{summary}", &message.summary),
        ("{advice}", &message.advice),
        ("{runbook}", &message.runbook),
        ("{files}", &files),
    ];
    // One pass, so that a mark inside a message stays a word.
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        match marks.iter().find(|(mark, _)| rest.starts_with(mark)) {
            Some((mark, value)) => {
                let quoted = Value::from(*value).to_string();
                text.push_str(&quoted[1..quoted.len() - 1]);
                rest = &rest[mark.len()..];
            }
            None => {
                text.push('{');
                rest = &rest[1..];
            }
        }
    }
    text + rest
}

fn state(message: &Message) -> &'static str {
    if message.ended_ms.is_some() { "resolved" } else { "firing" }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::messages::Files;

    pub(in super::super) fn message(summary: &str) -> Message {
        Message {
            id: 7,
            source: "monitor".into(),
            name: "NodeDown".into(),
            severity: "warning".into(),
            labels: [("node".to_owned(), "n1".to_owned())].into(),
            value: Some(1.0),
            summary: summary.into(),
            advice: "Look.".into(),
            runbook: "docs/x".into(),
            started_ms: 1,
            ended_ms: None,
            files: Some(Files { count: 3, owners: vec!["ada".into()], tags: vec![] }),
            parent: None,
            children: 0,
            read: false,
            acknowledged_by: None,
            acknowledged_ms: None,
            silenced: false,
            changed: 1,
        }
    }

    #[test]
    fn a_template_is_filled_in() {
        let template = r#"{"text": "[{severity}] {summary} ({files} files, {state}) {unknown} {"}"#;
        assert_eq!(
            filled(template, &message("n1 is offline"), "home"),
            r#"{"text": "[warning] n1 is offline (3 files, firing) {unknown} {"}"#
        );
    }

    #[test]
    fn no_word_can_leave_its_place() {
        let hostile = "\"}, \"channel\": \"#all\", {advice} \n\\";
        let text = filled(r#"{"text": "{summary}"}"#, &message(hostile), "home");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value, json!({"text": hostile}));
    }

    #[test]
    fn the_plain_body_says_everything() {
        let value: Value = serde_json::from_str(&plain(&message("n1 is offline"), "home")).unwrap();
        assert_eq!(
            (&value["state"], &value["files"], &value["owners"][0]),
            (&"firing".into(), &3.into(), &"ada".into())
        );
    }
}

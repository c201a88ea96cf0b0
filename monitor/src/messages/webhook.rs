//! Alerts of other systems: what Alertmanager (webhook payload version 4) and Grafana (alerting webhooks) post.

use super::{Firing, Labels, Messages, MessagesError, Source};
use crate::{board::unix_ms, rules::Severity, text::one_line};
use serde::Deserialize;
use std::collections::BTreeMap;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The largest payload; Alertmanager's groups of some hundred alerts are smaller.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;
const ALERTS_MAX: usize = 1_000;
const LABELS_MAX: usize = 32;
const WORD_CHARS_MAX: usize = 200;
const SENTENCE_CHARS_MAX: usize = 1_000;

/// What came of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Alerts in it.
    pub alerts: usize,
    /// Those that were dropped because there are too many messages.
    pub dropped: usize,
}

/// Why a payload is not taken.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// It is none.
    #[error("{0}")]
    Invalid(&'static str),
    /// The database does not work: send it again.
    #[error(transparent)]
    Messages(#[from] MessagesError),
}

/// What both systems have in common. Fields that are not needed are passed over: other systems grow, too.
#[derive(Deserialize)]
struct Payload {
    version: Option<String>,
    /// Grafana's mark.
    #[serde(rename = "orgId")]
    organisation: Option<i64>,
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
struct Alert {
    status: String,
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(rename = "startsAt")]
    starts_at: Option<String>,
    /// Grafana's: values of the queries by their letters.
    #[serde(default)]
    values: Option<BTreeMap<String, f64>>,
}

impl Messages {
    /// Takes what was posted to a webhook. Taking it twice changes nothing.
    ///
    /// # Errors
    /// It is no such payload, or the database cannot be written.
    pub async fn take_webhook(&self, payload: &[u8]) -> Result<Taken, WebhookError> {
        let (source, alerts) = parse(payload)?;
        let dropped = self.take(source, &alerts).await?;
        Ok(Taken { alerts: alerts.len(), dropped })
    }
}

fn parse(payload: &[u8]) -> Result<(Source, Vec<(Firing, bool)>), WebhookError> {
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(WebhookError::Invalid("the payload is too large"));
    }
    let payload: Payload = serde_json::from_slice(payload)
        .map_err(|_| WebhookError::Invalid("not the payload of an Alertmanager or a Grafana webhook"))?;
    let source = match (payload.organisation, payload.version.as_deref()) {
        (Some(_), _) => Source::Grafana,
        (None, Some("4")) => Source::Alertmanager,
        _ => return Err(WebhookError::Invalid("not a payload of version 4")),
    };
    if payload.alerts.len() > ALERTS_MAX {
        return Err(WebhookError::Invalid("more than 1000 alerts in one payload"));
    }
    let mut alerts = payload.alerts.into_iter().map(firing).collect::<Result<Vec<_>, _>>()?;
    // What only proves that alerts arrive is for a dead man's switch, not for people.
    alerts.retain(|(firing, _)| firing.severity != Severity::None.as_str());
    Ok((source, alerts))
}

fn firing(alert: Alert) -> Result<(Firing, bool), WebhookError> {
    let Alert { status, labels, mut annotations, starts_at, values } = alert;
    let fires = match status.as_str() {
        "firing" => true,
        "resolved" => false,
        _ => return Err(WebhookError::Invalid("an alert is firing or resolved")),
    };
    let word = |text: &str| one_line(text, WORD_CHARS_MAX);
    let mut labels: Labels =
        labels.iter().take(LABELS_MAX).map(|(label, value)| (word(label), word(value))).collect();
    let name = labels.remove("alertname").ok_or(WebhookError::Invalid("an alert has a name"))?;
    let severity = labels.remove("severity").unwrap_or_else(|| "warning".into());
    let mut note = |key: &str| one_line(&annotations.remove(key).unwrap_or_default(), SENTENCE_CHARS_MAX);
    let (summary, advice, runbook) = (note("summary"), note("description"), note("runbook_url"));
    let started = starts_at.and_then(|time| OffsetDateTime::parse(&time, &Rfc3339).ok());
    let started_ms = started.and_then(|time| i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok());
    let firing = Firing {
        summary: if summary.is_empty() { name.clone() } else { summary },
        name,
        severity,
        labels,
        value: values.and_then(|values| values.into_values().next()),
        advice,
        runbook,
        started_ms: started_ms.unwrap_or_else(unix_ms),
        under: None,
    };
    Ok((firing, fires))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALERTMANAGER: &str = r#"{"version":"4","groupKey":"{}","truncatedAlerts":0,"status":"firing","receiver":"hook",
        "groupLabels":{"alertname":"NodeDown"},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://a",
        "alerts":[{"status":"firing","labels":{"alertname":"NodeDown","node":"n1","severity":"warning"},
        "annotations":{"summary":"n1 is offline","description":"Look.","runbook_url":"docs/x"},
        "startsAt":"2026-01-02T03:04:05.678Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://p","fingerprint":"f"},
        {"status":"resolved","labels":{"alertname":"Other"}}]}"#;
    const GRAFANA: &str = r#"{"receiver":"x","status":"firing","orgId":1,"version":"1","title":"[FIRING:1]","state":"alerting",
        "alerts":[{"status":"firing","labels":{"alertname":"High","instance":"i"},"annotations":{"summary":"high"},
        "startsAt":"2026-01-02T03:04:05+01:00","values":{"A":42.5},"valueString":"[ var='A' ]","dashboardURL":""}]}"#;

    #[test]
    fn an_alertmanagers_alerts_are_read() {
        let (source, alerts) = parse(ALERTMANAGER.as_bytes()).unwrap();
        assert_eq!((source, alerts.len(), alerts[0].1, alerts[1].1), (Source::Alertmanager, 2, true, false));
        let firing = &alerts[0].0;
        assert_eq!((firing.name.as_str(), firing.severity.as_str()), ("NodeDown", "warning"));
        assert_eq!((firing.labels["node"].as_str(), firing.labels.len()), ("n1", 1));
        assert_eq!((firing.advice.as_str(), firing.started_ms), ("Look.", 1_767_323_045_678));
        assert_eq!(alerts[1].0.summary, "Other", "something is said in any case");
    }

    #[test]
    fn grafanas_alerts_are_read() {
        let (source, alerts) = parse(GRAFANA.as_bytes()).unwrap();
        assert_eq!((source, alerts[0].0.value), (Source::Grafana, Some(42.5)));
        assert_eq!(alerts[0].0.severity, "warning");
    }

    #[test]
    fn a_watchdog_is_no_message() {
        let watchdog = ALERTMANAGER.replace(r#""severity":"warning""#, r#""severity":"none""#);
        assert_eq!(parse(watchdog.as_bytes()).unwrap().1.len(), 1);
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "[]",
            r#"{"version":"4"}"#,
            r#"{"version":"3","alerts":[]}"#,
            r#"{"version":"4","alerts":[{"status":"firing","labels":{}}]}"#,
            r#"{"version":"4","alerts":[{"status":"x","labels":{"alertname":"A"}}]}"#,
            r#"{"version":"4","alerts":[{"status":"firing","labels":{"alertname":7}}]}"#,
        ] {
            assert!(matches!(parse(bad.as_bytes()), Err(WebhookError::Invalid(_))), "{bad}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(parse(deep.as_bytes()).is_err());
        assert!(parse(&vec![b' '; PAYLOAD_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn hostile_words_are_cut_to_one_line() {
        let hostile = ALERTMANAGER.replace(r#""node":"n1""#, r#""node":"n1\n\u001b[2J""#);
        let hostile = hostile.replace("is offline", &"x".repeat(5000));
        let (_, alerts) = parse(hostile.as_bytes()).unwrap();
        assert_eq!(alerts[0].0.labels["node"], "n1");
        assert_eq!(alerts[0].0.summary.chars().count(), SENTENCE_CHARS_MAX);
    }
}

//! The one who warns: evaluates the rules again and again, and makes the open messages those of the alerts that fire.

mod files;
#[cfg(test)]
mod tests;

use crate::{
    board::{Board, unix_ms},
    figures::Reader,
    messages::{Filter, Firing, Labels, Messages, MessagesError, Source},
    rules::{Alert, Engine, Event, Severity, Subject},
};
use asterism_service::Metrics;
pub use files::name_files;
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

/// How often the rules are evaluated: the grain of an alert's time.
const EVALUATE_EVERY: Duration = Duration::from_millis(500);
/// After a start nothing is judged before an index-server has answered, or this long: nobody is known yet.
const GRACE: Duration = Duration::from_secs(10);

/// The worker.
pub struct Warner {
    board: Arc<Board>,
    reader: Arc<Reader>,
    messages: Messages,
    engine: Engine,
    counters: Counters,
    /// The messages are not what the engine says yet.
    behind: bool,
    evaluations: watch::Sender<u64>,
}

#[derive(Clone, Default)]
struct Counters {
    firing: Gauge,
    dropped: Counter,
}

impl Warner {
    /// Warns of what `reader` reads, through `messages`.
    pub fn new(board: Arc<Board>, reader: Arc<Reader>, messages: Messages, metrics: &Metrics) -> Self {
        let counters = Counters::default();
        metrics.register(|registry| {
            registry.register(
                "monitor_alerts_firing",
                "Alerts of the own rules that fire",
                counters.firing.clone(),
            );
            registry.register(
                "monitor_alerts_dropped",
                "Alerts that made no message because there were too many",
                counters.dropped.clone(),
            );
        });
        Self {
            board,
            reader,
            messages,
            engine: Engine::default(),
            counters,
            behind: true,
            evaluations: watch::Sender::new(0),
        }
    }

    /// Counts the evaluations after which the messages said what the rules say.
    pub fn evaluations(&self) -> watch::Receiver<u64> {
        self.evaluations.subscribe()
    }

    /// Warns until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        self.remember().await;
        let began = Instant::now();
        let mut ticks = interval(EVALUATE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return,
            }
            if self.board.index().is_ok() || began.elapsed() >= GRACE {
                self.look(Instant::now()).await;
            }
        }
    }

    /// Takes up what fired before a restart.
    async fn remember(&mut self) {
        let filter = Filter { open: true, all: true, ..Filter::default() };
        let open = match self.messages.list(&filter).await {
            Ok(open) => open,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "earlier messages cannot be read");
                return;
            }
        };
        for message in open.into_iter().filter(|message| message.source == Source::Monitor.as_str()) {
            let zone = message.labels.get("zone").cloned();
            if let Some(subject) = subject(&message.labels) {
                self.engine.remember(&message.name, subject, zone, Instant::now());
            }
        }
    }

    async fn look(&mut self, now: Instant) {
        let reading = self.reader.look(now);
        let events = self.engine.evaluate(&reading, now);
        for event in &events {
            let (alert, what) = match event {
                Event::Fires(alert) => (alert, "alert fires"),
                Event::Ends(alert) => (alert, "alert ended"),
            };
            let subject = alert.subject.label().map(|(_, name)| name);
            tracing::info!(alert = alert.rule.name, subject, value = alert.value, "{what}");
        }
        self.behind |= !events.is_empty();
        if self.behind {
            match self.write().await {
                Ok(dropped) => {
                    self.counters.dropped.inc_by(dropped as u64);
                    self.behind = false;
                }
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "messages cannot be written, trying again"
                    );
                }
            }
        }
        if !self.behind {
            self.evaluations.send_modify(|count| *count += 1);
        }
    }

    async fn write(&self) -> Result<usize, MessagesError> {
        let alerts: Vec<Alert> = self.engine.firing().collect();
        self.counters.firing.set(alerts.len() as i64);
        self.messages.reconcile(Source::Monitor, &firing(&alerts)).await
    }
}

/// What fires, as messages have it. What only proves that alerts arrive makes no message.
fn firing(alerts: &[Alert]) -> Vec<Firing> {
    let told = alerts.iter().filter(|alert| alert.rule.severity != Severity::None);
    told.map(|alert| Firing {
        name: alert.rule.name.into(),
        severity: alert.rule.severity.as_str().into(),
        labels: labels(alert),
        value: Some(alert.value),
        summary: alert.rule.summary_of(&alert.subject),
        advice: alert.rule.advice.into(),
        runbook: alert.rule.runbook(),
        started_ms: unix_ms(),
        under: inhibitor(alert, alerts).map(|above| (above.rule.name.into(), labels(above))),
    })
    .collect()
}

/// The alert that says all that `alert` says: of one of the rules that inhibit it, on the same subject, its zone, or the cluster.
fn inhibitor<'a>(alert: &Alert, all: &'a [Alert]) -> Option<&'a Alert> {
    let covers = |other: &Alert| match &other.subject {
        Subject::Cluster => true,
        Subject::Zone(zone) => alert.zone.as_ref() == Some(zone),
        Subject::Node(_) => other.subject == alert.subject,
    };
    let rules = alert.rule.inhibited_by.iter();
    rules.filter_map(|name| all.iter().find(|other| other.rule.name == *name && covers(other))).next()
}

fn labels(alert: &Alert) -> Labels {
    let mut labels = Labels::new();
    if let Some(zone) = &alert.zone {
        labels.insert("zone".into(), zone.clone());
    }
    if let Some((label, name)) = alert.subject.label() {
        labels.insert(label.into(), name.into());
    }
    labels
}

fn subject(labels: &Labels) -> Option<Subject> {
    match (labels.get("node"), labels.get("zone")) {
        (Some(node), _) => Some(Subject::Node(node.parse().ok()?)),
        (None, Some(zone)) => Some(Subject::Zone(zone.clone())),
        (None, None) => Some(Subject::Cluster),
    }
}

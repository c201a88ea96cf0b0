//! Writes changes into the transition log; a log that cannot be written never stops the watching.

use crate::{
    board::{Change, unix_ms},
    figures::Own,
    state::NodeState,
    timeline::{Detail, Entry, Kind, Timeline},
};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;

/// The actor of everything that nobody asked for.
pub const MONITOR: &str = "monitor";
/// So many changes wait for a log that cannot be written; then the oldest are lost, with a count.
const PENDING_MAX: usize = 10_000;
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// The one who writes down what the state machine decides.
pub struct Recorder {
    timeline: Timeline,
    inbox: mpsc::Receiver<Vec<Change>>,
    pending: VecDeque<Entry>,
    lost: u64,
    own: Arc<Own>,
}

impl Recorder {
    /// Writes what comes through `inbox` into `timeline`; tells `own` how much waits.
    pub fn new(timeline: Timeline, inbox: mpsc::Receiver<Vec<Change>>, own: Arc<Own>) -> Self {
        Self { timeline, inbox, pending: VecDeque::new(), lost: 0, own }
    }

    /// Writes until `stop`, and then what is left.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let retry = !self.pending.is_empty();
            tokio::select! {
                changes = self.inbox.recv() => match changes {
                    Some(changes) => self.take(changes),
                    None => break,
                },
                () = sleep(RETRY_PAUSE), if retry => {}
                () = stop.cancelled() => break,
            }
            self.write().await;
        }
        while let Ok(changes) = self.inbox.try_recv() {
            self.take(changes);
        }
        self.write().await;
    }

    fn take(&mut self, changes: Vec<Change>) {
        for change in changes {
            let (name, from, to) = (&change.name, change.from.map(NodeState::as_str), change.to);
            tracing::info!(node = %name, from, %to, cause = change.cause, "node changed");
            self.pending.push_back(entry(&change));
        }
        while self.pending.len() > PENDING_MAX {
            self.pending.pop_front();
            self.lost += 1;
        }
    }

    async fn write(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        match self.timeline.append(self.pending.make_contiguous()).await {
            Ok(()) => self.pending.clear(),
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                waiting = self.pending.len(),
                lost = self.lost,
                "the transition log cannot be written, trying again"
            ),
        }
        self.own.log_waits(self.pending.len());
    }
}

fn entry(change: &Change) -> Entry {
    Entry {
        unix_ms: unix_ms(),
        kind: Kind::Node,
        subject: change.name.to_string(),
        from: change.from.map_or("", NodeState::as_str).to_owned(),
        to: change.to.to_string(),
        cause: change.cause.clone(),
        actor: MONITOR.to_owned(),
        detail: Detail::default(),
    }
}

//! Bringing to an end what a crash, or an index-server that did not answer, left half done.

use super::{
    Acts, Order, Verb,
    wait::{Waited, is_gone},
};
use crate::{
    board::{Hold, NodeView},
    record::MONITOR,
    state::NodeState,
};
use asterism_proto::{NodeId, index::Intent};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// A node that was being stopped and is not gone after this long goes on.
const GONE_WITHIN: Duration = Duration::from_secs(15);
/// The next attempt at the same node.
const RETRY_PAUSE: Duration = Duration::from_secs(20);

impl Acts {
    /// Looks for intents that nobody is working on, until the monitor stops.
    pub async fn resolve_left_overs(self: Arc<Self>) {
        let mut ticks = self.board.ticks();
        let mut tried: HashMap<NodeId, Instant> = HashMap::new();
        loop {
            tokio::select! {
                tick = ticks.changed() => if tick.is_err() { return },
                () = self.stop.cancelled() => return,
            }
            tried.retain(|_, at| at.elapsed() < RETRY_PAUSE);
            let left_over = self.board.nodes().into_iter().filter(is_left_over);
            for node in left_over.filter(|node| !tried.contains_key(&node.id)).collect::<Vec<_>>() {
                tried.insert(node.id, Instant::now());
                let acts = Arc::clone(&self);
                self.tasks.spawn(async move { acts.resolve(&node).await });
            }
        }
    }

    async fn resolve(&self, node: &NodeView) {
        let Ok(hold) = self.board.hold(node.id, &format!("finishing an act on {}", node.name)) else {
            return;
        };
        let Some(node) = self.board.node(node.id).filter(left_over) else { return };
        tracing::info!(node = %node.name, intent = node.intent.as_str_name(), "finishing an act that was left");
        match node.intent {
            Intent::Stopping => self.finish_stop(&hold, &node).await,
            Intent::Waking => {
                self.wake(&hold, &node, &order(&node, Verb::Wake)).await;
            }
            _ => self.accept_running(&hold, &node).await,
        }
    }

    async fn finish_stop(&self, hold: &Hold, node: &NodeView) {
        let (order, began) = (order(node, Verb::Stop), Instant::now());
        let gone = |node: &NodeView| is_gone(&node.signs, began, self.gone_after);
        let (intent, state, cause) = match self.until(node.id, began + GONE_WITHIN, gone).await {
            Waited::Reached => {
                (Intent::Asleep, NodeState::Asleep, "a stop was left unfinished, and the node is gone")
            }
            Waited::TooLate => {
                (Intent::Up, NodeState::Online, "a stop was left unfinished, and the node still runs")
            }
            Waited::Stopping => return,
        };
        if self.tell(hold, intent, cause).await {
            self.move_on(hold, state, order.because(cause)).await;
        }
    }

    /// Somebody switched a sleeping node on by hand: then it is up.
    async fn accept_running(&self, hold: &Hold, node: &NodeView) {
        let cause = "it runs although it was meant to sleep";
        if self.tell(hold, Intent::Up, cause).await {
            self.note_act(node, "done", order(node, Verb::Wake).because(cause)).await;
        }
    }
}

fn is_left_over(node: &NodeView) -> bool {
    node.act.is_none() && left_over(node)
}

fn left_over(node: &NodeView) -> bool {
    match node.intent {
        // Without an index-server nobody could be told.
        _ if node.signs.silence.is_none() => false,
        Intent::Stopping | Intent::Waking => true,
        Intent::Asleep => node.state == NodeState::Online,
        _ => false,
    }
}

fn order(node: &NodeView, verb: Verb) -> Order {
    Order {
        node: node.id,
        verb,
        dry_run: false,
        force: false,
        actor: MONITOR.into(),
        request_id: String::new(),
    }
}

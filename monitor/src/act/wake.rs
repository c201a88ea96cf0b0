//! Waking a node that sleeps, or one that died.

use super::{
    Acts, Order,
    report::{done, failed, refused, rehearsed, unchanged},
    wait::{Waited, is_back},
};
use crate::{
    board::{Hold, NodeView},
    power::{PowerDriver, Verb},
    state::NodeState,
};
use asterism_proto::{index::Intent, monitor::ActResponse};
use std::time::{Duration, Instant};

/// A node that counts as online is looked at once more before it is left alone: it may have died a moment ago.
const FRESH_LOOK: Duration = Duration::from_secs(5);

impl Acts {
    pub(super) fn rehearse_wake(&self, node: &NodeView) -> ActResponse {
        match self.ready_to_wake(node) {
            Ok(_) if node.state.is_serving() => unchanged(format!("{} is {} already", node.name, node.state)),
            Ok(driver) => rehearsed(format!("{} would be woken ({})", node.name, driver.name())),
            Err(response) => *response,
        }
    }

    pub(super) async fn wake(&self, hold: &Hold, node: &NodeView, order: &Order) -> ActResponse {
        if node.state.is_serving() && self.answers_now(node).await {
            return unchanged(format!("{} is {} already", node.name, node.state));
        }
        match self.ready_to_wake(node) {
            Ok(driver) => self.wake_by(hold, node, order, &*driver).await,
            Err(response) => {
                self.note_act(node, "refused", order.because(&response.message)).await;
                *response
            }
        }
    }

    fn ready_to_wake(&self, node: &NodeView) -> Result<Box<dyn PowerDriver>, Box<ActResponse>> {
        if node.state == NodeState::Retired {
            return Err(Box::new(refused(format!("{} is retired", node.name))));
        }
        self.drivers.of(&node.name, &node.address).map_err(|error| Box::new(refused(error.to_string())))
    }

    /// Whether a probe that begins now is answered.
    async fn answers_now(&self, node: &NodeView) -> bool {
        let asked = Instant::now();
        let probed = |node: &NodeView| node.signs.probe.is_some_and(|(began, _)| began >= asked);
        self.until(node.id, asked + FRESH_LOOK, probed).await == Waited::Reached
            && self
                .board
                .node(node.id)
                .and_then(|node| node.signs.probe)
                .is_some_and(|(_, answered)| answered)
    }

    async fn wake_by(
        &self,
        hold: &Hold,
        node: &NodeView,
        order: &Order,
        driver: &dyn PowerDriver,
    ) -> ActResponse {
        if let Err(error) = self.move_to(hold, NodeState::Waking, order.because("asked to wake")).await {
            tracing::error!(error = &error as &dyn std::error::Error, "wake given up");
            return failed(format!("{} was not woken: what is not written down is not done", node.name));
        }
        // A node needs no proof to start, so a silent index-server does not stop a wake.
        if self.board.index().is_ok() {
            self.tell(hold, Intent::Waking, "asked to wake").await;
        }
        let ordered = Instant::now();
        if let Err(error) = driver.run(Verb::Wake, &node.name).await {
            return self.give_up_waking(hold, node, order, &error.to_string()).await;
        }
        let back = |node: &NodeView| is_back(&node.signs, ordered, Instant::now());
        match self.until(node.id, ordered + self.deadline, back).await {
            Waited::Reached => self.rise(hold, node, order).await,
            Waited::TooLate => {
                let why = format!("it gave no sign of life within {} s", self.deadline.as_secs());
                self.give_up_waking(hold, node, order, &why).await
            }
            Waited::Stopping => failed("the monitor is stopping; the next one brings the wake to its end"),
        }
    }

    async fn rise(&self, hold: &Hold, node: &NodeView, order: &Order) -> ActResponse {
        let cause = "it was woken, and gives signs of life";
        let told = self.tell(hold, Intent::Up, cause).await;
        self.move_on(hold, NodeState::Online, order.because(cause)).await;
        let more = if told { "" } else { "; the index-server could not be told yet" };
        done(format!("{} is online{more}", node.name))
    }

    /// Leaves the node as it was: asleep if that was intended, else dead.
    async fn give_up_waking(&self, hold: &Hold, node: &NodeView, order: &Order, why: &str) -> ActResponse {
        let (intent, state) = match (node.intent, node.state) {
            (Intent::Asleep, state) => (Intent::Asleep, state),
            (_, NodeState::Waking | NodeState::Stopping) => (Intent::Up, NodeState::Offline),
            (_, state) => (Intent::Up, state),
        };
        let cause = format!("the wake failed: {why}");
        self.tell(hold, intent, &cause).await;
        self.move_on(hold, state, order.because(&cause)).await;
        failed(format!("{} was not woken: {why}", node.name))
    }
}

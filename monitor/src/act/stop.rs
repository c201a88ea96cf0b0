//! Stopping a node: proof first, then the machine, then the word to the index-server.

use super::{
    Acts, Order, Why,
    proof::{self, Proof},
    report::{done, failed, refused, rehearsed, unchanged, with_numbers},
    wait::{Waited, is_gone},
};
use crate::{
    board::{Hold, NodeView},
    power::{PowerDriver, Verb},
    state::NodeState,
};
use asterism_proto::{
    index::Intent,
    monitor::{ActResponse, act_response::Outcome},
};
use std::time::Instant;

impl Acts {
    pub(super) async fn rehearse_stop(&self, node: &NodeView, order: &Order) -> ActResponse {
        let driver = match self.ready_to_stop(node) {
            Ok(driver) => driver,
            Err(response) => return *response,
        };
        match self.prove(node, order).await {
            Ok(proof) => {
                let message =
                    format!("{} would be stopped ({}): {}", node.name, driver.name(), proof.sentence);
                with_numbers(rehearsed(message), &proof.numbers)
            }
            Err(response) => *response,
        }
    }

    pub(super) async fn stop(&self, hold: &Hold, node: &NodeView, order: &Order) -> ActResponse {
        let ready = match self.ready_to_stop(node) {
            Ok(driver) => self.prove(node, order).await.map(|proof| (driver, proof)),
            Err(response) => Err(response),
        };
        match ready {
            Ok((driver, proof)) => {
                let response = self.stop_proven(hold, node, order, &proof, &*driver).await;
                with_numbers(response, &proof.numbers)
            }
            Err(response) => {
                if response.outcome() == Outcome::Refused {
                    let proof = proof::of_refusal(&response);
                    let why = Why { proof: proof.as_ref(), ..order.because(&response.message) };
                    self.note_act(node, "refused", why).await;
                }
                *response
            }
        }
    }

    /// What can be said without asking anybody.
    fn ready_to_stop(&self, node: &NodeView) -> Result<Box<dyn PowerDriver>, Box<ActResponse>> {
        match node.state {
            NodeState::Asleep => Err(Box::new(unchanged(format!("{} sleeps already", node.name)))),
            NodeState::Retired => Err(Box::new(refused(format!("{} is retired", node.name)))),
            _ => self
                .drivers
                .of(&node.name, &node.address)
                .map_err(|error| Box::new(refused(error.to_string()))),
        }
    }

    async fn stop_proven(
        &self,
        hold: &Hold,
        node: &NodeView,
        order: &Order,
        proof: &Proof,
        driver: &dyn PowerDriver,
    ) -> ActResponse {
        let reason = format!("asked to stop: {}", proof.sentence);
        // With the proof the index-server has noted the intent itself, in the same transaction.
        if proof.forced && !self.tell(hold, Intent::Stopping, &reason).await {
            let message = "the index-server could not be told of the forced stop; nothing was done";
            self.note_act(node, "failed", order.because(message)).await;
            return failed(message);
        }
        hold.set_intent(Intent::Stopping);
        let why = Why { proof: Some(&proof.counted), ..order.because(&reason) };
        if let Err(error) = self.move_to(hold, NodeState::Stopping, why).await {
            tracing::error!(error = &error as &dyn std::error::Error, "stop given up");
            return self.give_up(hold, node, order, "what is not written down is not done").await;
        }
        let ordered = Instant::now();
        if let Err(error) = driver.run(Verb::Stop, &node.name).await {
            return self.give_up(hold, node, order, &error.to_string()).await;
        }
        let gone = |node: &NodeView| is_gone(&node.signs, ordered, self.gone_after);
        match self.until(node.id, ordered + self.deadline, gone).await {
            Waited::Reached => self.fall_asleep(hold, node, order).await,
            Waited::TooLate => {
                let why = format!("it still gives signs of life after {} s", self.deadline.as_secs());
                self.give_up(hold, node, order, &why).await
            }
            Waited::Stopping => failed("the monitor is stopping; the next one brings the stop to its end"),
        }
    }

    async fn fall_asleep(&self, hold: &Hold, node: &NodeView, order: &Order) -> ActResponse {
        let cause = "it was stopped, and gives no sign of life";
        if !self.tell(hold, Intent::Asleep, cause).await {
            return failed(format!(
                "{} has stopped, but the index-server could not be told; it will be as soon as it answers",
                node.name
            ));
        }
        self.move_on(hold, NodeState::Asleep, order.because(cause)).await;
        done(format!("{} sleeps", node.name))
    }

    /// Takes the stop back: the node goes on as it was.
    async fn give_up(&self, hold: &Hold, node: &NodeView, order: &Order, why: &str) -> ActResponse {
        let cause = format!("the stop failed: {why}");
        let intent = if node.intent == Intent::Draining { Intent::Draining } else { Intent::Up };
        let told = self.tell(hold, intent, &cause).await;
        if self.board.node(node.id).is_some_and(|now| now.state == NodeState::Stopping) {
            self.move_on(hold, node.state, order.because(&cause)).await;
        }
        let more = if told { "" } else { "; the index-server could not be told yet" };
        failed(format!("{} was not stopped: {why}{more}", node.name))
    }
}

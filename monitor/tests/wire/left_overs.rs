//! What a monitor finds when it starts after a crash.

use crate::bed::{Bed, eventually};
use asterism_proto::index::Intent;

/// A monitor starts while `intent` stands for a node that runs or not.
async fn check(runs: bool, intent: Intent, state: &str, resolved: Intent) {
    let bed = Bed::new(1).await;
    let node = &bed.nodes[0];
    eventually("it beats", async || bed.index.members().nodes[&node.id].beat.is_some()).await;
    if !runs {
        node.kill().await;
    }
    bed.index.set(node.id, intent);
    let monitor = bed.monitor_with(&bed.config("")).await;
    monitor.wait_for("n1", state).await;
    eventually("the intent is resolved", async || bed.index.intent(node.id) == resolved).await;
    assert_eq!(node.runs(), state == "online");
}

#[tokio::test]
async fn a_stop_whose_node_is_gone_is_finished() {
    check(false, Intent::Stopping, "asleep", Intent::Asleep).await;
}

#[tokio::test]
async fn a_stop_whose_node_still_runs_is_given_up() {
    check(true, Intent::Stopping, "online", Intent::Up).await;
}

#[tokio::test]
async fn a_wake_is_done_again() {
    check(false, Intent::Waking, "online", Intent::Up).await;
    check(true, Intent::Waking, "online", Intent::Up).await;
}

#[tokio::test]
async fn an_intended_sleep_is_left_alone() {
    check(false, Intent::Asleep, "asleep", Intent::Asleep).await;
}

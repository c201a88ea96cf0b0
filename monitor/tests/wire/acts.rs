//! Stopping and waking.

use crate::{
    bed::{Bed, Running, client, eventually, order},
    supervisor::Mood,
};
use asterism_proto::{
    Role,
    index::Intent,
    monitor::{ActRequest, ActResponse, Verb, act_response::Outcome},
};
use std::time::Duration;
use tonic::Code;
use uuid::Uuid;

#[track_caller]
fn check(response: &ActResponse, outcome: Outcome, state: &str, message: &str) {
    assert_eq!((response.outcome(), response.state.as_str()), (outcome, state), "{response:?}");
    assert!(response.message.contains(message), "{response:?}");
}

#[tokio::test]
async fn a_node_is_stopped_with_a_proof_and_woken_again() {
    let bed = Bed::new(2).await;
    let (monitor, node) = (bed.monitor().await, &bed.nodes[0]);
    let stopped = monitor.act(node, Verb::Stop).await;
    check(&stopped, Outcome::Done, "asleep", "n1 sleeps");
    assert_eq!((stopped.groups_counted, stopped.worst_margin), (256, 1));
    assert!(!node.runs());
    assert_eq!(bed.index.intent(node.id), Intent::Asleep);
    check(&monitor.act(node, Verb::Stop).await, Outcome::Unchanged, "asleep", "sleeps already");
    check(&monitor.act(node, Verb::Wake).await, Outcome::Done, "online", "n1 is online");
    assert!(node.runs());
    check(&monitor.act(node, Verb::Wake).await, Outcome::Unchanged, "online", "online already");
    let noted: Vec<Intent> = bed.index.members().noted.iter().map(|(_, intent)| *intent).collect();
    assert_eq!(noted, [Intent::Stopping, Intent::Asleep, Intent::Waking, Intent::Up]);
    let steps = ["-> joining", "joining -> online", "online -> stopping", "stopping -> asleep"];
    let back = ["asleep -> waking", "waking -> online"];
    let seen = monitor.steps("n1").await;
    assert_eq!(seen.iter().map(|step| step.trim()).collect::<Vec<_>>(), [&steps[..], &back[..]].concat());
    let rows = monitor.timeline().await;
    let proof = rows.iter().find(|row| row.to == "stopping").unwrap();
    assert!(proof.cause.contains("256 groups counted"), "{proof:?}");
    assert_eq!(proof.actor, "ada");
    assert_eq!(bed.supervisor.orders(), ["stop n1", "wake n1"]);
}

#[tokio::test]
async fn a_needed_node_is_not_stopped_unless_forced() {
    let bed = Bed::new(1).await;
    let (monitor, node) = (bed.monitor().await, &bed.nodes[0]);
    bed.index.members().nodes.get_mut(&node.id).unwrap().needed = true;
    let refused = monitor.act(node, Verb::Stop).await;
    check(&refused, Outcome::Refused, "online", "12 groups would fall below 5");
    assert_eq!((refused.groups_below_floor, refused.files_touched), (12, 34));
    assert_eq!(
        (&refused.owners[..], &refused.tags[..]),
        (&["ada".to_owned()][..], &["holiday".to_owned()][..])
    );
    assert!(node.runs());
    let row = monitor.timeline().await.pop().unwrap();
    assert_eq!((row.kind.as_str(), row.from.as_str(), row.to.as_str()), ("act", "stop", "refused"));
    let forced = monitor.order(ActRequest { force: true, ..order(node, Verb::Stop) }).await.unwrap();
    check(&forced, Outcome::Done, "asleep", "sleeps");
    assert!(!node.runs());
    let rows = monitor.timeline().await;
    assert!(rows.iter().any(|row| row.to == "stopping" && row.cause.contains("forced")), "{rows:?}");
}

#[tokio::test]
async fn a_dry_run_says_what_would_happen_and_does_nothing() {
    let bed = Bed::new(1).await;
    let (monitor, node) = (bed.monitor().await, &bed.nodes[0]);
    let dry = |verb| ActRequest { dry_run: true, ..order(node, verb) };
    // What the monitor sees first is written down a moment after it acts on it.
    let before = loop {
        let rows = monitor.timeline().await;
        if rows.iter().any(|row| row.subject == "n1" && row.to == "online") {
            break rows.len();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let would = monitor.order(dry(Verb::Stop)).await.unwrap();
    check(&would, Outcome::DryRun, "online", "n1 would be stopped (local): 256 groups");
    assert_eq!(would.groups_counted, 256);
    check(&monitor.order(dry(Verb::Wake)).await.unwrap(), Outcome::Unchanged, "online", "online already");
    bed.index.members().nodes.get_mut(&node.id).unwrap().needed = true;
    let refused = monitor.order(dry(Verb::Stop)).await.unwrap();
    check(&refused, Outcome::Refused, "online", "12 groups");
    assert_eq!(refused.groups_below_floor, 12);
    let after = monitor.timeline().await;
    assert_eq!(after.len(), before, "{after:?}");
    assert!(bed.supervisor.orders().is_empty() && bed.index.members().noted.is_empty());
}

#[tokio::test]
async fn a_node_that_died_is_woken() {
    let bed = Bed::new(2).await;
    let (monitor, node) = (bed.monitor().await, &bed.nodes[0]);
    node.kill().await;
    monitor.wait_for("n1", "offline").await;
    check(&monitor.act(node, Verb::Wake).await, Outcome::Done, "online", "n1 is online");
    assert!(node.runs());
    assert_eq!(bed.index.intent(node.id), Intent::Up);
}

#[tokio::test]
async fn a_node_that_died_a_moment_ago_is_woken_too() {
    let bed = Bed::new(1).await;
    let (monitor, node) = (bed.monitor().await, &bed.nodes[0]);
    node.kill().await;
    check(&monitor.act(node, Verb::Wake).await, Outcome::Done, "online", "n1 is online");
}

#[tokio::test]
async fn a_driver_that_cannot_leaves_the_node_as_it_was() {
    let bed = Bed::new(1).await;
    let (monitor, node) = (bed.monitor().await, &bed.nodes[0]);
    bed.supervisor.be(Mood::Unable);
    check(&monitor.act(node, Verb::Stop).await, Outcome::Failed, "online", "the disk is on fire");
    assert_eq!(bed.index.intent(node.id), Intent::Up);
    assert!(monitor.timeline().await.iter().any(|row| row.cause.contains("the disk is on fire")));
    node.kill().await;
    monitor.wait_for("n1", "offline").await;
    check(&monitor.act(node, Verb::Wake).await, Outcome::Failed, "offline", "the disk is on fire");
    assert_eq!(bed.index.intent(node.id), Intent::Up);
}

#[tokio::test]
async fn a_driver_that_lies_is_found_out() {
    let bed = Bed::new(1).await;
    let (monitor, node) = (bed.monitor().await, &bed.nodes[0]);
    bed.supervisor.be(Mood::Lying);
    check(
        &monitor.act(node, Verb::Stop).await,
        Outcome::Failed,
        "online",
        "still gives signs of life after 6 s",
    );
    assert_eq!(bed.index.intent(node.id), Intent::Up);
}

#[tokio::test]
async fn a_caller_who_hangs_up_cannot_cut_an_act() {
    let bed = Bed::new(1).await;
    let (monitor, node) = (bed.monitor().await, &bed.nodes[0]);
    let call = tokio::spawn({
        let (mut client, request) = (monitor.client.clone(), order(node, Verb::Stop));
        async move { client.act(request).await }
    });
    eventually("the stop has begun", async || monitor.state("n1").await == "stopping").await;
    call.abort();
    monitor.wait_for("n1", "asleep").await;
    assert_eq!(bed.index.intent(node.id), Intent::Asleep);
}

#[tokio::test]
async fn one_act_per_node_at_a_time() {
    let bed = Bed::new(2).await;
    let (monitor, node) = (bed.monitor().await, &bed.nodes[0]);
    let stop = async |monitor: &Running| monitor.act(node, Verb::Stop).await;
    let (first, second, other) =
        tokio::join!(stop(&monitor), stop(&monitor), monitor.act(&bed.nodes[1], Verb::Stop));
    let mut outcomes = [first.outcome(), second.outcome()];
    outcomes.sort();
    assert_eq!(outcomes, [Outcome::Done, Outcome::Refused], "{first:?} {second:?}");
    let refused = if first.outcome() == Outcome::Refused { first } else { second };
    assert!(refused.message.contains("a stop of n1 by ada is under way"), "{refused:?}");
    check(&other, Outcome::Done, "asleep", "n2 sleeps");
}

#[tokio::test]
async fn without_an_index_server_nothing_stops_and_everything_wakes() {
    let mut bed = Bed::new(2).await;
    let monitor = bed.monitor().await;
    bed.nodes[1].kill().await;
    monitor.wait_for("n2", "offline").await;
    bed.stop_index().await;
    check(&monitor.act(&bed.nodes[0], Verb::Stop).await, Outcome::Refused, "online", "proof");
    assert!(bed.nodes[0].runs());
    check(&monitor.act(&bed.nodes[1], Verb::Wake).await, Outcome::Done, "online", "could not be told");
    assert!(bed.nodes[1].runs());
}

#[tokio::test]
async fn nonsense_is_refused_clearly() {
    let bed = Bed::new(1).await;
    let (monitor, node) = (bed.monitor().await, &bed.nodes[0]);
    let good = order(node, Verb::Stop);
    let cases = [
        (ActRequest { node: Uuid::new_v4().to_string(), ..good.clone() }, Code::NotFound),
        (ActRequest { node: "n1; rm -rf /".into(), ..good.clone() }, Code::InvalidArgument),
        (ActRequest { verb: 99, ..good.clone() }, Code::InvalidArgument),
        (ActRequest { actor: "\n".into(), ..good.clone() }, Code::InvalidArgument),
    ];
    for (request, code) in cases {
        assert_eq!(monitor.order(request).await.unwrap_err().code(), code);
    }
    assert!(node.runs());
}

#[tokio::test]
async fn a_storage_node_may_not_act() {
    let bed = Bed::new(1).await;
    let monitor = bed.monitor().await;
    let intruder = bed.authority.issue(Role::StorageNode, Uuid::new_v4()).unwrap();
    let call = client(monitor.address, &intruder).act(order(&bed.nodes[0], Verb::Stop)).await;
    assert_eq!(call.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_node_without_a_driver_is_only_watched() {
    let bed = Bed::new(1).await;
    let mut config = bed.config("");
    config.power = Default::default();
    let monitor = bed.monitor_with(&config).await;
    monitor.wait_for("n1", "online").await;
    let refused = monitor.act(&bed.nodes[0], Verb::Stop).await;
    check(&refused, Outcome::Refused, "online", "no way to switch this node");
    assert!(bed.index.members().actors.is_empty(), "a lease was taken for nothing");
}

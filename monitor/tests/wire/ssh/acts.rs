//! From the act to the node and back, over a real sshd: monitor, SSH, forced command, supervisor, node.

use super::sshd::{Sshd, asterism_power, make_key};
use crate::bed::{Bed, Running, eventually};
use asterism_monitor::{
    config::Seconds,
    power::{DriverKind, NodePower, PowerConfig, SshConfig},
};
use asterism_proto::{
    index::Intent,
    monitor::{Verb, act_response::Outcome},
};

async fn start(bed: &Bed, server: &Sshd) -> Running {
    let target = server.target();
    let ssh = SshConfig {
        user: target.user,
        key_file: target.key_file,
        known_hosts: target.known_hosts,
        port: 22,
        timeout_seconds: Seconds::from_millis(10_000),
    };
    let own = NodePower { port: Some(server.port), ..NodePower::default() };
    let mut config = bed.config("");
    config.power = PowerConfig {
        driver: DriverKind::Ssh,
        local: None,
        ssh: Some(ssh),
        nodes: [("n1".parse().unwrap(), own)].into(),
    };
    let monitor = bed.monitor_with(&config).await;
    monitor.wait_for("n1", "online").await;
    monitor
}

/// A host whose supervisor has the nodes of `bed`.
fn host(bed: &Bed) -> Sshd {
    Sshd::start(&format!(
        "{} --socket {} --ask {}",
        asterism_power().display(),
        bed.supervisor.socket.display(),
        env!("CARGO_BIN_EXE_monitor")
    ))
}

#[tokio::test]
async fn a_node_is_stopped_and_woken_through_sshd() {
    let bed = Bed::new(1).await;
    let server = host(&bed);
    let (monitor, node) = (start(&bed, &server).await, &bed.nodes[0]);
    let stopped = monitor.act(node, Verb::Stop).await;
    assert_eq!((stopped.outcome(), stopped.state.as_str()), (Outcome::Done, "asleep"), "{stopped:?}");
    assert!(!node.runs());
    let woken = monitor.act(node, Verb::Wake).await;
    assert_eq!((woken.outcome(), woken.state.as_str()), (Outcome::Done, "online"), "{woken:?}");
    assert!(node.runs());
    assert_eq!(bed.supervisor.orders(), ["stop n1", "wake n1"]);
}

#[tokio::test]
async fn a_changed_host_key_stops_nothing_and_is_written_down() {
    let bed = Bed::new(1).await;
    let server = host(&bed);
    let (monitor, node) = (start(&bed, &server).await, &bed.nodes[0]);
    make_key("ed25519", &server.path("other"));
    std::fs::write(server.path("known_hosts"), server.pin_line(&server.path("other.pub"))).unwrap();
    let failed = monitor.act(node, Verb::Stop).await;
    assert_eq!((failed.outcome(), failed.state.as_str()), (Outcome::Failed, "online"), "{failed:?}");
    assert!(failed.message.contains("has changed, nothing was sent"), "{failed:?}");
    assert!(node.runs() && bed.supervisor.orders().is_empty());
    assert_eq!(bed.index.intent(node.id), Intent::Up);
    eventually("the cause is in the log", async || {
        monitor.timeline().await.iter().any(|row| row.cause.contains("the host key of") && row.actor == "ada")
    })
    .await;
}

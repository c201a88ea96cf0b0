//! Proving ourselves.

use super::sshd::{Sshd, check_error, make_key, run, set_mode};
use asterism_monitor::power::{Answer, SshTarget, Verb};

fn with_key(server: &Sshd, name: &str) -> SshTarget {
    SshTarget { key_file: server.path(name), ..server.target() }
}

#[tokio::test]
async fn a_foreign_key_does_not_enter() {
    let server = Sshd::start("echo ok stopped");
    make_key("ed25519", &server.path("foreign"));
    let refused = run(with_key(&server, "foreign"), Verb::Stop, "n1").await;
    check_error(refused, "refused the key of");
}

#[tokio::test]
async fn every_type_of_key_enters() {
    let server = Sshd::start("echo ok stopped");
    for kind in ["ecdsa", "rsa"] {
        make_key(kind, &server.path(kind));
        let public = std::fs::read_to_string(server.path(&format!("{kind}.pub"))).unwrap();
        std::fs::write(
            server.path("authorized_keys"),
            format!("restrict,command=\"echo ok stopped\" {public}"),
        )
        .unwrap();
        assert_eq!(run(with_key(&server, kind), Verb::Stop, "n1").await.unwrap(), Answer::Stopped, "{kind}");
    }
}

#[tokio::test]
async fn a_key_that_others_can_read_is_not_used() {
    let server = Sshd::start("echo ok stopped");
    set_mode(&server.path("id"), 0o644);
    check_error(server.run(Verb::Stop, "n1").await, "open to others");
}

#[tokio::test]
async fn a_key_that_is_none_is_said_to_be_none() {
    let server = Sshd::start("echo ok stopped");
    check_error(run(with_key(&server, "missing"), Verb::Stop, "n1").await, "cannot read");
    std::fs::write(server.path("garbage"), "not a key").unwrap();
    set_mode(&server.path("garbage"), 0o600);
    check_error(run(with_key(&server, "garbage"), Verb::Stop, "n1").await, "not a private key");
}

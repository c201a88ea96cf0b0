//! Proving the host.

use super::sshd::{Sshd, check_error, make_key, run, set_mode};
use asterism_monitor::power::{Answer, SshTarget, Verb};
use std::process::Command;

const STOPPED: &str = "echo ok stopped";

#[tokio::test]
async fn a_host_is_known_by_each_type_of_key() {
    let kinds = ["ed25519", "ecdsa", "rsa"];
    let server = Sshd::with_host_keys(STOPPED, &kinds);
    for kind in kinds {
        // The server has all three and would show another one, were it not told what is wanted.
        server.pin(&[kind]);
        assert_eq!(server.run(Verb::Stop, "n1").await.unwrap(), Answer::Stopped, "{kind}");
    }
    server.pin(&kinds);
    assert_eq!(server.run(Verb::Stop, "n1").await.unwrap(), Answer::Stopped);
}

#[tokio::test]
async fn a_host_is_known_by_a_hashed_name() {
    let server = Sshd::start(STOPPED);
    let hashed = Command::new("ssh-keygen").arg("-qHf").arg(server.path("known_hosts")).output().unwrap();
    assert!(hashed.status.success());
    assert!(std::fs::read_to_string(server.path("known_hosts")).unwrap().starts_with("|1|"));
    assert_eq!(server.run(Verb::Stop, "n1").await.unwrap(), Answer::Stopped);
}

#[tokio::test]
async fn a_changed_host_key_is_refused_and_nothing_is_sent() {
    let server = Sshd::start(STOPPED);
    make_key("ed25519", &server.path("other"));
    let line = server.pin_line(&server.path("other.pub"));
    std::fs::write(server.path("known_hosts"), line).unwrap();
    check_error(server.run(Verb::Stop, "n1").await, "has changed, nothing was sent: it now shows SHA256:");
    let log = std::fs::read_to_string(server.path("sshd.log")).unwrap();
    assert!(!log.contains("Accepted publickey"), "{log}");
}

#[tokio::test]
async fn a_host_without_a_key_of_the_pinned_type_is_refused() {
    let server = Sshd::start(STOPPED);
    make_key("ecdsa", &server.path("other"));
    std::fs::write(server.path("known_hosts"), server.pin_line(&server.path("other.pub"))).unwrap();
    check_error(server.run(Verb::Stop, "n1").await, "has no key of the pinned type");
}

#[tokio::test]
async fn an_unknown_host_is_refused() {
    let server = Sshd::start(STOPPED);
    std::fs::write(server.path("known_hosts"), "").unwrap();
    check_error(server.run(Verb::Stop, "n1").await, "is unknown: pin its key with `monitor enrol`");
    // A key that is pinned for another port says nothing of this one.
    let line = std::fs::read_to_string(server.path("host_ed25519.pub")).unwrap();
    std::fs::write(server.path("known_hosts"), format!("127.0.0.1 {line}")).unwrap();
    check_error(server.run(Verb::Stop, "n1").await, "is unknown");
}

#[tokio::test]
async fn a_file_of_known_hosts_that_cannot_be_believed_is_refused() {
    let server = Sshd::start(STOPPED);
    let missing = SshTarget { known_hosts: server.path("missing"), ..server.target() };
    check_error(run(missing, Verb::Stop, "n1").await, "No such file");
    let directory = SshTarget { known_hosts: server.dir.path().to_owned(), ..server.target() };
    check_error(run(directory, Verb::Stop, "n1").await, "cannot be used");
    set_mode(&server.path("known_hosts"), 0o666);
    check_error(server.run(Verb::Stop, "n1").await, "everybody may write to it");
    set_mode(&server.path("known_hosts"), 0o644);
    std::fs::write(server.path("known_hosts"), [0xff, 0xfe, b'\n']).unwrap();
    check_error(server.run(Verb::Stop, "n1").await, "cannot be used");
}

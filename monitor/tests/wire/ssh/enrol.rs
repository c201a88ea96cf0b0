//! Pinning a host's key.

use super::sshd::{Sshd, make_key};
use asterism_monitor::power::{
    Answer, Verb,
    enrol::{self, Standing},
};
use std::process::{Command, Output, Stdio};

fn monitor_enrol(server: &Sshd, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_monitor"))
        .arg("enrol")
        .arg("--known-hosts")
        .arg(server.path("known_hosts"))
        .args(more)
        .arg(format!("127.0.0.1:{}", server.port))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What the host's owner would read out.
fn fingerprint(server: &Sshd) -> String {
    let output = Command::new("ssh-keygen").arg("-lf").arg(server.path("host_ed25519.pub")).output().unwrap();
    text(&output.stdout).split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn a_host_is_trusted_after_it_was_enrolled_and_not_before() {
    let server = Sshd::start("echo ok stopped");
    std::fs::remove_file(server.path("known_hosts")).unwrap();
    let offer = enrol::ask("127.0.0.1", server.port).await.unwrap();
    assert_eq!((offer.name.as_str(), offer.key_type.as_str()), (server.name().as_str(), "ssh-ed25519"));
    assert_eq!(offer.fingerprint, fingerprint(&server));
    assert_eq!(offer.standing(&server.path("known_hosts")).unwrap(), Standing::Unknown);
    assert!(server.run(Verb::Stop, "n1").await.is_err());
    offer.pin(&server.path("known_hosts")).unwrap();
    assert_eq!(offer.standing(&server.path("known_hosts")).unwrap(), Standing::Pinned);
    assert_eq!(server.run(Verb::Stop, "n1").await.unwrap(), Answer::Stopped);
}

#[tokio::test]
async fn what_is_pinned_already_stays() {
    let server = Sshd::start("echo ok stopped");
    std::fs::write(server.path("known_hosts"), "# ours, without a final line break").unwrap();
    enrol::ask("127.0.0.1", server.port).await.unwrap().pin(&server.path("known_hosts")).unwrap();
    let text = std::fs::read_to_string(server.path("known_hosts")).unwrap();
    assert!(text.starts_with("# ours, without a final line break\n[127.0.0.1]:"), "{text}");
    assert_eq!(server.run(Verb::Stop, "n1").await.unwrap(), Answer::Stopped);
}

#[test]
fn the_command_asks_before_it_trusts() {
    let server = Sshd::start("true");
    std::fs::remove_file(server.path("known_hosts")).unwrap();
    let unasked = monitor_enrol(&server, &[]);
    assert!(!unasked.status.success());
    assert!(text(&unasked.stdout).contains(&fingerprint(&server)));
    assert!(text(&unasked.stderr).contains("nobody to ask"), "{}", text(&unasked.stderr));
    assert!(!server.path("known_hosts").exists());
    let pinned = monitor_enrol(&server, &["--yes"]);
    assert!(pinned.status.success(), "{}", text(&pinned.stderr));
    assert!(text(&pinned.stdout).contains("pinned in"));
    assert!(text(&monitor_enrol(&server, &["--yes"]).stdout).contains("already pinned"));
}

#[test]
fn a_changed_key_is_not_pinned_over_the_old_one() {
    let server = Sshd::start("true");
    make_key("ed25519", &server.path("other"));
    let old = server.pin_line(&server.path("other.pub"));
    std::fs::write(server.path("known_hosts"), &old).unwrap();
    let refused = monitor_enrol(&server, &["--yes"]);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("another key is pinned"), "{}", text(&refused.stderr));
    assert_eq!(std::fs::read_to_string(server.path("known_hosts")).unwrap(), old);
}

#[test]
fn nonsense_is_a_usage_error() {
    for host in ["h", "-oX:22", "h:0", "a b:22", "h\n:22"] {
        let output = Command::new(env!("CARGO_BIN_EXE_monitor"))
            .args(["enrol", "--known-hosts", "/nonexistent/kh", "--", host])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{host:?}: {}", text(&output.stderr));
    }
}

//! The forced command: by hand, and through the real server.

use super::sshd::{Sshd, asterism_power, check_error, set_mode};
use asterism_monitor::power::{Answer, Verb};
use std::{
    io::{Read, Write},
    os::unix::net::UnixListener,
    path::Path,
    process::Command,
};

/// What the forced command prints for `order`.
fn ask(options: &[&str], order: &str) -> String {
    let output =
        Command::new(asterism_power()).args(options).env("SSH_ORIGINAL_COMMAND", order).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{order:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.success(), printed.starts_with("ok "), "{order:?}: {printed:?}");
    printed.trim_end().to_owned()
}

fn write_script(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    set_mode(path, 0o755);
}

/// A directory with a node `n1` that sleeps; the node ends with the value.
struct Host(tempfile::TempDir);

impl Host {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        write_script(&dir.path().join("n1.start"), "#!/bin/sh\nexec sleep 1000\n");
        Self(dir)
    }

    fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    fn forced(&self) -> String {
        format!("{} --processes {}", asterism_power().display(), self.path())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = Command::new(asterism_power())
            .args(["--processes", self.path()])
            .env("SSH_ORIGINAL_COMMAND", "stop n1")
            .output();
    }
}

fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[tokio::test]
async fn a_node_is_woken_and_stopped_through_the_server() {
    let host = Host::new();
    let server = Sshd::start(&host.forced());
    assert_eq!(server.run(Verb::Status, "n1").await.unwrap(), Answer::Stopped);
    let Answer::Running { pid } = server.run(Verb::Wake, "n1").await.unwrap() else { panic!("not woken") };
    assert!(runs(pid));
    assert_eq!(server.run(Verb::Wake, "n1").await.unwrap(), Answer::Running { pid });
    assert_eq!(server.run(Verb::Status, "n1").await.unwrap(), Answer::Running { pid });
    assert_eq!(server.run(Verb::Stop, "n1").await.unwrap(), Answer::Stopped);
    assert!(!runs(pid));
    assert_eq!(server.run(Verb::Stop, "n1").await.unwrap(), Answer::Stopped);
    check_error(server.run(Verb::Wake, "n2").await, "says: there is no node n2 here");
}

#[test]
fn only_three_orders_are_orders() {
    let host = Host::new();
    let options = ["--processes", host.path()];
    for order in [
        "",
        "sh",
        "stop",
        "stop ",
        "stop  n1",
        "stop n1 n2",
        "stop n1;id",
        "stop n1\nid",
        "stop $(id)",
        "stop `id`",
        "stop ../n1",
        "stop -n",
        "stop n-",
        "stop N1",
        "stop n1 ",
        " stop n1",
        "reboot n1",
        "stop\tn1",
        "STOP n1",
        "stop é",
        "stop *",
        "scp -f /etc/passwd",
        "/bin/sh -c id",
    ] {
        assert!(ask(&options, order).starts_with("error "), "{order:?}");
    }
    assert!(ask(&options, &format!("stop {}", "a".repeat(64))).contains("not a node's name"));
    assert_eq!(ask(&options, "status n1"), "ok stopped");
}

#[test]
fn a_key_may_be_bound_to_some_nodes() {
    let host = Host::new();
    let options = ["--processes", host.path(), "--node", "n1", "--node", "n3"];
    assert_eq!(ask(&options, "status n1"), "ok stopped");
    assert_eq!(ask(&options, "status n2"), "error this key may not switch n2");
    assert_eq!(ask(&["--node"], "status n1"), "error the forced command's option --node lacks a value");
}

#[test]
fn a_pid_that_was_used_again_is_not_hit() {
    let host = Host::new();
    // This very process runs, but it is not the node.
    std::fs::write(host.0.path().join("n1.pid"), format!("{} 1\n", std::process::id())).unwrap();
    assert_eq!(ask(&["--processes", host.path()], "stop n1"), "ok stopped");
    for nonsense in ["", "x y\n", "-1 1\n", "1\n"] {
        std::fs::write(host.0.path().join("n1.pid"), nonsense).unwrap();
        assert_eq!(ask(&["--processes", host.path()], "status n1"), "ok stopped", "{nonsense:?}");
    }
}

#[test]
fn units_are_switched_by_systemctl() {
    let dir = tempfile::tempdir().unwrap();
    let (systemctl, calls) = (dir.path().join("systemctl"), dir.path().join("calls"));
    let script = format!(
        "#!/bin/sh\necho \"$@\" >>{}\ncase \"$*\" in\n\
         'start -- asterism-storage-node@bad.service') echo 'Unit is masked.' >&2; exit 1 ;;\n\
         is-active*@asleep.service) exit 3 ;;\n\
         show*) echo 4242 ;;\nesac\n",
        calls.display()
    );
    write_script(&systemctl, &script);
    let options = ["--systemctl", systemctl.to_str().unwrap()];
    assert_eq!(ask(&options, "wake n1"), "ok running 4242");
    assert_eq!(ask(&options, "stop asleep"), "ok stopped");
    assert_eq!(ask(&options, "status asleep"), "ok stopped");
    assert_eq!(ask(&options, "wake bad"), "error Unit is masked.");
    assert_eq!(ask(&options, "wake asleep"), "error asterism-storage-node@asleep.service did not stay up");
    let calls = std::fs::read_to_string(calls).unwrap();
    assert!(calls.starts_with("start -- asterism-storage-node@n1.service\nis-active --quiet -- "), "{calls}");
    assert!(calls.contains("stop -- asterism-storage-node@asleep.service\n"), "{calls}");
}

#[test]
fn a_supervisor_is_asked_over_its_socket() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    let supervisor = std::thread::spawn(move || {
        for reply in ["ok running 7\n", "error no such node\n"] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut order = [0; 64];
            let read = stream.read(&mut order).unwrap();
            assert_eq!(&order[..read], b"wake n1\n");
            stream.write_all(reply.as_bytes()).unwrap();
        }
    });
    let options = ["--socket", socket.to_str().unwrap(), "--ask", env!("CARGO_BIN_EXE_monitor")];
    assert_eq!(ask(&options, "wake n1"), "ok running 7");
    assert!(ask(&options, "wake n1").starts_with("error the supervisor at "));
    supervisor.join().unwrap();
    assert!(ask(&options, "wake n1").contains("cannot reach the supervisor"));
}

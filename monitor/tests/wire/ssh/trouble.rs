//! Hosts that hang, flood and fail.

use super::sshd::{Sshd, check_error, run};
use asterism_monitor::power::{Answer, SshTarget, Verb};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const SHORT: Duration = Duration::from_millis(1500);

/// Runs `test` with one thread for blocking work, and checks that this thread is free again soon after it.
fn check_thread_ends(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        test.await;
        let free = tokio::time::timeout(SHORT, tokio::task::spawn_blocking(|| ()));
        free.await.expect("the blocking thread did not end").unwrap();
    });
}

/// A stop at `target` fails with `words` within its time limit.
async fn check_in_time(target: SshTarget, words: &str) {
    let begin = Instant::now();
    let limit = target.timeout;
    check_error(run(target, Verb::Stop, "n1").await, words);
    assert!(begin.elapsed() < limit + SHORT, "took {:?}", begin.elapsed());
}

#[test]
fn a_host_that_hangs_after_login_is_given_up() {
    check_thread_ends(async {
        let server = Sshd::start("sleep 1000");
        check_in_time(SshTarget { timeout: SHORT, ..server.target() }, "did not finish in time").await;
    });
}

#[test]
fn a_host_that_drips_is_given_up() {
    check_thread_ends(async {
        let server = Sshd::start("while sleep 0.1; do echo; done");
        check_in_time(SshTarget { timeout: SHORT, ..server.target() }, "did not finish in time").await;
    });
}

/// Something that accepts and then does as `greet` says.
fn check_bad_server(greet: &'static [u8], again: bool, words: &'static str) {
    check_thread_ends(async {
        let server = Sshd::start("true");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let public = std::fs::read_to_string(server.path("host_ed25519.pub")).unwrap();
        std::fs::write(server.path("known_hosts"), format!("[127.0.0.1]:{port} {public}")).unwrap();
        let task = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            while stream.write_all(greet).await.is_ok() && again {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let _ = stream.read_to_end(&mut Vec::new()).await;
        });
        check_in_time(SshTarget { timeout: SHORT, port, ..server.target() }, words).await;
        task.abort();
    });
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    check_bad_server(b"", false, "did not finish in time");
}

#[test]
fn a_server_that_stops_within_the_handshake_is_given_up() {
    check_bad_server(b"SSH-2.0-slow\r\n", false, "did not finish in time");
}

#[test]
fn a_server_that_greets_for_ever_is_given_up() {
    check_bad_server(b"a greeting without an end\r\n", true, "127.0.0.1");
}

#[tokio::test]
async fn nobody_there_is_told_at_once() {
    let server = Sshd::start("true");
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let public = std::fs::read_to_string(server.path("host_ed25519.pub")).unwrap();
    std::fs::write(server.path("known_hosts"), format!("[127.0.0.1]:{port} {public}")).unwrap();
    check_in_time(SshTarget { port, ..server.target() }, "Connection refused").await;
}

#[test]
fn a_flood_is_cut_off() {
    check_thread_ends(async {
        for forced in
            ["head -c 10000000 /dev/zero | tr '\\0' x", "head -c 10000000 /dev/zero | tr '\\0' x >&2"]
        {
            let server = Sshd::start(forced);
            check_in_time(server.target(), "answered with more than 65536 bytes").await;
        }
    });
}

#[tokio::test]
async fn an_exit_code_and_the_first_line_are_told() {
    let server = Sshd::start("echo the bus is gone >&2; echo more >&2; exit 255");
    check_error(server.run(Verb::Stop, "n1").await, "ended with exit code 255: the bus is gone");
    let server = Sshd::start("echo error the unit is masked; exit 1");
    check_error(server.run(Verb::Stop, "n1").await, "says: the unit is masked");
    let server = Sshd::start("kill -KILL $$");
    check_error(server.run(Verb::Stop, "n1").await, "signal KILL");
}

#[tokio::test]
async fn an_answer_that_is_none_is_no_success() {
    let server = Sshd::start("true");
    check_error(server.run(Verb::Stop, "n1").await, "gave an answer that is none");
    let server = Sshd::start("echo stty: not a terminal >&2; echo ok running 12");
    assert_eq!(server.run(Verb::Wake, "n1").await.unwrap(), Answer::Running { pid: 12 });
}

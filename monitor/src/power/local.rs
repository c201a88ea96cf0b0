//! Nodes that are processes of a supervisor on this machine: the line protocol over its Unix socket.

use super::{Answer, LocalConfig, PowerDriver, PowerError, Verb, line};
use asterism_proto::NodeName;
use futures::future::BoxFuture;
use std::{io, path::PathBuf, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

/// The supervisor behind a Unix socket.
#[derive(Clone, Debug)]
pub struct Local {
    socket: PathBuf,
    limit: Duration,
}

impl Local {
    /// The supervisor that `config` names.
    pub fn new(config: &LocalConfig) -> Self {
        Self { socket: config.socket.clone(), limit: config.timeout_seconds.get() }
    }

    async fn ask(&self, verb: Verb, node: &NodeName) -> Result<Answer, PowerError> {
        let target = format!("the supervisor at {}", self.socket.display());
        let printed = match timeout(self.limit, self.exchange(verb, node)).await {
            Ok(Ok(printed)) => printed,
            Ok(Err(error)) => return Err(PowerError::Unreachable { target, reason: error.to_string() }),
            Err(_) => return Err(PowerError::Timeout { target }),
        };
        if printed.len() > line::ANSWER_BYTES_MAX {
            return Err(PowerError::TooMuchOutput { target, bytes_max: line::ANSWER_BYTES_MAX });
        }
        line::answer(&target, &String::from_utf8_lossy(&printed))
    }

    async fn exchange(&self, verb: Verb, node: &NodeName) -> io::Result<Vec<u8>> {
        let mut stream = UnixStream::connect(&self.socket).await?;
        stream.write_all(format!("{}\n", line::order(verb, node)).as_bytes()).await?;
        let mut printed = Vec::new();
        let mut chunk = [0; 1024];
        // One line is the answer; whether the supervisor then closes the connection is its own affair.
        while !printed.contains(&b'\n') && printed.len() <= line::ANSWER_BYTES_MAX {
            match stream.read(&mut chunk).await? {
                0 => break,
                read => printed.extend_from_slice(&chunk[..read]),
            }
        }
        Ok(printed)
    }
}

impl PowerDriver for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn run<'a>(&'a self, verb: Verb, node: &'a NodeName) -> BoxFuture<'a, Result<Answer, PowerError>> {
        Box::pin(self.ask(verb, node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Seconds;
    use tokio::net::UnixListener;

    /// A supervisor that reads one order and says `reply`; `None` says nothing and keeps the connection.
    async fn check(reply: Option<Vec<u8>>, expected: Result<Answer, &str>) {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let supervisor = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut order = [0; 64];
            let read = stream.read(&mut order).await.unwrap();
            if let Some(reply) = reply {
                // The driver may hang up on a flood.
                let _ = stream.write_all(&reply).await;
            }
            let _ = stream.read(&mut [0; 1]).await;
            String::from_utf8(order[..read].to_vec()).unwrap()
        });
        let driver = Local { socket, limit: Duration::from_millis(500) };
        let answer = driver.run(Verb::Stop, &"n1".parse().unwrap()).await;
        match (answer, expected) {
            (Ok(answer), Ok(expected)) => assert_eq!(answer, expected),
            (Err(error), Err(word)) => assert!(error.to_string().contains(word), "{error}"),
            (answer, expected) => panic!("{answer:?} instead of {expected:?}"),
        }
        assert_eq!(supervisor.await.unwrap(), "stop n1\n");
    }

    #[tokio::test]
    async fn a_supervisor_answers_in_one_line() {
        check(Some(b"ok running 12\n".to_vec()), Ok(Answer::Running { pid: 12 })).await;
        check(Some(b"ok stopped\n".to_vec()), Ok(Answer::Stopped)).await;
        check(Some(b"error no node n1\n".to_vec()), Err("says: no node n1")).await;
    }

    #[tokio::test]
    async fn a_bad_supervisor_is_an_error() {
        check(None, Err("did not finish in time")).await;
        check(Some(vec![b'x'; 1 << 20]), Err("more than 65536 bytes")).await;
        check(Some(b"\xff\xfe\n".to_vec()), Err("an answer that is none")).await;
    }

    #[tokio::test]
    async fn a_missing_supervisor_is_an_error() {
        let config =
            LocalConfig { socket: "/nonexistent/socket".into(), timeout_seconds: Seconds::from_millis(500) };
        let error = Local::new(&config).run(Verb::Wake, &"n1".parse().unwrap()).await.unwrap_err();
        assert!(error.to_string().contains("cannot reach the supervisor at /nonexistent/socket"), "{error}");
    }
}

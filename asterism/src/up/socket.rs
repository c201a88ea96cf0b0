//! The supervisor's socket: three verbs, one line each way; the monitor's local power driver speaks it.
//!
//! `wake NAME`, `stop NAME`, `status NAME` → `ok running PID`, `ok stopped` or `error SENTENCE`.

use crate::up::supervisor::{Status, Supervisor};
use anyhow::{Context, bail};
use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    task::JoinHandle,
    time::timeout,
};

const REQUEST_BYTES_MAX: u64 = 256;
const REQUEST_DEADLINE: Duration = Duration::from_secs(5);

/// Answers on a socket that only this user can reach.
pub(crate) fn listen(path: &Path, supervisor: Supervisor) -> anyhow::Result<JoinHandle<()>> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let listener =
        UnixListener::bind(path).with_context(|| format!("cannot listen on {}", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, supervisor.clone()));
        }
    }))
}

async fn answer(mut stream: UnixStream, supervisor: Supervisor) {
    let mut line = String::new();
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader.take(REQUEST_BYTES_MAX));
    let said = match timeout(REQUEST_DEADLINE, reader.read_line(&mut line)).await {
        Ok(Ok(_)) => {
            perform(&supervisor, line.trim_end()).await.unwrap_or_else(|error| format!("error {error:#}"))
        }
        Ok(Err(error)) => format!("error {error}"),
        Err(_) => "error no request came".into(),
    };
    if let Err(error) = writer.write_all(format!("{said}\n").as_bytes()).await {
        tracing::debug!(%error, "whoever asked has gone");
    }
}

async fn perform(supervisor: &Supervisor, request: &str) -> anyhow::Result<String> {
    let (verb, name) = request.split_once(' ').context("a request is a verb and a name")?;
    match verb {
        "wake" => drop(supervisor.wake(name)?),
        "stop" => supervisor.put_to_sleep(name).await?,
        "status" => {}
        _ => bail!("the verbs are wake, stop and status"),
    }
    Ok(match supervisor.status(name)? {
        Status::Running(pid) => format!("ok running {pid}"),
        Status::Stopped => "ok stopped".into(),
    })
}

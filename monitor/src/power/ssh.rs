//! Nodes on hosts with an SSH server: a forced command that takes a verb and a name.

pub(super) mod session;

use super::{Answer, PowerDriver, PowerError, Verb, known_hosts, line};
use asterism_proto::NodeName;
use asterism_service::secret;
use futures::future::BoxFuture;
use std::{
    io,
    net::{Shutdown, SocketAddr, TcpStream},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{net::lookup_host, time::timeout_at};

/// A host, and how it is entered.
#[derive(Clone, Debug)]
pub struct SshTarget {
    /// Its name or IP address.
    pub host: String,
    /// Its SSH server's port.
    pub port: u16,
    /// The account whose key has the forced command.
    pub user: String,
    /// The private key.
    pub key_file: PathBuf,
    /// The pinned host keys.
    pub known_hosts: PathBuf,
    /// For everything together.
    pub timeout: Duration,
}

/// A host's forced command.
#[derive(Clone, Debug)]
pub struct Ssh {
    target: SshTarget,
}

impl Ssh {
    /// The host that `target` names.
    pub fn new(target: SshTarget) -> Self {
        Self { target }
    }

    async fn ask(&self, verb: Verb, node: &NodeName) -> Result<Answer, PowerError> {
        let deadline = Instant::now() + self.target.timeout;
        let name = known_hosts::host_name(&self.target.host, self.target.port);
        // Before the first packet: without a pinned host and an own key there is nothing to connect for.
        let (target, host) = (self.target.clone(), name.clone());
        let credentials = blocking(move || Credentials::read(&target, &host)).await?;
        let addresses = resolve(&name, &self.target.host, self.target.port, deadline).await?;
        let order = line::order(verb, node);
        let finished =
            within(&name, deadline, move |line| session::run(line, &addresses, &credentials, &order)).await?;
        if finished.code == 0 { line::answer(&name, &finished.printed) } else { Err(failed(name, finished)) }
    }
}

impl PowerDriver for Ssh {
    fn name(&self) -> &'static str {
        "ssh"
    }

    fn run<'a>(&'a self, verb: Verb, node: &'a NodeName) -> BoxFuture<'a, Result<Answer, PowerError>> {
        Box::pin(self.ask(verb, node))
    }
}

/// A command that failed: its own sentence if it gave one, else the code and the first line.
fn failed(target: String, finished: session::Finished) -> PowerError {
    match line::answer(&target, &finished.printed) {
        Err(refused @ PowerError::Refused { .. }) => refused,
        _ => PowerError::Exit { target, code: finished.code, said: line::sentence(&finished.printed) },
    }
}

/// What is needed to enter a host.
struct Credentials {
    host: String,
    user: String,
    key: String,
    key_file: PathBuf,
    pinned: Vec<Vec<u8>>,
}

impl Credentials {
    fn read(target: &SshTarget, host: &str) -> Result<Self, PowerError> {
        let text = known_hosts::read(&target.known_hosts)?;
        let pinned = known_hosts::pinned(&text, &target.known_hosts, host)?;
        if pinned.is_empty() {
            return Err(PowerError::UnknownHost { host: host.to_owned() });
        }
        let key = secret::read_private(&target.key_file).map_err(|error| PowerError::Key {
            path: target.key_file.clone(),
            reason: format!("{error:#}"),
        })?;
        let (host, user, key_file) = (host.to_owned(), target.user.clone(), target.key_file.clone());
        Ok(Self { host, user, key, key_file, pinned })
    }
}

pub(super) async fn resolve(
    name: &str,
    host: &str,
    port: u16,
    deadline: Instant,
) -> Result<Vec<SocketAddr>, PowerError> {
    let unreachable = |reason: String| PowerError::Unreachable { target: name.to_owned(), reason };
    let found = timeout_at(deadline.into(), lookup_host((host, port))).await;
    let addresses: Vec<_> = found
        .map_err(|_| PowerError::Timeout { target: name.to_owned() })?
        .map_err(|error| unreachable(error.to_string()))?
        .collect();
    if addresses.is_empty() { Err(unreachable("its name has no address".into())) } else { Ok(addresses) }
}

/// A connection that can be cut from outside: the blocking thread behind it then ends with an error.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) target: String,
    pub(super) deadline: Instant,
    stream: Arc<Mutex<Option<TcpStream>>>,
}

impl Line {
    fn new(target: &str, deadline: Instant) -> Self {
        Self { target: target.to_owned(), deadline, stream: Arc::default() }
    }

    /// What is left of the time.
    pub(super) fn left(&self) -> Result<Duration, PowerError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(PowerError::Timeout { target: self.target.clone() }) } else { Ok(left) }
    }

    /// Connects to the first of `addresses` that answers.
    pub(super) fn connect(&self, addresses: &[SocketAddr]) -> Result<TcpStream, PowerError> {
        let mut reason = String::new();
        for address in addresses {
            match TcpStream::connect_timeout(address, self.left()?) {
                Ok(stream) => {
                    let copy = stream.try_clone().map_err(PowerError::Internal)?;
                    *self.stream.lock().unwrap_or_else(PoisonError::into_inner) = Some(copy);
                    return Ok(stream);
                }
                Err(error) => reason = error.to_string(),
            }
        }
        self.left()?;
        Err(PowerError::Unreachable { target: self.target.clone(), reason })
    }

    /// Ends whatever waits for the other side.
    pub(super) fn cut(&self) {
        if let Some(stream) = &*self.stream.lock().unwrap_or_else(PoisonError::into_inner) {
            // An error means that it is closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Runs blocking `work` until `deadline`; then its connection is cut, so that its thread ends too.
pub(super) async fn within<T: Send + 'static>(
    target: &str,
    deadline: Instant,
    work: impl FnOnce(&Line) -> Result<T, PowerError> + Send + 'static,
) -> Result<T, PowerError> {
    let line = Line::new(target, deadline);
    let working = {
        let line = line.clone();
        blocking(move || {
            let result = work(&line);
            line.cut();
            result
        })
    };
    let result = timeout_at(deadline.into(), working).await;
    line.cut();
    result.unwrap_or_else(|_| Err(PowerError::Timeout { target: target.to_owned() }))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PowerError> + Send + 'static,
) -> Result<T, PowerError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| PowerError::Internal(io::Error::other(error)))?
}

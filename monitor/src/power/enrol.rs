//! Pinning a host's key: the one moment at which somebody decides to trust it.

use super::{
    PowerError, known_hosts,
    ssh::{self, session},
};
use asterism_service::durable;
use std::{
    io,
    path::Path,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(15);

/// A host and the key that it shows now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its name in the file of known hosts.
    pub name: String,
    /// Such as `ssh-ed25519`.
    pub key_type: String,
    /// What its owner reads out: `SHA256:…`.
    pub fingerprint: String,
    key: Vec<u8>,
}

/// How an offered key stands to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The file does not name the host.
    Unknown,
    /// This very key is pinned.
    Pinned,
    /// Another key is pinned for the host.
    Different,
}

/// Asks `host` for its key. Nothing is proven by that: whoever answers there answers.
///
/// # Errors
/// The host cannot be reached in time, or speaks no SSH.
pub async fn ask(host: &str, port: u16) -> Result<Offer, PowerError> {
    let name = known_hosts::host_name(host, port);
    let deadline = Instant::now() + LIMIT;
    let addresses = ssh::resolve(&name, host, port, deadline).await?;
    let missing = PowerError::HostKeyMissing { host: name.clone() };
    let key = ssh::within(&name, deadline, move |line| {
        let session = session::handshake(line, &addresses, None).map_err(|failure| match failure {
            session::Failure::Power(error) => error,
            session::Failure::Session(error) => session::broken(line, &error),
        })?;
        session.host_key().map(|(key, _)| key.to_vec()).ok_or(missing)
    })
    .await?;
    let key_type = known_hosts::key_type(&key).map(str::to_owned);
    let key_type = key_type.ok_or_else(|| PowerError::HostKeyMissing { host: name.clone() })?;
    Ok(Offer { fingerprint: known_hosts::fingerprint(&key), name, key_type, key })
}

impl Offer {
    /// How the key stands to the file `known_hosts`; a missing file pins nothing.
    ///
    /// # Errors
    /// The file cannot be read or understood.
    pub fn standing(&self, known_hosts: &Path) -> Result<Standing, PowerError> {
        let pinned = known_hosts::pinned(&read_or_empty(known_hosts)?, known_hosts, &self.name)?;
        Ok(if pinned.contains(&self.key) {
            Standing::Pinned
        } else if pinned.is_empty() {
            Standing::Unknown
        } else {
            Standing::Different
        })
    }

    /// Adds the key to the file `known_hosts`, which is made if need be. What is pinned already stays.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn pin(&self, known_hosts: &Path) -> Result<(), PowerError> {
        let mut text = read_or_empty(known_hosts)?;
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        let line = known_hosts::line(&self.name, &self.key);
        text += &line.ok_or_else(|| PowerError::HostKeyMissing { host: self.name.clone() })?;
        durable::replace(known_hosts, text.as_bytes(), 0o644).map_err(|error| PowerError::KnownHosts {
            path: known_hosts.to_owned(),
            reason: error.to_string(),
        })
    }
}

fn read_or_empty(known_hosts: &Path) -> Result<String, PowerError> {
    match known_hosts.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        _ => known_hosts::read(known_hosts),
    }
}

//! Switching machines on and off: one trait, one driver per way of doing it.

mod config;
pub mod enrol;
mod error;
pub mod known_hosts;
mod line;
mod local;
mod ssh;

use asterism_proto::NodeName;
pub use config::{DriverKind, LocalConfig, NodePower, PowerConfig, SshConfig};
pub use error::PowerError;
use futures::future::BoxFuture;
pub use line::Answer;
pub use local::Local;
pub use ssh::{Ssh, SshTarget};
use std::{fmt, str::FromStr, sync::Arc};

/// The three things that can be asked of a machine, and no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Start the node.
    Wake,
    /// Stop the node.
    Stop,
    /// Say whether it runs.
    Status,
}

impl Verb {
    /// As it stands in the line protocol.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wake => "wake",
            Self::Stop => "stop",
            Self::Status => "status",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Verb {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Wake, Self::Stop, Self::Status]
            .into_iter()
            .find(|verb| verb.as_str() == text)
            .ok_or("a verb is wake, stop or status")
    }
}

/// A way to reach the machine that a node runs on.
pub trait PowerDriver: Send + Sync {
    /// What a person calls this way.
    fn name(&self) -> &'static str;

    /// Does `verb` to `node`; repeating it changes nothing. Ends within the driver's own time limit.
    fn run<'a>(&'a self, verb: Verb, node: &'a NodeName) -> BoxFuture<'a, Result<Answer, PowerError>>;
}

/// The configured drivers.
#[derive(Clone, Debug)]
pub struct Drivers {
    config: Arc<PowerConfig>,
}

impl Drivers {
    /// The drivers that `config` describes.
    pub fn new(config: PowerConfig) -> Self {
        Self { config: Arc::new(config) }
    }

    /// The driver for `node`, whose own address is `address` (`host:port`).
    ///
    /// # Errors
    /// None is configured for it, or its host cannot be told.
    pub fn of(&self, node: &NodeName, address: &str) -> Result<Box<dyn PowerDriver>, PowerError> {
        let own = self.config.nodes.get(node);
        let kind = own.and_then(|own| own.driver).unwrap_or(self.config.driver);
        match (kind, &self.config.local, &self.config.ssh) {
            (DriverKind::Local, Some(local), _) => Ok(Box::new(Local::new(local))),
            (DriverKind::Ssh, _, Some(ssh)) => Ok(Box::new(Ssh::new(ssh.target(own, address)?))),
            _ => Err(PowerError::NotConfigured),
        }
    }
}

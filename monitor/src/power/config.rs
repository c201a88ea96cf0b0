//! The `[power]` part of the configuration.

use super::{PowerError, SshTarget};
use crate::{
    config::Seconds,
    text::{host_and_port, is_host, is_label},
};
use anyhow::ensure;
use asterism_proto::NodeName;
use serde::Deserialize;
use std::{collections::BTreeMap, path::PathBuf};

/// How machines are switched on and off.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerConfig {
    /// The way for every node that has no own one: `none`, `local` or `ssh`.
    #[serde(default)]
    pub driver: DriverKind,
    /// Nodes that are processes of a supervisor on this machine.
    #[serde(default)]
    pub local: Option<LocalConfig>,
    /// Nodes on hosts with an SSH server.
    #[serde(default)]
    pub ssh: Option<SshConfig>,
    /// What differs for single nodes, by name.
    #[serde(default)]
    pub nodes: BTreeMap<NodeName, NodePower>,
}

/// A way of switching.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DriverKind {
    /// The monitor only watches.
    #[default]
    None,
    /// Through a supervisor's Unix socket.
    Local,
    /// Through the forced command of a host's SSH server.
    Ssh,
}

/// The supervisor of nodes on this machine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalConfig {
    /// Its Unix socket.
    pub socket: PathBuf,
    /// An order that has no answer after this long has failed.
    #[serde(default = "default_timeout")]
    pub timeout_seconds: Seconds,
}

/// Hosts with an SSH server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SshConfig {
    /// The account on the hosts: 1 to 63 of `a-z A-Z 0-9 . _ -`.
    pub user: String,
    /// The private key, readable by its owner alone.
    pub key_file: PathBuf,
    /// The pinned host keys, in OpenSSH's form; `monitor enrol` adds to it.
    pub known_hosts: PathBuf,
    /// The hosts' port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Connecting, proving the host, logging in and the order together may take this long.
    #[serde(default = "default_timeout")]
    pub timeout_seconds: Seconds,
}

/// What differs for one node.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodePower {
    /// Its way of switching.
    #[serde(default)]
    pub driver: Option<DriverKind>,
    /// Its host; without it, the host part of the node's own address.
    #[serde(default)]
    pub host: Option<String>,
    /// Its host's SSH port.
    #[serde(default)]
    pub port: Option<u16>,
    /// The account on its host.
    #[serde(default)]
    pub user: Option<String>,
    /// The private key for its host.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
}

fn default_port() -> u16 {
    22
}
fn default_timeout() -> Seconds {
    Seconds::from_millis(30_000)
}

impl PowerConfig {
    /// Whether every way that is used is described, and described sensibly.
    ///
    /// # Errors
    /// The message names what is wrong.
    pub fn check(&self) -> anyhow::Result<()> {
        let used = |kind| self.driver == kind || self.nodes.values().any(|node| node.driver == Some(kind));
        ensure!(!used(DriverKind::Local) || self.local.is_some(), "[power.local] is missing");
        ensure!(!used(DriverKind::Ssh) || self.ssh.is_some(), "[power.ssh] is missing");
        let users =
            self.ssh.iter().map(|ssh| &ssh.user).chain(self.nodes.values().filter_map(|n| n.user.as_ref()));
        for user in users {
            ensure!(is_label(user), "power: {user:?} cannot be a user");
        }
        for host in self.nodes.values().filter_map(|node| node.host.as_ref()) {
            ensure!(is_host(host), "power: {host:?} cannot be a host");
        }
        Ok(())
    }
}

impl SshConfig {
    /// Where the node with the address `address` and the own settings `own` is switched.
    pub(super) fn target(&self, own: Option<&NodePower>, address: &str) -> Result<SshTarget, PowerError> {
        let host = match own.and_then(|own| own.host.clone()) {
            Some(host) => host,
            None => host_and_port(address).map(|(host, _)| host).ok_or(PowerError::NotConfigured)?,
        };
        Ok(SshTarget {
            host,
            port: own.and_then(|own| own.port).unwrap_or(self.port),
            user: own.and_then(|own| own.user.clone()).unwrap_or_else(|| self.user.clone()),
            key_file: own.and_then(|own| own.key_file.clone()).unwrap_or_else(|| self.key_file.clone()),
            known_hosts: self.known_hosts.clone(),
            timeout: self.timeout_seconds.get(),
        })
    }
}

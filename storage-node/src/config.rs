//! The configuration file of a storage node.

use anyhow::{Context, ensure};
use asterism_proto::NodeName;
use asterism_service::logging::LogFormat;
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::PathBuf};

/// More index-servers than a cluster would run.
const INDEX_SERVERS_MAX: usize = 64;

/// One storage node's configuration, as it stands in its TOML file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What people call the node: a DNS label, unique in the cluster.
    pub name: NodeName,
    /// Where the node keeps its shards; made at first start, never shared with another node.
    pub data_dir: PathBuf,
    /// Where gRPC listens, `host:port`; port 0 takes any free one.
    pub listen: String,
    /// How index-servers reach `listen`, `host:port`, where that is not the same; port 0 means the one listened on.
    #[serde(default)]
    pub advertise: Option<String>,
    /// Where `/metrics`, `/healthz` and `/readyz` listen, `host:port`.
    #[serde(default = "default_metrics_listen")]
    pub metrics_listen: String,
    /// Holds the node's certificate, its key and the cluster's authority: `cert.pem`, `key.pem`, `ca.pem`.
    pub identity_dir: PathBuf,
    /// The failure domain: nodes that fail together have the same zone.
    #[serde(default = "default_zone")]
    pub zone: String,
    /// What shards may take on disk; without it, as much as the file system has.
    #[serde(default)]
    pub capacity_bytes: Option<u64>,
    /// What stays free on the file system, so that deletes work when it is full.
    #[serde(default = "default_reserve_bytes")]
    pub reserve_bytes: u64,
    /// The index-servers, `host:port` each; the node joins all of them.
    pub index_servers: Vec<String>,
    /// Holds the token with which a node joins; readable by its owner alone.
    pub join_token_file: PathBuf,
    /// What is logged: a filter such as `info` or `warn,asterism_storage_node=debug`.
    #[serde(default = "default_log_level")]
    pub log_level: String,
    /// How log lines look: `text` or `json`.
    #[serde(default)]
    pub log_format: LogFormat,
}

fn default_metrics_listen() -> String {
    "127.0.0.1:0".into()
}

fn default_zone() -> String {
    "default".into()
}

fn default_reserve_bytes() -> u64 {
    64 << 20
}

fn default_log_level() -> String {
    "info".into()
}

impl Config {
    /// Refuses what parses but cannot work.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.index_servers.is_empty(), "index_servers names no index-server");
        ensure!(
            self.index_servers.len() <= INDEX_SERVERS_MAX,
            "index_servers names more than {INDEX_SERVERS_MAX} index-servers"
        );
        for address in &self.index_servers {
            split(address).with_context(|| format!("index_servers has {address:?}"))?;
        }
        for (field, address) in [("listen", &self.listen), ("metrics_listen", &self.metrics_listen)] {
            split(address).with_context(|| format!("{field} is {address:?}"))?;
        }
        if let Some(address) = &self.advertise {
            split(address).with_context(|| format!("advertise is {address:?}"))?;
        }
        let zone = self.zone.len();
        ensure!((1..=63).contains(&zone), "zone has {zone} bytes, not 1 to 63");
        ensure!(!self.zone.chars().any(char::is_control), "zone holds control characters");
        ensure!(
            self.capacity_bytes != Some(0),
            "capacity_bytes is 0; leave it out to use the whole file system"
        );
        Ok(())
    }

    /// How others reach a listener that is bound to `bound`.
    ///
    /// # Errors
    /// It listens everywhere, and `advertise` does not say under which name it is found.
    pub fn advertised(&self, bound: SocketAddr) -> anyhow::Result<String> {
        match &self.advertise {
            Some(address) => {
                let (host, port) = split(address)?;
                Ok(format!("{host}:{}", if port == 0 { bound.port() } else { port }))
            }
            None => {
                ensure!(
                    !bound.ip().is_unspecified(),
                    "listen is {bound}, which is every address of the machine; set advertise to the one that \
                     index-servers use"
                );
                Ok(bound.to_string())
            }
        }
    }

    /// How others reach the metrics listener that is bound to `bound`.
    ///
    /// # Errors
    /// As [`Config::advertised`].
    pub fn advertised_metrics(&self, bound: SocketAddr) -> anyhow::Result<String> {
        if !bound.ip().is_unspecified() {
            return Ok(bound.to_string());
        }
        let advertised = self.advertise.as_deref().context(
            "metrics_listen is every address of the machine; set advertise to the one that others use",
        )?;
        Ok(format!("{}:{}", split(advertised)?.0, bound.port()))
    }
}

/// The host and the port of `host:port`.
fn split(address: &str) -> anyhow::Result<(&str, u16)> {
    let parts = address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    let (host, port) = parts.context("an address is written host:port")?;
    let port = port.parse().context("a port is a number up to 65535")?;
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "name = 'n1'\ndata_dir = '/d'\nlisten = '127.0.0.1:0'\nidentity_dir = '/i'\n\
                         index_servers = ['127.0.0.1:1']\njoin_token_file = '/t'\n";

    /// The least configuration with one line more or replaced; the error's text.
    fn check(line: &str) -> Result<Config, String> {
        let field = line.split(' ').next().unwrap_or_default();
        let kept = LEAST.lines().filter(|kept| field.is_empty() || !kept.starts_with(field));
        let text = kept.chain([line]).collect::<Vec<_>>().join("\n");
        let config: Config = toml::from_str(&text).map_err(|error| error.to_string())?;
        config.check().map_err(|error| format!("{error:#}"))?;
        Ok(config)
    }

    fn refused(line: &str, reason: &str) {
        let error = check(line).unwrap_err();
        assert!(error.contains(reason), "{line}: {error}");
    }

    #[test]
    fn the_example_works() {
        let text = include_str!("../../deploy/config/storage-node.toml");
        let config: Config = toml::from_str(text).unwrap();
        config.check().unwrap();
    }

    #[test]
    fn the_least_configuration_works() {
        let config = check("").unwrap();
        assert_eq!(config.reserve_bytes, 64 << 20);
        assert_eq!(config.advertised("10.0.0.1:7".parse().unwrap()).unwrap(), "10.0.0.1:7");
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        refused("name = 'N_1'", "a name is");
        refused("lisen = 'a:1'", "lisen");
        refused("listen = 'a'", "listen");
        refused("listen = 'a:b'", "port");
        refused("listen = ':1'", "host:port");
        refused("advertise = 'a:70000'", "advertise");
        refused("index_servers = []", "index_servers");
        refused("index_servers = ['x']", "index_servers");
        refused("zone = ''", "zone");
        refused("capacity_bytes = 0", "capacity_bytes");
        refused("capacity_bytes = -1", "capacity_bytes");
        refused("log_format = 'xml'", "log_format");
    }

    #[test]
    fn a_node_that_listens_everywhere_must_say_where_it_is_found() {
        let everywhere: SocketAddr = "0.0.0.0:7".parse().unwrap();
        assert!(check("").unwrap().advertised(everywhere).unwrap_err().to_string().contains("advertise"));
        let named = check("advertise = 'n1.lan:0'").unwrap();
        assert_eq!(named.advertised(everywhere).unwrap(), "n1.lan:7");
        assert_eq!(named.advertised_metrics("[::]:9".parse().unwrap()).unwrap(), "n1.lan:9");
    }
}

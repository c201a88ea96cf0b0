//! The configuration file.

use asterism_erasure::Policy;
use asterism_service::{Secret, logging::LogFormat};
use serde::Deserialize;
use std::{net::SocketAddr, path::PathBuf};

/// What an index-server must be told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the page and the API are served.
    pub listen: SocketAddr,
    /// Where storage nodes and the monitor call.
    pub grpc_listen: SocketAddr,
    /// Holds `cert.pem`, `key.pem` and `ca.pem` of this process.
    pub identity_dir: PathBuf,
    /// `sqlite:///path` or `mysql://USER:PASS@HOST/NAME`.
    pub database: Secret,
    /// `bolt://USER:PASS@HOST:PORT` of a Neo4j; without it the tag graph lives in the database.
    pub graph: Option<Secret>,
    /// The code of new files.
    pub policy: Policy,
    /// Placement groups are made when this many nodes have joined; at least as many as the policy has shards.
    #[serde(default)]
    pub nodes_expected: usize,
    /// How many placement groups are made.
    #[serde(default = "default_groups")]
    pub groups: u32,
    /// Holds the token that storage nodes must show.
    pub join_token_file: PathBuf,
    /// `host:port` of the monitor's gRPC; without it nodes cannot be stopped or woken from here.
    pub monitor: Option<String>,
    /// The command that runs a tagger worker.
    pub tagger: Vec<String>,
    /// Days that deleted files stay in the trash.
    #[serde(default = "default_trash_days")]
    pub trash_days: u32,
    /// Largest upload in bytes.
    #[serde(default = "default_upload_bytes_max")]
    pub upload_bytes_max: u64,
    /// Most that is moved between storage nodes when one is added, drained or re-weighted, in MiB per second.
    #[serde(default = "default_moves_mib_per_second")]
    pub moves_mib_per_second: u32,
    /// Shards that nothing names are looked for this often, in minutes; they are set aside two such times later at the earliest.
    #[serde(default = "default_orphans_minutes")]
    pub orphans_minutes: u32,
    /// A node that should be up and stays away is waited for so many minutes; then its shards are rebuilt on spare nodes.
    #[serde(default = "default_spare_after_minutes")]
    pub spare_after_minutes: u32,
    /// Most that the scrub has storage nodes read, all together, in MiB per second.
    #[serde(default = "default_scrub_mib_per_second")]
    pub scrub_mib_per_second: u32,
    /// Most shards that the scrub has storage nodes read, all together, per second.
    #[serde(default = "default_scrub_shards_per_second")]
    pub scrub_shards_per_second: u32,
    /// A scrub of everything begins so many hours after the one before it began, or when that has ended.
    #[serde(default = "default_scrub_hours")]
    pub scrub_hours: u32,
    /// Set when people come through HTTPS: session cookies are then sent over it alone.
    #[serde(default)]
    pub https: bool,
    /// A `tracing` filter.
    #[serde(default = "default_log_level")]
    pub log_level: String,
    /// `text` or `json`.
    #[serde(default)]
    pub log_format: LogFormat,
}

fn default_groups() -> u32 {
    256
}

fn default_trash_days() -> u32 {
    30
}

fn default_upload_bytes_max() -> u64 {
    1 << 42
}

fn default_moves_mib_per_second() -> u32 {
    64
}

fn default_orphans_minutes() -> u32 {
    60
}

fn default_spare_after_minutes() -> u32 {
    30
}

fn default_scrub_mib_per_second() -> u32 {
    32
}

fn default_scrub_shards_per_second() -> u32 {
    500
}

fn default_scrub_hours() -> u32 {
    24
}

fn default_log_level() -> String {
    "info".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_works() {
        let text = include_str!("../../deploy/config/index-server.toml");
        let config: Config = toml::from_str(text).unwrap();
        assert!(config.nodes_expected >= config.policy.total());
    }
}

//! The monitor's configuration file.

mod seconds;

use crate::{
    power::PowerConfig,
    remote_write::RemoteWriteConfig,
    state::Limits,
    tell::{WebhookConfig, heartbeat::HeartbeatConfig},
    text::{host_and_port, is_label},
};
use anyhow::{Context, ensure};
use asterism_service::logging::LogFormat;
pub use seconds::Seconds;
use serde::Deserialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// Each is a worker with connections of its own.
const WEBHOOKS_MAX: usize = 16;

/// All settings of a monitor.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where gRPC is served (mTLS), as `IP:PORT`; port 0 takes a free one.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Where HTTP is served: `/metrics`, `/sd`, `/healthz`, `/readyz` and the read-only part of the API.
    ///
    /// Nobody is asked who he is there yet, so only a loopback address is taken, unless `insecure_http` is set.
    #[serde(default = "default_http_listen")]
    pub http_listen: SocketAddr,
    /// Serves HTTP on an address that other machines reach, although whoever reaches it can read node names,
    /// addresses and the transition log. For a network that is closed by other means.
    #[serde(default)]
    pub insecure_http: bool,
    /// A file with the token of operators, mode 600: with it, nodes are woken and messages marked at the HTTP port, also
    /// while no index-server answers. Without it, that port only shows.
    #[serde(default)]
    pub operator_token_file: Option<PathBuf>,
    /// The directory of the monitor's own database.
    pub data_dir: PathBuf,
    /// The directory of the monitor's identity (`cert.pem`, `key.pem`, `ca.pem`), made by `asterism ca`.
    pub identity_dir: PathBuf,
    /// The index-servers' gRPC addresses as `host:port`; the first that answers is asked.
    pub index_servers: Vec<String>,
    /// Where figures are pushed, such as `http://127.0.0.1:9091`; nothing is pushed without it.
    #[serde(default)]
    pub pushgateway: Option<String>,
    /// A receiver of remote write that figures are written to; none without it.
    #[serde(default)]
    pub remote_write: Option<RemoteWriteConfig>,
    /// Where messages are sent on to; nowhere without it.
    #[serde(default)]
    pub webhooks: Vec<WebhookConfig>,
    /// A dead man's switch that is called while the rules are evaluated; none without it.
    #[serde(default)]
    pub heartbeat: Option<HeartbeatConfig>,
    /// The cluster's name in metrics: 1 to 63 of `a-z A-Z 0-9 . _ -`.
    #[serde(default = "default_cluster")]
    pub cluster: String,
    /// Time between two pushes.
    #[serde(default = "default_push_interval")]
    pub push_interval_seconds: Seconds,
    /// Time between two probes of a node, and between two questions to the index-server.
    #[serde(default = "default_probe_interval")]
    pub probe_interval_seconds: Seconds,
    /// A node without a heartbeat for this long is suspect.
    #[serde(default = "default_suspect_after")]
    pub suspect_after_seconds: Seconds,
    /// A node without a heartbeat for this long is offline.
    #[serde(default = "default_offline_after")]
    pub offline_after_seconds: Seconds,
    /// A stop or a wake that has not worked after this long has failed.
    #[serde(default = "default_act_deadline")]
    pub act_deadline_seconds: Seconds,
    /// How machines are switched on and off.
    #[serde(default)]
    pub power: PowerConfig,
    /// What is logged, as a `tracing` filter.
    #[serde(default = "default_log_level")]
    pub log_level: String,
    /// How log lines look: `text` or `json`.
    #[serde(default)]
    pub log_format: LogFormat,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8430))
}
fn default_http_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8431))
}
fn default_cluster() -> String {
    "asterism".into()
}
fn default_push_interval() -> Seconds {
    Seconds::from_millis(5000)
}
fn default_probe_interval() -> Seconds {
    Seconds::from_millis(1000)
}
fn default_suspect_after() -> Seconds {
    Seconds::from_millis(2500)
}
fn default_offline_after() -> Seconds {
    Seconds::from_millis(5000)
}
fn default_act_deadline() -> Seconds {
    Seconds::from_millis(60_000)
}
fn default_log_level() -> String {
    "info".into()
}

impl Config {
    /// A configuration with nothing but what must be said; the rest has its defaults.
    pub fn new(data_dir: PathBuf, identity_dir: PathBuf, index_servers: Vec<String>) -> Self {
        Self {
            listen: default_listen(),
            http_listen: default_http_listen(),
            insecure_http: false,
            operator_token_file: None,
            data_dir,
            identity_dir,
            index_servers,
            pushgateway: None,
            remote_write: None,
            webhooks: Vec::new(),
            heartbeat: None,
            cluster: default_cluster(),
            push_interval_seconds: default_push_interval(),
            probe_interval_seconds: default_probe_interval(),
            suspect_after_seconds: default_suspect_after(),
            offline_after_seconds: default_offline_after(),
            act_deadline_seconds: default_act_deadline(),
            power: PowerConfig::default(),
            log_level: default_log_level(),
            log_format: LogFormat::default(),
        }
    }

    /// Reads and checks the configuration in `path`.
    ///
    /// # Errors
    /// The file is not readable, not TOML, or a setting is missing, unknown or makes no sense.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let config: Self = asterism_service::config::load(path)?;
        config.check().with_context(|| format!("configuration {} is not usable", path.display()))?;
        Ok(config)
    }

    /// Whether the settings make sense together.
    ///
    /// # Errors
    /// One of them does not; the message names it.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.http_listen.ip().is_loopback() || self.insecure_http,
            "http_listen = {} can be reached by other machines, and nobody is asked who he is there; \
             use a loopback address, or say insecure_http = true",
            self.http_listen
        );
        ensure!(!self.index_servers.is_empty(), "index_servers is empty");
        for address in &self.index_servers {
            ensure!(host_and_port(address).is_some(), "index_servers: {address:?} is not a host:port");
        }
        ensure!(is_label(&self.cluster), "cluster: 1 to 63 of a-z, A-Z, 0-9, '.', '_' and '-' are allowed");
        if let Some(url) = &self.pushgateway {
            let url: reqwest::Url = url.parse().context("pushgateway is not a URL")?;
            ensure!(matches!(url.scheme(), "http" | "https"), "pushgateway is not an http(s) URL");
            ensure!(
                url.username().is_empty() && url.password().is_none(),
                "pushgateway: no secrets in the URL"
            );
        }
        if let Some(remote_write) = &self.remote_write {
            remote_write.check()?;
        }
        ensure!(self.webhooks.len() <= WEBHOOKS_MAX, "webhooks: at most {WEBHOOKS_MAX}");
        for (at, webhook) in self.webhooks.iter().enumerate() {
            webhook.check()?;
            let twin = self.webhooks[..at].iter().any(|other| other.name == webhook.name);
            ensure!(!twin, "webhooks: {} is there twice", webhook.name);
        }
        ensure!(
            self.probe_interval_seconds.get() * 2 <= self.suspect_after_seconds.get()
                && self.suspect_after_seconds < self.offline_after_seconds,
            "probe_interval_seconds must be at most half of suspect_after_seconds, \
             and suspect_after_seconds less than offline_after_seconds"
        );
        self.power.check()
    }

    /// From when on missing signs of life mean something.
    pub fn limits(&self) -> Limits {
        Limits {
            suspect_after: self.suspect_after_seconds.get(),
            offline_after: self.offline_after_seconds.get(),
        }
    }

    /// The longest time a stop or a wake may take.
    pub fn act_deadline(&self) -> Duration {
        self.act_deadline_seconds.get()
    }
}

/// Reads `host:port`, for a command line.
///
/// # Errors
/// It is none.
pub fn parse_host_and_port(text: &str) -> Result<(String, u16), &'static str> {
    host_and_port(text).ok_or("not a host:port")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "data_dir = 'd'\nidentity_dir = 'i'\nindex_servers = ['127.0.0.1:8421']\n";

    fn load(more: &str) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("monitor.toml");
        std::fs::write(&path, format!("{MINIMAL}{more}")).unwrap();
        Config::load(&path).map_err(|error| format!("{error:#}"))
    }

    #[track_caller]
    fn check_refused(more: &str, word: &str) {
        let error = load(more).expect_err(more);
        assert!(error.contains(word), "{more:?} gave {error:?}");
    }

    #[test]
    fn little_needs_to_be_said() {
        let config = load("").unwrap();
        assert_eq!(config.http_listen.port(), 8431);
        assert_eq!(config.limits().suspect_after, Duration::from_millis(2500));
        assert_eq!(config.act_deadline(), Duration::from_secs(60));
    }

    #[test]
    fn the_example_works() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/config/monitor.toml");
        assert!(Config::load(&example).unwrap().power.ssh.is_some());
    }

    #[test]
    fn whole_and_broken_seconds_are_taken() {
        let config = load("push_interval_seconds = 1\nprobe_interval_seconds = 0.2").unwrap();
        assert_eq!(config.push_interval_seconds.get(), Duration::from_secs(1));
        assert_eq!(config.probe_interval_seconds.get(), Duration::from_millis(200));
    }

    #[test]
    fn open_http_must_be_said() {
        check_refused("http_listen = '0.0.0.0:8431'", "insecure_http");
        assert!(load("http_listen = '0.0.0.0:8431'\ninsecure_http = true").is_ok());
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        check_refused("listen = 'x'", "listen");
        check_refused("cluster = 'a/b'", "cluster");
        check_refused("pushgateway = 'file:///etc'", "pushgateway");
        check_refused("pushgateway = 'http://a:b@h'", "secrets");
        check_refused("[remote_write]\nurl = 'file:///etc'", "remote_write.url");
        check_refused("[[webhooks]]\nname = 'a b'\nurl = 'http://h'", "a name is");
        check_refused("[[webhooks]]\nname = 'a'", "url_file");
        check_refused("[[webhooks]]\nname = 'a'\nurl = 'http://127.0.0.1/'", "allow_private");
        check_refused(
            "[[webhooks]]\nname = 'a'\nurl = 'http://h'\n[[webhooks]]\nname = 'a'\nurl = 'http://h'",
            "twice",
        );
        check_refused("push_interval_seconds = 0", "push_interval_seconds");
        check_refused("push_interval_seconds = nan", "push_interval_seconds");
        check_refused("suspect_after_seconds = 9", "offline_after_seconds");
        check_refused("[power]\ndriver = 'magic'", "magic");
        check_refused("[power]\ndriver = 'local'", "power.local");
        check_refused("[power]\ndriver = 'ssh'", "power.ssh");
        check_refused("[power.nodes.'N1; rm']\ndriver = 'none'", "a name is");
    }

    #[test]
    fn one_node_may_differ_from_the_others() {
        let text = "[power]\ndriver = 'local'\nlocal.socket = '/run/s'\n\
            ssh = { user = 'asterism', key_file = 'k', known_hosts = 'h' }\n\
            [power.nodes.n2]\ndriver = 'ssh'\nhost = 'h2'\nport = 2222\n";
        assert!(load(text).is_ok());
        check_refused("[power.nodes.n2]\nhost = '-oProxyCommand=x'", "host");
    }
}

//! A private Alertmanager that passes every alert to one webhook.

use super::{port, ready_by_http};
use crate::locate::program;
use crate::process::{Process, bound_command};
use std::fs;
use tempfile::TempDir;

/// A running server.
#[derive(Debug)]
pub struct Alertmanager {
    _process: Process,
    _folder: TempDir,
    port: u16,
}

impl Alertmanager {
    /// Starts one that posts to `webhook`.
    ///
    /// # Errors
    /// Alertmanager is not installed, or does not come up.
    pub async fn start(webhook: &str) -> anyhow::Result<Self> {
        Self::start_with_token(webhook, None).await
    }

    /// Starts one that posts to `webhook` with a bearer token.
    ///
    /// # Errors
    /// Alertmanager is not installed, or does not come up.
    pub async fn start_with_token(webhook: &str, token: Option<&str>) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("alertmanager-").tempdir()?;
        let port = port::free()?;
        let config = folder.path().join("alertmanager.yml");
        fs::write(&config, configuration(webhook, token))?;
        let mut command = bound_command(&program("prometheus-alertmanager")?)?;
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            // Alone: no gossip, no port for it.
            .arg("--cluster.listen-address=");
        let mut process = Process::start("alertmanager", command, folder.path())?;
        ready_by_http(&mut process, &format!("http://127.0.0.1:{port}/-/ready")).await?;
        Ok(Self { _process: process, _folder: folder, port })
    }

    /// Its address as `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

fn configuration(webhook: &str, token: Option<&str>) -> String {
    let http = token.map_or(String::new(), |token| {
        format!(", http_config: {{authorization: {{credentials: '{token}'}}}}")
    });
    format!(
        "global: {{resolve_timeout: 5s}}
route: {{receiver: hook, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1m}}
receivers: [{{name: hook, webhook_configs: [{{url: '{webhook}', send_resolved: true{http}}}]}}]
"
    )
}

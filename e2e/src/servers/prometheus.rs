//! A private Prometheus that scrapes each second.

use super::{port, ready_by_http};
use crate::http;
use crate::locate::program;
use crate::process::{Process, bound_command};
use anyhow::Context;
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use tempfile::TempDir;

/// What is scraped.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// Addresses (`host:port`) with `/metrics`; pushed labels are kept as they are.
    pub addresses: Vec<String>,
    /// Addresses of HTTP service discovery.
    pub discovery: Vec<String>,
    /// An Alertmanager (`host:port`) and a rule file.
    pub alerts: Option<(String, String)>,
}

/// A running server.
#[derive(Debug)]
pub struct Prometheus {
    _process: Process,
    _folder: TempDir,
    port: u16,
}

impl Prometheus {
    /// Starts a fresh server.
    ///
    /// # Errors
    /// Prometheus is not installed, or does not come up.
    pub async fn start(targets: &Targets) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("prometheus-").tempdir()?;
        let port = port::free()?;
        let config = folder.path().join("prometheus.yml");
        fs::write(&config, configuration(targets))?;
        let mut command = bound_command(&program("prometheus")?)?;
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let mut process = Process::start("prometheus", command, folder.path())?;
        ready_by_http(&mut process, &format!("http://127.0.0.1:{port}/-/ready")).await?;
        Ok(Self { _process: process, _folder: folder, port })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The samples of an instant query: labels and value.
    ///
    /// # Errors
    /// The query is refused.
    pub async fn query(&self, promql: &str) -> anyhow::Result<Vec<(Value, f64)>> {
        let url = format!("{}/api/v1/query?query={}", self.url(), http::encoded(promql));
        let answer = http::send(http::client().get(url)).await?.ok()?.json()?;
        let samples =
            answer["data"]["result"].as_array().with_context(|| format!("no result in {answer}"))?;
        samples.iter().map(sample).collect()
    }
}

fn sample(result: &Value) -> anyhow::Result<(Value, f64)> {
    let value = result["value"][1].as_str().context("a sample has a value")?;
    Ok((result["metric"].clone(), value.parse()?))
}

fn configuration(targets: &Targets) -> String {
    let mut text = String::from("global: {scrape_interval: 1s, evaluation_interval: 1s}\n");
    if let Some((alertmanager, rules)) = &targets.alerts {
        let _ = writeln!(text, "rule_files: ['{rules}']");
        let _ = writeln!(
            text,
            "alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{alertmanager}']}}]}}]}}"
        );
    }
    text.push_str("scrape_configs:\n");
    for (index, address) in targets.addresses.iter().enumerate() {
        let _ = writeln!(
            text,
            "- {{job_name: static{index}, honor_labels: true, static_configs: [{{targets: ['{address}']}}]}}"
        );
    }
    for (index, url) in targets.discovery.iter().enumerate() {
        let _ = writeln!(
            text,
            "- {{job_name: discovered{index}, http_sd_configs: [{{url: '{url}', refresh_interval: 1s}}]}}"
        );
    }
    text
}

//! A private Pushgateway.

use super::{port, ready_by_http};
use crate::http;
use crate::locate::program;
use crate::process::{Process, bound_command};
use tempfile::TempDir;

/// A running server.
#[derive(Debug)]
pub struct Pushgateway {
    _process: Process,
    _folder: TempDir,
    port: u16,
}

impl Pushgateway {
    /// Starts an empty one.
    ///
    /// # Errors
    /// The Pushgateway is not installed, or does not come up.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("pushgateway-").tempdir()?;
        let port = port::free()?;
        let mut command = bound_command(&program("prometheus-pushgateway")?)?;
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let mut process = Process::start("pushgateway", command, folder.path())?;
        ready_by_http(&mut process, &format!("http://127.0.0.1:{port}/-/ready")).await?;
        Ok(Self { _process: process, _folder: folder, port })
    }

    /// Its address as `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its address, as `asterism up --pushgateway` takes it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Its own `/metrics`: what was pushed, line by line.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn metrics(&self) -> anyhow::Result<Vec<String>> {
        let text = http::get(&format!("{}/metrics", self.url())).await?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

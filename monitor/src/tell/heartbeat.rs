//! A dead man's switch: a URL elsewhere that is called while all is well, and that raises the alarm when the calls stop.

use super::{checked, client};
use crate::config::Seconds;
use anyhow::Context;
use asterism_service::Secret;
use reqwest::{Client, Url};
use serde::Deserialize;
use std::{path::PathBuf, time::Duration};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

/// Whom to call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatConfig {
    /// A file that holds the URL, mode 600: whoever has it can keep the switch quiet.
    pub url_file: PathBuf,
    /// Time between two calls.
    #[serde(default = "default_interval")]
    pub interval_seconds: Seconds,
    /// Allows an address inside the own network.
    #[serde(default)]
    pub allow_private: bool,
}

fn default_interval() -> Seconds {
    Seconds::from_millis(60_000)
}

/// Whom to call, checked.
pub struct Call {
    client: Client,
    url: Url,
    every: Duration,
}

impl Call {
    /// Reads the URL that `config` names.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn new(config: &HeartbeatConfig) -> anyhow::Result<Self> {
        let url = Secret::read(&config.url_file)?;
        Ok(Self {
            client: client(config.allow_private)?,
            url: checked(url.expose(), config.allow_private).context("heartbeat.url_file")?,
            every: config.interval_seconds.get(),
        })
    }
}

/// The worker that calls.
pub struct Heartbeat {
    call: Call,
    /// Counts evaluations of the rules: while it stands still, nothing is well.
    evaluations: watch::Receiver<u64>,
}

impl Heartbeat {
    /// Makes the `call` as long as `evaluations` go on.
    pub fn new(call: Call, evaluations: watch::Receiver<u64>) -> Self {
        Self { call, evaluations }
    }

    /// Calls until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut ticks = interval(self.call.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return,
            }
            // Rules that are not evaluated any more are what the switch is there for.
            if !self.evaluations.has_changed().unwrap_or(false) {
                continue;
            }
            self.evaluations.mark_unchanged();
            let called = tokio::select! {
                called = self.call.client.get(self.call.url.clone()).send() => called,
                () = stop.cancelled() => return,
            };
            match called {
                Ok(response) if response.status().is_success() => {}
                Ok(response) => {
                    tracing::warn!(status = %response.status(), "the dead man's switch does not take the call")
                }
                Err(error) => {
                    tracing::warn!(error = %error.without_url(), "the dead man's switch cannot be called")
                }
            }
        }
    }
}

//! Sends messages on: to webhooks and chat hooks, each a channel of its own. What is to be told is read off the database, so that a
//! message arrives at least once, in order, through failures and restarts; what waits is bounded by what is kept.

mod address;
mod body;
pub mod heartbeat;
mod pending;

use crate::{
    messages::{Message, Messages, MessagesError},
    text::{is_label, one_line},
};
use address::{Guard, host_is_allowed};
use anyhow::{Context, ensure};
use asterism_service::{Backoff, Metrics, Secret};
use pending::Pending;
use prometheus_client::metrics::{counter::Counter, family::Family};
use reqwest::{Client, Url, header::CONTENT_TYPE, redirect};
use serde::Deserialize;
use sqlx::SqlitePool;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(10);
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_LONGEST: Duration = Duration::from_secs(120);
/// A receiver that says no is asked so often about one message; then the next one has its turn.
const REFUSALS_MAX: u32 = 5;
/// Silences end without a change of any message.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
const ERROR_CHARS_MAX: usize = 200;

/// A webhook that messages are posted to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// By which its deliveries are remembered: 1 to 63 of `a-z A-Z 0-9 . _ -`.
    pub name: String,
    /// Where messages are posted to; this or `url_file`.
    #[serde(default)]
    pub url: Option<String>,
    /// A file that holds the URL, mode 600: that of a chat hook is a secret.
    #[serde(default)]
    pub url_file: Option<PathBuf>,
    /// The body, a JSON text with marks such as `{summary}`. Without it, the whole message as JSON.
    #[serde(default)]
    pub template: Option<String>,
    /// A file with a bearer token, mode 600.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// Allows an address inside the own network.
    #[serde(default)]
    pub allow_private: bool,
}

impl WebhookConfig {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// The sentence says what does not.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(is_label(&self.name), "webhooks: a name is 1 to 63 of a-z, A-Z, 0-9, '.', '_' and '-'");
        ensure!(
            self.url.is_some() != self.url_file.is_some(),
            "webhooks.{}: either url or url_file is needed",
            self.name
        );
        if let Some(url) = &self.url {
            checked(url, self.allow_private).with_context(|| format!("webhooks.{}", self.name))?;
        }
        Ok(())
    }
}

/// Parses a URL that may be talked to.
fn checked(url: &str, allow_private: bool) -> anyhow::Result<Url> {
    let url: Url = url.trim().parse().context("the URL is none")?;
    ensure!(matches!(url.scheme(), "http" | "https"), "the URL is no http(s) URL");
    ensure!(url.username().is_empty() && url.password().is_none(), "no secrets in the URL; use token_file");
    ensure!(
        host_is_allowed(&url, allow_private),
        "its address is inside the own network; say allow_private = true if that is meant"
    );
    Ok(url)
}

/// A client that talks to allowed addresses only, directly, and goes where it is told and nowhere else.
fn client(allow_private: bool) -> anyhow::Result<Client> {
    // The process may have chosen its TLS provider already; then this one is not needed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(Client::builder()
        .timeout(DEADLINE)
        .connect_timeout(DEADLINE)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(Guard { allow_private }))
        .build()?)
}

/// Deliveries by channel and result; clones share them.
#[derive(Clone, Default)]
pub struct Deliveries {
    count: Family<[(&'static str, String); 2], Counter>,
}

impl Deliveries {
    /// The counters, shown in `metrics`.
    pub fn register(metrics: &Metrics) -> Self {
        let deliveries = Self::default();
        metrics.register(|registry| {
            let help = "Messages sent on, by channel and result";
            registry.register("monitor_deliveries", help, deliveries.count.clone());
        });
        deliveries
    }

    fn count(&self, channel: &str, result: &str) {
        self.count.get_or_create(&[("channel", channel.to_owned()), ("result", result.to_owned())]).inc();
    }
}

/// The worker that posts to one webhook.
pub struct Webhook {
    name: String,
    url: Url,
    template: Option<String>,
    token: Option<Secret>,
    cluster: String,
    client: Client,
    messages: Messages,
    pending: Pending,
    deliveries: Deliveries,
}

impl Webhook {
    /// Posts `messages` of `cluster`, kept in `pool`, to where `config` says.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub fn new(
        config: &WebhookConfig,
        cluster: &str,
        pool: SqlitePool,
        messages: Messages,
        deliveries: Deliveries,
    ) -> anyhow::Result<Self> {
        let secret = config.url_file.as_deref().map(Secret::read).transpose()?;
        let url = secret.as_ref().map(Secret::expose).or(config.url.as_deref()).context("a URL is needed")?;
        Ok(Self {
            name: config.name.clone(),
            url: checked(url, config.allow_private)?,
            template: config.template.clone(),
            token: config.token_file.as_deref().map(Secret::read).transpose()?,
            cluster: cluster.to_owned(),
            client: client(config.allow_private)?,
            messages,
            pending: Pending::new(pool, &config.name),
            deliveries,
        })
    }

    /// Posts until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut changes = self.messages.changes();
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_LONGEST);
        let mut refusals = (0, 0);
        while !stop.is_cancelled() {
            changes.mark_unchanged();
            let round = tokio::select! {
                round = self.round(&mut refusals) => round,
                () = stop.cancelled() => return,
            };
            let pause = match round {
                Ok(true) => {
                    backoff.reset();
                    continue;
                }
                Ok(false) => LOOK_AGAIN,
                Err(why) => {
                    tracing::warn!(
                        channel = self.name,
                        error = why,
                        "a message could not be sent on, trying again"
                    );
                    backoff.pause()
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                // While it fails, news do not make it work.
                _ = changes.changed(), if pause == LOOK_AGAIN => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Tells of one message; gives whether there was one. `refusals` is how often which one was refused.
    async fn round(&self, refusals: &mut (i64, u32)) -> Result<bool, String> {
        let database = |error: MessagesError| error.to_string();
        let Some(message) = self.pending.next(&self.messages).await.map_err(database)? else {
            return Ok(false);
        };
        match self.post(&message).await {
            Ok(()) => self.deliveries.count(&self.name, "taken"),
            Err((why, for_good)) => {
                self.deliveries.count(&self.name, "failed");
                *refusals = if refusals.0 == message.id {
                    (message.id, refusals.1 + u32::from(for_good))
                } else {
                    (message.id, u32::from(for_good))
                };
                if refusals.1 < REFUSALS_MAX {
                    return Err(why);
                }
                self.deliveries.count(&self.name, "given_up");
                tracing::error!(
                    channel = self.name,
                    message = message.id,
                    error = why,
                    "a message was refused for good"
                );
            }
        }
        self.pending.done(&message).await.map_err(database)?;
        Ok(true)
    }

    /// Why it was not taken, and whether that will hardly change.
    async fn post(&self, message: &Message) -> Result<(), (String, bool)> {
        let body = match &self.template {
            Some(template) => body::filled(template, message, &self.cluster),
            None => body::plain(message, &self.cluster),
        };
        let mut request =
            self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        // The answer's body is of no interest, so it is not read.
        match request.send().await {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => {
                let status = response.status();
                let later = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
                Err((format!("the receiver answers {status}"), !later))
            }
            Err(error) => Err((
                one_line(&format!("{:#}", anyhow::Error::from(error.without_url())), ERROR_CHARS_MAX),
                false,
            )),
        }
    }
}

//! Pushes the figures to a Pushgateway. That it fails is a measurement; nothing waits for it.

use crate::{
    board::Board,
    figures::{Figures, Own},
};
use anyhow::{Context, ensure};
use asterism_service::Metrics;
use prometheus_client::{
    encoding::prometheus_protobuf,
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};
use reqwest::{Client, Method, Url, header::CONTENT_TYPE, redirect};
use std::{
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(3);
const CONTENT: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

type Seconds = Gauge<f64, AtomicU64>;

/// The worker that pushes.
pub struct Pusher {
    client: Client,
    url: Url,
    every: Duration,
    registry: Registry,
    /// When the figures were taken; pushed with them, so that a stale group can be told from a living one.
    taken_at: Seconds,
    counters: Counters,
    own: Arc<Own>,
}

#[derive(Clone, Default)]
struct Counters {
    pushes: Counter,
    failures: Counter,
}

impl Pusher {
    /// Pushes the figures of `board` to `gateway` as the group of `cluster`.
    ///
    /// # Errors
    /// The URL cannot be used.
    pub fn new(
        gateway: &str,
        cluster: &str,
        every: Duration,
        board: Arc<Board>,
        own: Arc<Own>,
        metrics: &Metrics,
    ) -> anyhow::Result<Self> {
        let mut registry = Figures::registry(board);
        let taken_at = Seconds::default();
        registry.register(
            "push_time_seconds",
            "When these figures were pushed, in seconds since 1970",
            taken_at.clone(),
        );
        Ok(Self {
            client: client()?,
            url: group_url(gateway, cluster)?,
            every,
            registry,
            taken_at,
            counters: Counters::register(metrics),
            own,
        })
    }

    /// Pushes until `stop`, then deletes the group: what nobody keeps up to date must not look alive.
    pub async fn run(self, stop: CancellationToken) {
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut well = true;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => break,
            }
            tokio::select! {
                pushed = self.push() => well = self.judge(pushed, well),
                () = stop.cancelled() => break,
            }
        }
        if let Err(error) = self.send(Method::DELETE, Vec::new()).await {
            tracing::warn!(error = format!("{error:#}"), "the pushed group could not be deleted");
        }
    }

    /// Counts a push; says only when it begins to fail and when it works again.
    fn judge(&self, pushed: anyhow::Result<()>, was_well: bool) -> bool {
        match pushed {
            Ok(()) => {
                self.counters.pushes.inc();
                self.own.pushed(now_seconds());
                if !was_well {
                    tracing::info!("the Pushgateway takes figures again");
                }
                true
            }
            Err(error) => {
                self.counters.failures.inc();
                if was_well {
                    tracing::warn!(error = format!("{error:#}"), "figures could not be pushed, trying on");
                }
                false
            }
        }
    }

    async fn push(&self) -> anyhow::Result<()> {
        self.taken_at.set(now_seconds());
        let body = prometheus_protobuf::encode_to_vec(&self.registry)?;
        self.send(Method::PUT, body).await
    }

    async fn send(&self, method: Method, body: Vec<u8>) -> anyhow::Result<()> {
        let request = self.client.request(method, self.url.clone()).header(CONTENT_TYPE, CONTENT).body(body);
        // The answer's body is of no interest, so it is not read: a gateway that drips it costs nothing.
        let response = request.send().await?;
        ensure!(response.status().is_success(), "the Pushgateway answers {}", response.status());
        Ok(())
    }
}

impl Counters {
    fn register(metrics: &Metrics) -> Self {
        let counters = Self::default();
        metrics.register(|registry| {
            registry.register("pushes", "Pushes that the Pushgateway took", counters.pushes.clone());
            registry.register("push_failures", "Pushes that failed", counters.failures.clone());
        });
        counters
    }
}

fn client() -> anyhow::Result<Client> {
    // The process may have chosen its TLS provider already; then this one is not needed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(Client::builder()
        .timeout(DEADLINE)
        .connect_timeout(DEADLINE)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .build()?)
}

fn group_url(gateway: &str, cluster: &str) -> anyhow::Result<Url> {
    let text = format!("{}/metrics/job/asterism/cluster/{cluster}", gateway.trim_end_matches('/'));
    Url::parse(&text).with_context(|| format!("{gateway} is not a URL"))
}

fn now_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

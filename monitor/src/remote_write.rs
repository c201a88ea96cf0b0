//! Remote write (Prometheus' protocol 1.0): the figures straight into a Prometheus, VictoriaMetrics, Mimir or InfluxDB 1.x.
//! Kept in order, sent again after a failure, and bounded: what does not fit any more is dropped, oldest first, with a count.

mod batch;

use crate::{config::Seconds, figures::Reader, text::one_line};
use anyhow::{Context, ensure};
use asterism_service::{Backoff, Metrics, Secret};
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use reqwest::{
    Client, StatusCode, Url,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
    redirect,
};
use serde::Deserialize;
use std::{collections::VecDeque, path::PathBuf, sync::Arc, time::Duration};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(10);
/// A receiver that is away this long costs no more memory than this; an hour of a thousand nodes is less.
const QUEUE_BYTES_MAX: usize = 64 << 20;
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_LONGEST: Duration = Duration::from_secs(30);
/// What is still to be sent when the monitor stops gets this long.
const LAST_TRY: Duration = Duration::from_secs(2);
const ANSWER_CHARS_MAX: usize = 200;

/// Where figures are written to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteWriteConfig {
    /// The receiver, such as `http://127.0.0.1:8086/api/v1/prom/write?db=asterism`.
    pub url: String,
    /// Time between two samples of each figure.
    #[serde(default = "default_interval")]
    pub interval_seconds: Seconds,
    /// A file with a bearer token for the receiver, mode 600.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
}

fn default_interval() -> Seconds {
    Seconds::from_millis(5000)
}

impl RemoteWriteConfig {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// The URL is none for this.
    pub fn check(&self) -> anyhow::Result<()> {
        let url: Url = self.url.parse().context("remote_write.url is not a URL")?;
        ensure!(matches!(url.scheme(), "http" | "https"), "remote_write.url is not an http(s) URL");
        ensure!(
            url.username().is_empty() && url.password().is_none(),
            "remote_write.url: no secrets in the URL"
        );
        Ok(())
    }
}

/// The worker that writes.
pub struct RemoteWriter {
    client: Client,
    url: Url,
    token: Option<Secret>,
    every: Duration,
    cluster: String,
    reader: Arc<Reader>,
    queue: Queue,
    counters: Counters,
}

#[derive(Clone, Default)]
struct Counters {
    samples: Counter,
    failures: Counter,
    dropped: Counter,
    waiting: Gauge,
}

/// Requests that wait, oldest first: each a compressed body and its number of samples.
#[derive(Default)]
struct Queue {
    bodies: VecDeque<(Vec<u8>, usize)>,
    bytes: usize,
}

impl Queue {
    /// Adds a body; gives how many samples had to go for it.
    fn push(&mut self, body: Vec<u8>, samples: usize, bytes_max: usize) -> usize {
        self.bytes += body.len();
        self.bodies.push_back((body, samples));
        let mut lost = 0;
        while self.bytes > bytes_max
            && let Some((body, samples)) = self.bodies.pop_front()
        {
            self.bytes -= body.len();
            lost += samples;
        }
        lost
    }

    fn done(&mut self) {
        if let Some((body, _)) = self.bodies.pop_front() {
            self.bytes -= body.len();
        }
    }
}

/// What a receiver made of a request.
enum Answer {
    Taken,
    /// It will never take it.
    Refused(String),
    /// It may take it later.
    Later(String),
}

impl RemoteWriter {
    /// Writes what `reader` reads, labelled with `cluster`, to where `config` says.
    ///
    /// # Errors
    /// The URL or the token cannot be used.
    pub fn new(
        config: &RemoteWriteConfig,
        cluster: &str,
        reader: Arc<Reader>,
        metrics: &Metrics,
    ) -> anyhow::Result<Self> {
        // The process may have chosen its TLS provider already; then this one is not needed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(DEADLINE)
            .connect_timeout(DEADLINE)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self {
            client,
            url: config.url.parse()?,
            token: config.token_file.as_deref().map(Secret::read).transpose()?,
            every: config.interval_seconds.get(),
            cluster: cluster.to_owned(),
            reader,
            queue: Queue::default(),
            counters: Counters::register(metrics),
        })
    }

    /// Writes until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut backoff, mut next_try) = (Backoff::new(RETRY_FIRST, RETRY_LONGEST), Instant::now());
        let mut well = true;
        loop {
            let waits = !self.queue.bodies.is_empty();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = ticks.tick() => self.sample(),
                () = sleep_until(next_try), if waits => {
                    let sent = tokio::select! {
                        sent = self.send() => sent,
                        () = stop.cancelled() => break,
                    };
                    match sent {
                        Ok(()) => {
                            backoff.reset();
                            well = told(well, true, "");
                        }
                        Err(why) => {
                            self.counters.failures.inc();
                            next_try = Instant::now() + backoff.pause();
                            well = told(well, false, &why);
                        }
                    }
                }
            }
        }
        let rest = async { while !self.queue.bodies.is_empty() && self.send().await.is_ok() {} };
        if timeout(LAST_TRY, rest).await.is_err() {
            tracing::debug!("figures were still to be written when the monitor stopped");
        }
    }

    /// Takes a sample of every figure.
    fn sample(&mut self) {
        let reading = self.reader.read();
        for (body, samples) in batch::requests(&reading, &self.cluster) {
            let lost = self.queue.push(body, samples, QUEUE_BYTES_MAX);
            self.counters.dropped.inc_by(lost as u64);
        }
        self.counters.waiting.set(self.queue.bytes as i64);
    }

    /// Sends the oldest request.
    async fn send(&mut self) -> Result<(), String> {
        let Some((body, samples)) = self.queue.bodies.front() else { return Ok(()) };
        let samples = *samples as u64;
        match self.post(body.clone()).await {
            Answer::Taken => {
                self.counters.samples.inc_by(samples);
                self.done();
                Ok(())
            }
            Answer::Refused(why) => {
                self.counters.dropped.inc_by(samples);
                self.done();
                Err(why)
            }
            Answer::Later(why) => Err(why),
        }
    }

    fn done(&mut self) {
        self.queue.done();
        self.counters.waiting.set(self.queue.bytes as i64);
    }

    async fn post(&self, body: Vec<u8>) -> Answer {
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header(CONTENT_ENCODING, "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0")
            .body(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        match request.send().await {
            Ok(response) => judge(response.status()),
            Err(error) => Answer::Later(one_line(&error.without_url().to_string(), ANSWER_CHARS_MAX)),
        }
    }
}

/// As the protocol has it: failures of the server and "too many" are tried again, other refusals are not.
fn judge(status: StatusCode) -> Answer {
    let why = format!("the receiver answers {status}");
    match status {
        status if status.is_success() => Answer::Taken,
        StatusCode::TOO_MANY_REQUESTS => Answer::Later(why),
        status if status.is_server_error() => Answer::Later(why),
        _ => Answer::Refused(why),
    }
}

/// Says only when writing begins to fail and when it works again.
fn told(was_well: bool, well: bool, why: &str) -> bool {
    match (was_well, well) {
        (true, false) => tracing::warn!(error = why, "figures could not be written, trying on"),
        (false, true) => tracing::info!("the receiver takes figures again"),
        _ => {}
    }
    well
}

impl Counters {
    fn register(metrics: &Metrics) -> Self {
        let counters = Self::default();
        metrics.register(|registry| {
            let help = "Samples that the receiver of remote write took";
            registry.register("remote_write_samples", help, counters.samples.clone());
            let help = "Requests of remote write that failed";
            registry.register("remote_write_failures", help, counters.failures.clone());
            let help = "Samples that were dropped: refused for good, or too many waited";
            registry.register("remote_write_dropped_samples", help, counters.dropped.clone());
            let help = "Bytes of requests that wait to be written";
            registry.register("remote_write_waiting_bytes", help, counters.waiting.clone());
        });
        counters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_when_too_much_waits() {
        let mut queue = Queue::default();
        assert_eq!(queue.push(vec![0; 40], 4, 100), 0);
        assert_eq!(queue.push(vec![1; 40], 5, 100), 0);
        assert_eq!(queue.push(vec![2; 40], 6, 100), 4);
        assert_eq!((queue.bytes, queue.bodies.front().map(|(_, samples)| *samples)), (80, Some(5)));
        assert_eq!(queue.push(vec![3; 200], 7, 100), 5 + 6 + 7, "one that never fits goes, too");
        assert_eq!(queue.bytes, 0);
        queue.done();
    }

    #[test]
    fn only_what_may_succeed_later_is_tried_again() {
        let later = |code| matches!(judge(StatusCode::from_u16(code).unwrap()), Answer::Later(_));
        assert!([500, 502, 503, 429].into_iter().all(later));
        assert!(![400, 401, 404, 413, 302].into_iter().any(later));
        assert!(matches!(judge(StatusCode::NO_CONTENT), Answer::Taken));
    }

    #[test]
    fn secrets_and_other_schemes_have_no_place_in_the_url() {
        let check = |url: &str| {
            let config =
                RemoteWriteConfig { url: url.into(), interval_seconds: default_interval(), token_file: None };
            config.check()
        };
        assert!(check("https://metrics.example/api/v1/write").is_ok());
        for bad in ["", "file:///etc/passwd", "http://a:b@h/", "gopher://h"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}

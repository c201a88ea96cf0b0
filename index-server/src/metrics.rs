//! What the index-server counts.

use crate::{
    damage::Damage,
    members::Members,
    workers::{Report, Roster},
};
use asterism_service::Metrics;
use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::ConstGauge,
        histogram::{Histogram, exponential_buckets},
    },
};
use std::{collections::BTreeMap, fmt, time::Instant};

/// Of a request: the route's template, never its path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: String,
    code: u16,
}

/// Requests by route; clones share them.
#[derive(Clone)]
pub(crate) struct HttpMetrics {
    seconds: Family<RequestLabels, Histogram>,
    uploaded: Counter,
}

impl Default for HttpMetrics {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 4.0, 9));
        Self { seconds: Family::new_with_constructor(histogram), uploaded: Counter::default() }
    }
}

impl HttpMetrics {
    /// Registers everything this process counts.
    pub(crate) fn register(&self, metrics: &Metrics, members: Members, workers: Roster, damage: &Damage) {
        metrics.register(|registry| {
            let about = "Time until an answer began, by route, method and status code";
            registry.register("http_request_duration_seconds", about, self.seconds.clone());
            registry.register("uploads", "Uploads that were acknowledged", self.uploaded.clone());
            damage.register(registry);
            registry.register_collector(Box::new(Observed { members, workers }));
        });
    }
}

/// Times every request.
pub(crate) async fn layer(State(api): State<crate::api::Api>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("page", MatchedPath::as_str).to_owned();
    let is_upload = request.method() == http::Method::PUT && route.starts_with("/api/v1/content/");
    let method = known(request.method()).to_owned();
    let began = Instant::now();
    let response = next.run(request).await;
    let code = response.status().as_u16();
    if is_upload && response.status().is_success() {
        api.metrics.uploaded.inc();
    }
    api.metrics
        .seconds
        .get_or_create(&RequestLabels { route, method, code })
        .observe(began.elapsed().as_secs_f64());
    response
}

/// Anybody can invent methods; each new label would be kept for ever.
fn known(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// What is read off when somebody asks.
struct Observed {
    members: Members,
    workers: Roster,
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observed")
    }
}

impl Collector for Observed {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut nodes: BTreeMap<&str, i64> = BTreeMap::new();
        for member in self.members.all() {
            *nodes.entry(self.members.state(&member).as_str()).or_default() += 1;
        }
        let mut family = encoder.encode_descriptor(
            "index_nodes",
            "Storage nodes by state, as the index-server sees them",
            None,
            prometheus_client::metrics::MetricType::Gauge,
        )?;
        for (state, count) in nodes {
            ConstGauge::new(count).encode(family.encode_family(&[("state", state)])?)?;
        }
        let reports = self.workers.reports();
        let mut gauges = |name: &str, about: &str, value: fn(&Report) -> Option<f64>| -> fmt::Result {
            let kind = prometheus_client::metrics::MetricType::Gauge;
            let mut family = encoder.encode_descriptor(name, about, None, kind)?;
            for report in &reports {
                if let Some(value) = value(report) {
                    let labels = [("worker", report.name)];
                    ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
                }
            }
            Ok(())
        };
        gauges("background_queue_length", "Pieces of work that wait, by worker", |report| {
            Some(report.queue as f64)
        })?;
        gauges("background_rate", "Pieces of work per second, lately, by worker", |report| {
            Some(report.rate)
        })?;
        gauges(
            "background_eta_seconds",
            "Until nothing waits at this rate, by worker; absent where nothing moves",
            |report| report.eta_seconds,
        )?;
        gauges(
            "background_failing",
            "1 where something failed and nothing has succeeded since, by worker",
            |report| Some(f64::from(u8::from(report.last_error.is_some()))),
        )?;
        let mut family = encoder.encode_descriptor(
            "background_done",
            "Pieces of work done since the start, by worker",
            None,
            prometheus_client::metrics::MetricType::Counter,
        )?;
        for worker in self.workers.iter() {
            let name = worker.report().name;
            ConstCounter::new(worker.done()).encode(family.encode_family(&[("worker", name)])?)?;
        }
        Ok(())
    }
}

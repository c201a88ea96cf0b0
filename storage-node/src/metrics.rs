//! What a storage node counts. A struct, registered once and cloned to whoever counts, so that two nodes fit in one test.

use crate::store::Store;
use asterism_proto::ShardError;
use asterism_service::Metrics;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use std::{fmt, time::Instant};

/// From 100 µs to 26 s: a sync on fast flash up to a request over a dying disk.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.0001, 4.0, 10))
}

/// How an operation ended: `ok` or the kind of its error.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Outcome {
    result: &'static str,
}

impl Outcome {
    /// Of a result that a caller gets.
    pub fn of<T>(result: &Result<T, ShardError>) -> Self {
        Self { result: result.as_ref().err().map_or("ok", |error| error.kind.as_str()) }
    }

    /// By name.
    pub fn named(result: &'static str) -> Self {
        Self { result }
    }
}

/// Which gRPC method.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Method {
    method: &'static str,
}

/// What the store counts about its disk.
#[derive(Clone)]
pub struct StoreMetrics {
    /// Time of each sync of a file or directory.
    pub sync_seconds: Histogram,
    /// Syncs that failed.
    pub sync_failures: Counter,
    /// Shards or cells that did not verify when they were read.
    pub corrupt: Counter,
    /// Files in quarantine.
    pub quarantined: Gauge,
    /// Records that were made durable by one sync.
    pub batch_records: Histogram,
    /// Logs that took nothing more because a sync of them failed.
    pub poisoned: Counter,
    /// Compactions that ended well.
    pub compactions: Counter,
    /// Bytes written by compactions.
    pub compacted_bytes: Counter,
}

impl Default for StoreMetrics {
    fn default() -> Self {
        Self {
            sync_seconds: seconds(),
            sync_failures: Counter::default(),
            corrupt: Counter::default(),
            quarantined: Gauge::default(),
            // From one record to a thousand.
            batch_records: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            poisoned: Counter::default(),
            compactions: Counter::default(),
            compacted_bytes: Counter::default(),
        }
    }
}

/// What the node counts about its callers and its index-servers.
#[derive(Clone)]
pub struct NodeMetrics {
    /// Shards written.
    pub puts: Family<Outcome, Counter>,
    /// Shards read, in whole or in part.
    pub gets: Family<Outcome, Counter>,
    /// Shards deleted.
    pub deletes: Family<Outcome, Counter>,
    /// Shards verified on request.
    pub verifies: Family<Outcome, Counter>,
    /// Bytes of cells that came and verified.
    pub received_bytes: Counter,
    /// Bytes of cells that were sent.
    pub sent_bytes: Counter,
    /// Heartbeats and joins that failed.
    pub heartbeat_failures: Counter,
    request_seconds: Family<Method, Histogram>,
}

impl Default for NodeMetrics {
    fn default() -> Self {
        Self {
            puts: Family::default(),
            gets: Family::default(),
            deletes: Family::default(),
            verifies: Family::default(),
            received_bytes: Counter::default(),
            sent_bytes: Counter::default(),
            heartbeat_failures: Counter::default(),
            request_seconds: Family::new_with_constructor(seconds),
        }
    }
}

impl NodeMetrics {
    /// Notes how long a call took that began at `begin`.
    pub fn note_request(&self, method: &'static str, begin: Instant) {
        self.request_seconds.get_or_create(&Method { method }).observe(begin.elapsed().as_secs_f64());
    }
}

/// Registers everything; the store is asked for its state at each scrape.
pub fn register(metrics: &Metrics, store: &Store, of_store: &StoreMetrics, of_node: &NodeMetrics) {
    metrics.register(|registry| {
        let registry = registry.sub_registry_with_prefix("shard_store");
        register_store(registry, of_store);
        register_node(registry, of_node);
        registry.register_collector(Box::new(State(store.clone())));
    });
}

fn register_store(registry: &mut Registry, metrics: &StoreMetrics) {
    registry.register_with_unit(
        "sync",
        "Time to make a file or directory durable",
        Unit::Seconds,
        metrics.sync_seconds.clone(),
    );
    registry.register(
        "sync_failures",
        "Syncs of files or directories that failed",
        metrics.sync_failures.clone(),
    );
    registry.register(
        "corrupt",
        "Shards or cells that did not verify when they were read",
        metrics.corrupt.clone(),
    );
    registry.register("quarantined", "Files in quarantine", metrics.quarantined.clone());
    registry.register(
        "batch_records",
        "Records that were made durable by one sync",
        metrics.batch_records.clone(),
    );
    registry.register("poisoned", "Logs of which a sync failed", metrics.poisoned.clone());
    registry.register("compactions", "Compactions of logs", metrics.compactions.clone());
    registry.register_with_unit(
        "compacted",
        "Bytes written by compactions",
        Unit::Bytes,
        metrics.compacted_bytes.clone(),
    );
}

fn register_node(registry: &mut Registry, metrics: &NodeMetrics) {
    registry.register("puts", "Shards written, by result", metrics.puts.clone());
    registry.register("gets", "Shards read in whole or in part, by result", metrics.gets.clone());
    registry.register("deletes", "Shards deleted, by result", metrics.deletes.clone());
    registry.register("verifies", "Shards verified on request, by result", metrics.verifies.clone());
    registry.register_with_unit(
        "received",
        "Bytes of cells that came and verified",
        Unit::Bytes,
        metrics.received_bytes.clone(),
    );
    registry.register_with_unit(
        "sent",
        "Bytes of cells that were sent",
        Unit::Bytes,
        metrics.sent_bytes.clone(),
    );
    registry.register(
        "heartbeat_failures",
        "Heartbeats and joins that an index-server did not accept",
        metrics.heartbeat_failures.clone(),
    );
    registry.register_with_unit(
        "request",
        "Time of gRPC calls, by method",
        Unit::Seconds,
        metrics.request_seconds.clone(),
    );
}

/// The store's state, read when somebody asks.
struct State(Store);

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("State").finish_non_exhaustive()
    }
}

impl Collector for State {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        // A disk that does not answer leaves a gap in the series, never a made-up number.
        let Ok(usage) = self.0.usage() else { return Ok(()) };
        let (logs, live, dead) = self.0.logs();
        let gauges = [
            ("logs", "Logs on the node", None, logs),
            ("log_live", "Bytes of logs that count", Some(Unit::Bytes), live),
            ("log_dead", "Bytes of logs that compaction would give back", Some(Unit::Bytes), dead),
            ("shards", "Shards on the node", None, usage.shards),
            ("shard", "Bytes of all shards' cells", Some(Unit::Bytes), self.0.shard_bytes()),
            ("used", "Bytes that shards take on disk", Some(Unit::Bytes), usage.used_bytes),
            ("free", "Bytes that more shards can take", Some(Unit::Bytes), usage.free_bytes),
            ("capacity", "Bytes that shards could take in all", Some(Unit::Bytes), usage.capacity_bytes),
        ];
        for (name, help, unit, value) in gauges {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            let metric = encoder.encode_descriptor(name, help, unit.as_ref(), gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        Ok(())
    }
}

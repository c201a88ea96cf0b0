//! Damage that was proven and made good, counted where it is noted in the catalog: each shard once, whoever finds it.

use asterism_cluster::Verified;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// Who has proven that a shard is not there or not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundBy {
    /// Somebody who read a file.
    Read,
    /// The scrub.
    Scrub,
    /// The count of a node that came back.
    Census,
    /// A comparison that somebody asked for.
    Fsck,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    by: &'static str,
    kind: &'static str,
}

/// Counters of one process; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Damage {
    shards: Family<Labels, Counter>,
    cells: Counter,
    repaired: Counter,
    /// Shards that the scrub had read from their disks.
    pub scrubbed: Counter,
    /// Bytes of these shards.
    pub scrubbed_bytes: Counter,
}

impl Damage {
    /// A shard was noted for the first time as what its node says that it is.
    pub fn found(&self, verdict: Verified, by: FoundBy) {
        let by = match by {
            FoundBy::Read => "read",
            FoundBy::Scrub => "scrub",
            FoundBy::Census => "census",
            FoundBy::Fsck => "fsck",
        };
        let kind = match verdict {
            Verified::Absent => "missing",
            Verified::Corrupt { bad_cells } => {
                self.cells.inc_by(u64::from(bad_cells));
                "corrupt"
            }
            // Good now, or not to be had: something else than its disk was the matter.
            Verified::Valid | Verified::Failed => "unreadable",
        };
        self.shards.get_or_create(&Labels { by, kind }).inc();
    }

    /// A shard was written anew and counted on its node's disk.
    pub fn repaired(&self) {
        self.repaired.inc();
    }

    /// Shards that were written anew so far.
    pub fn repaired_count(&self) -> u64 {
        self.repaired.get()
    }

    /// Cells found damaged so far.
    pub fn cells_count(&self) -> u64 {
        self.cells.get()
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        let mut counter = |name: &str, about: &str, counter: &Counter| {
            registry.register(name, about, counter.clone());
        };
        counter("damaged_cells", "Cells that did not verify when their shard was found damaged", &self.cells);
        counter("repaired_shards", "Shards that were rebuilt and counted on their disks", &self.repaired);
        counter("scrubbed_shards", "Shards that the scrub had read from their disks", &self.scrubbed);
        counter("scrubbed_bytes", "Bytes of the shards that the scrub had read", &self.scrubbed_bytes);
        let about = "Shards found missing or damaged, by who found them, each when it became known";
        registry.register("damaged_shards", about, self.shards.clone());
    }
}

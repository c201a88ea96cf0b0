//! Where the monitor's knowledge comes from: one collector per file. A collector that fails is a measurement.

pub mod membership;
pub mod probe;

use asterism_service::Metrics;
pub use membership::{AskError, Membership};
pub use probe::Prober;
use prometheus_client::metrics::{counter::Counter, family::Family};

/// How often each collector looked, and how often in vain.
#[derive(Clone, Default)]
pub struct Looks {
    looks: Family<[(&'static str, &'static str); 2], Counter>,
}

impl Looks {
    /// The counters, shown in `metrics`.
    pub fn register(metrics: &Metrics) -> Self {
        let looks = Self::default();
        metrics.register(|registry| {
            let help = "Looks of each collector of the monitor, by result";
            registry.register("monitor_looks", help, looks.looks.clone());
        });
        looks
    }

    fn count(&self, collector: &'static str, found: bool) {
        let result = if found { "ok" } else { "failed" };
        self.looks.get_or_create(&[("collector", collector), ("result", result)]).inc();
    }
}

//! The figures as metrics, read at each scrape and at each push: a node that left leaves no figure behind.

use super::{Figure, Reader, Reading, Scope};
use crate::{board::Board, state::NodeState};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, MetricEncoder},
    metrics::{MetricType, gauge::ConstGauge},
    registry::Registry,
};
use std::{fmt, sync::Arc};

/// Shown at `/metrics`; some of it is pushed. Names get the registry's prefix, `asterism_`.
pub struct Figures {
    board: Arc<Board>,
    /// Everything that rules are made of; the Pushgateway is spared it.
    reader: Option<Arc<Reader>>,
}

/// What is pushed beside the counts of nodes and groups.
const PUSHED: [Figure; 2] = [Figure::NodeFree, Figure::NodeCapacity];

impl Figures {
    /// All figures.
    pub fn new(board: Arc<Board>, reader: Arc<Reader>) -> Self {
        Self { board, reader: Some(reader) }
    }

    /// A registry of what is pushed.
    pub fn registry(board: Arc<Board>) -> Registry {
        let mut registry = Registry::with_prefix("asterism");
        registry.register_collector(Box::new(Self { board, reader: None }));
        registry
    }
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Figures").finish_non_exhaustive()
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let (states, groups) = (self.board.states(), self.board.groups());
        let states = NodeState::ALL.map(|state| {
            let count = states.iter().filter(|known| **known == state).count();
            ([("state", state.as_str())], count as f64)
        });
        gauge(&mut encoder, "storage_nodes", "Storage nodes in each state", states)?;
        let margins: Vec<(String, f64)> = groups
            .by_margin
            .iter()
            .map(|(margin, groups)| (margin.to_string(), f64::from(*groups)))
            .collect();
        let margins = margins.iter().map(|(margin, groups)| ([("margin", margin.as_str())], *groups));
        gauge(
            &mut encoder,
            "placement_groups",
            "Placement groups by margin: how many more losses they survive",
            margins,
        )?;
        match &self.reader {
            Some(reader) => {
                let reading = reader.read();
                Figure::ALL.iter().try_for_each(|figure| export(&mut encoder, *figure, &reading))
            }
            None => {
                let mut reading = Reading::default();
                self.board.fill(&mut reading);
                PUSHED.iter().try_for_each(|figure| export(&mut encoder, *figure, &reading))
            }
        }
    }
}

fn export(encoder: &mut DescriptorEncoder, figure: Figure, reading: &Reading) -> fmt::Result {
    let samples: Vec<([(&str, &str); 1], f64)> = match figure.scope() {
        Scope::Cluster => {
            let value = reading.cluster.get(figure);
            if value.is_nan() {
                return Ok(());
            }
            let metric = encoder.encode_descriptor(figure.name(), figure.help(), None, MetricType::Gauge)?;
            return encode(value, metric);
        }
        Scope::Zone => {
            reading.zones.iter().map(|zone| ([("zone", zone.zone.as_str())], zone.row.get(figure))).collect()
        }
        Scope::Node => {
            reading.nodes.iter().map(|node| ([("node", node.name.as_str())], node.row.get(figure))).collect()
        }
    };
    gauge(encoder, figure.name(), figure.help(), samples.into_iter().filter(|(_, value)| !value.is_nan()))
}

fn gauge<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    samples: impl IntoIterator<Item = (L, f64)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in samples {
        encode(value, metric.encode_family(&labels)?)?;
    }
    Ok(())
}

/// A whole number is written as one: `2`, not `2.0`.
fn encode(value: f64, encoder: MetricEncoder<'_>) -> fmt::Result {
    let whole = value as i64;
    if whole as f64 == value {
        ConstGauge::new(whole).encode(encoder)
    } else {
        ConstGauge::new(value).encode(encoder)
    }
}

//! The cluster's figures, read off the board at each scrape and at each push: a node that left leaves no figure behind.

use crate::{
    board::{Board, NodeView},
    state::NodeState,
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
    registry::Registry,
};
use std::{fmt, sync::Arc};

/// What is pushed, and shown at `/metrics`. Names get the registry's prefix, `asterism_`.
pub struct Figures {
    board: Arc<Board>,
}

impl Figures {
    /// The figures of `board`.
    pub fn new(board: Arc<Board>) -> Self {
        Self { board }
    }

    /// A registry of nothing else, for pushing.
    pub fn registry(board: Arc<Board>) -> Registry {
        let mut registry = Registry::with_prefix("asterism");
        registry.register_collector(Box::new(Self::new(board)));
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
        let (nodes, groups) = (self.board.nodes(), self.board.groups());
        let states = NodeState::ALL.map(|state| {
            let count = nodes.iter().filter(|node| node.state == state).count();
            ([("state", state.as_str())], count as i64)
        });
        gauge(&mut encoder, "storage_nodes", "Storage nodes in each state", states)?;
        gauge(
            &mut encoder,
            "storage_free_bytes",
            "Free bytes of each storage node, as it said last",
            per_node(&nodes, |measured| measured.free_bytes),
        )?;
        gauge(
            &mut encoder,
            "storage_capacity_bytes",
            "Capacity of each storage node",
            per_node(&nodes, |measured| measured.capacity_bytes),
        )?;
        let margins: Vec<(String, i64)> = groups
            .by_margin
            .iter()
            .map(|(margin, groups)| (margin.to_string(), i64::from(*groups)))
            .collect();
        let margins = margins.iter().map(|(margin, groups)| ([("margin", margin.as_str())], *groups));
        gauge(
            &mut encoder,
            "placement_groups",
            "Placement groups by margin: how many more losses they survive",
            margins,
        )
    }
}

fn per_node<'a>(
    nodes: &'a [NodeView],
    figure: impl Fn(&crate::board::Measured) -> u64 + 'a,
) -> impl Iterator<Item = ([(&'static str, &'a str); 1], i64)> + 'a {
    nodes.iter().filter_map(move |node| {
        let value = figure(node.measured.as_ref()?);
        Some(([("node", node.name.as_str())], i64::try_from(value).unwrap_or(i64::MAX)))
    })
}

fn gauge<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    samples: impl IntoIterator<Item = (L, i64)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in samples {
        ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

//! What is measured: one list of figures, which rules are made of, which `/metrics` shows, and which is pushed.

mod export;
mod reading;
pub mod trend;

pub use export::Figures;
pub(crate) use reading::is_meant_to_be_up;
pub use reading::{NodeRow, Own, Reader, Reading, Row, ZoneRow};

/// Of what a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The cluster as a whole: no label.
    Cluster,
    /// A zone with more than one node: label `zone`.
    Zone,
    /// A node: label `node`.
    Node,
}

impl Scope {
    /// The label that tells its subjects apart.
    pub fn label(self) -> Option<&'static str> {
        match self {
            Self::Cluster => None,
            Self::Zone => Some("zone"),
            Self::Node => Some("node"),
        }
    }
}

/// Declares the figures with their scope, name (without the prefix `asterism_`) and help.
macro_rules! figures {
    ($($(#[$about:meta])* $variant:ident: $scope:ident, $name:literal, $help:literal;)*) => {
        /// A figure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Figure { $(#[doc = $help] $variant,)* }

        impl Figure {
            /// Every figure.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Of what it is.
            pub fn scope(self) -> Scope {
                match self { $(Self::$variant => Scope::$scope,)* }
            }

            /// Its name in metrics, without the prefix `asterism_`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it says, for a stranger.
            pub fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)* }
            }
        }
    };
}

figures! {
    NodeOffline: Node, "storage_node_offline", "1 while every sign of life of the node is missing and nobody intended it";
    NodeProcessDead: Node, "storage_node_process_dead", "1 while the node is offline and its host refuses connections: the host lives, the process does not";
    NodeUnreachable: Node, "storage_node_unreachable", "1 while the node sends heartbeats and does not answer the monitor's own probe";
    NodeFalls: Node, "storage_node_falls", "How often the node fell out of service within the last two minutes";
    NodeFree: Node, "storage_free_bytes", "Free bytes of each storage node, as it said last";
    NodeCapacity: Node, "storage_capacity_bytes", "Capacity of each storage node";
    NodeFullIn: Node, "storage_node_full_in_seconds", "Time until the node is full, by the median slope of its free bytes; absent unless it is filling";
    NodeLoad: Node, "storage_node_load1", "Load average over a minute of the node's host";
    NodeCores: Node, "storage_node_cores", "Cores of the node's host";
    NodeMemory: Node, "storage_node_memory_total_bytes", "Memory of the node's host";
    NodeMemoryAvailable: Node, "storage_node_memory_available_bytes", "Memory that the node's host could give to a process";
    NodeProbe: Node, "storage_node_probe_seconds", "How long the monitor's last good probe of the node took";
    NodeClockSkew: Node, "storage_node_clock_skew_seconds", "How far the node's clock is from the monitor's, beyond what the probe's own duration explains";
    NodeCertificateEnd: Node, "storage_node_certificate_expires_timestamp_seconds", "When the node's certificate ends, in seconds since 1970";
    ZoneNodes: Zone, "zone_nodes", "Nodes that are meant to be up in each zone that has more than one";
    ZoneOffline: Zone, "zone_nodes_offline", "Those of them that are offline";
    IndexServerUp: Cluster, "monitor_index_server_up", "1 while an index-server answers the monitor";
    DatabaseUp: Cluster, "monitor_database_up", "1 while the index-server reaches its database";
    GraphUp: Cluster, "monitor_graph_up", "1 while the index-server reaches the tag graph";
    WorstMargin: Cluster, "placement_margin_worst", "How many more losses the worst placement group or short extent survives; negative: files are unreadable now";
    BelowFloor: Cluster, "placement_groups_below_floor", "Placement groups that are, or hold an extent, below the floor of its policy";
    ShortExtents: Cluster, "short_extents", "Extents of which shards are known to be missing";
    RepairStalled: Cluster, "repair_stalled_seconds", "For how long there were short extents and their number did not fall";
    PushTime: Cluster, "push_time_seconds", "When figures were last pushed, in seconds since 1970";
    PushInterval: Cluster, "push_interval_seconds", "Time between two pushes";
    MonitorCertificateEnd: Cluster, "monitor_certificate_expires_timestamp_seconds", "When the monitor's own certificate ends, in seconds since 1970";
    LogWaiting: Cluster, "monitor_log_waiting", "Transitions that wait for a log that cannot be written";
}

impl Figure {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_the_conventions_of_metrics() {
        for figure in Figure::ALL {
            let name = figure.name();
            assert!(
                name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_'),
                "{name}"
            );
            assert!(!name.ends_with("_total") && !figure.help().ends_with('.'), "{name}");
            let twins = Figure::ALL.iter().filter(|other| other.name() == name).count();
            assert_eq!(twins, 1, "{name}");
        }
    }
}

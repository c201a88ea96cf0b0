//! Pure: a reading as requests of remote write.

use crate::figures::{Figure, Reading, Scope};
use prost::Message;

/// Series in one request; receivers limit the size of a body.
const SERIES_MAX: usize = 2_000;

/// `prometheus.WriteRequest`, as far as it is needed: <https://prometheus.io/docs/specs/prw/remote_write_spec/>.
#[derive(Clone, PartialEq, Message)]
pub(super) struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    pub(super) timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    pub(super) labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    pub(super) samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Label {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Sample {
    #[prost(double, tag = "1")]
    pub(super) value: f64,
    #[prost(int64, tag = "2")]
    pub(super) timestamp: i64,
}

/// The compressed bodies of the requests that say `reading`, each with its number of samples.
pub(super) fn requests(reading: &Reading, cluster: &str) -> Vec<(Vec<u8>, usize)> {
    let timestamp = (reading.unix_seconds * 1000.0) as i64;
    let mut bodies = Vec::new();
    for chunk in series(reading, cluster, timestamp).chunks(SERIES_MAX) {
        let request = WriteRequest { timeseries: chunk.to_vec() };
        match snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()) {
            Ok(body) => bodies.push((body, chunk.len())),
            // Only a body of 4 GiB cannot be compressed.
            Err(error) => tracing::error!(%error, "figures cannot be compressed"),
        }
    }
    bodies
}

fn series(reading: &Reading, cluster: &str, timestamp: i64) -> Vec<TimeSeries> {
    let mut all = Vec::new();
    let mut add = |figure: Figure, subject: Option<(&str, &str)>, value: f64| {
        if !value.is_nan() {
            let labels = labels(figure, cluster, subject);
            all.push(TimeSeries { labels, samples: vec![Sample { value, timestamp }] });
        }
    };
    for figure in Figure::ALL.iter().copied() {
        match figure.scope() {
            Scope::Cluster => add(figure, None, reading.cluster.get(figure)),
            Scope::Zone => {
                for zone in &reading.zones {
                    add(figure, Some(("zone", &zone.zone)), zone.row.get(figure));
                }
            }
            Scope::Node => {
                for node in &reading.nodes {
                    add(figure, Some(("node", node.name.as_str())), node.row.get(figure));
                }
            }
        }
    }
    all
}

/// In the order of their names, as the protocol wants it.
fn labels(figure: Figure, cluster: &str, subject: Option<(&str, &str)>) -> Vec<Label> {
    let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() };
    let mut labels = vec![
        label("__name__", &format!("asterism_{}", figure.name())),
        label("cluster", cluster),
        label("job", "asterism"),
    ];
    labels.extend(subject.map(|(name, value)| label(name, value)));
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{NodeRow, Row};
    use asterism_proto::NodeId;

    fn reading(nodes: u16) -> Reading {
        let node = |number| NodeRow {
            id: NodeId::from_bytes([0; 16]),
            name: format!("n{number}").parse().unwrap(),
            zone: "a".into(),
            row: Row::default().with(Figure::NodeLoad, f64::from(number)).with(Figure::NodeCores, 4.0),
        };
        Reading {
            unix_seconds: 1.5,
            cluster: Row::default().with(Figure::WorstMargin, -1.0),
            nodes: (0..nodes).map(node).collect(),
            ..Reading::default()
        }
    }

    fn decoded(body: &[u8]) -> WriteRequest {
        let body = snap::raw::Decoder::new().decompress_vec(body).unwrap();
        WriteRequest::decode(body.as_slice()).unwrap()
    }

    #[test]
    fn every_figure_is_a_series_and_what_is_not_there_is_none() {
        let requests = requests(&reading(1), "home");
        assert_eq!((requests.len(), requests[0].1), (1, 3));
        let series = decoded(&requests[0].0).timeseries;
        let text = |series: &TimeSeries| {
            let labels: Vec<_> =
                series.labels.iter().map(|label| format!("{}={}", label.name, label.value)).collect();
            format!("{} {:?}", labels.join(","), series.samples[0])
        };
        assert!(series.iter().all(|series| series.labels.is_sorted_by(|one, other| one.name < other.name)));
        assert_eq!(
            series.iter().map(text).collect::<Vec<_>>(),
            [
                "__name__=asterism_storage_node_load1,cluster=home,job=asterism,node=n0 Sample { value: 0.0, timestamp: 1500 }",
                "__name__=asterism_storage_node_cores,cluster=home,job=asterism,node=n0 Sample { value: 4.0, timestamp: 1500 }",
                "__name__=asterism_placement_margin_worst,cluster=home,job=asterism Sample { value: -1.0, timestamp: 1500 }",
            ]
        );
    }

    #[test]
    fn a_large_cluster_is_several_requests() {
        let requests = requests(&reading(1500), "home");
        assert_eq!(requests.iter().map(|(_, samples)| *samples).collect::<Vec<_>>(), [2000, 1001]);
        assert!(requests.iter().all(|(body, _)| body.len() < 64 << 10), "names repeat and compress well");
    }
}

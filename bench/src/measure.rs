//! What is measured, and one value of it per round.

use crate::args::{PARTS, Sizes};
use serde::Serialize;
use std::collections::BTreeMap;

/// A value with its unit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Figure {
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
}

/// One thing that is measured in each round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    Memcpy,
    Encode,
    Reconstruct,
    LoopbackStream,
    DiskStream,
    /// The same content with the redundancy of 4+2.
    DiskStreamCoded,
    PutLarge,
    GetLarge,
    DegradedGetLarge,
    /// As many bytes as the large file, in parts, by several clients.
    PutParts,
    GetParts,
    DegradedGetParts,
    AppendAlone,
    AppendTogether,
    PutSmall,
    /// The same, until all is in the tag graph, which goes on after the last answer.
    TagSmall,
    LoopbackExchange,
    GetSmall,
    DegradedGetSmall,
    /// The shards of a node that lost its directory.
    Rebuild,
    /// As many bytes as one node's shards have.
    DiskRebuilt,
}

/// One round's value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Per second, in the unit of the work.
    pub(crate) rate: f64,
    pub(crate) seconds: f64,
    /// Of all processes of the cluster.
    pub(crate) servers_cpu_seconds: Option<f64>,
    /// Of this process.
    pub(crate) client_cpu_seconds: Option<f64>,
    /// Median and 99th percentile of the single operations.
    pub(crate) latency_ms: Option<(f64, f64)>,
}

impl Sample {
    /// `amount` in `seconds`.
    pub(crate) fn of(amount: f64, seconds: f64) -> Self {
        Self {
            rate: amount / seconds,
            seconds,
            servers_cpu_seconds: None,
            client_cpu_seconds: None,
            latency_ms: None,
        }
    }

    /// Processor seconds in the unit in which they are told beside a rate of `unit`, and that unit.
    fn told(&self, cpu_seconds: f64, unit: &str) -> Option<Figure> {
        let amount = self.rate * self.seconds;
        match unit {
            "MB/s" => Some(Figure { value: cpu_seconds / amount * GIBIBYTE_IN_MB, unit: "s/GiB" }),
            "op/s" => Some(Figure { value: cpu_seconds / amount * 1e3, unit: "ms/op" }),
            _ => None,
        }
    }
}

const GIBIBYTE_IN_MB: f64 = (1 << 30) as f64 / 1e6;

impl Work {
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Memcpy | Self::Encode | Self::Reconstruct => "GB/s",
            Self::LoopbackStream
            | Self::DiskStream
            | Self::DiskStreamCoded
            | Self::PutLarge
            | Self::GetLarge
            | Self::DegradedGetLarge
            | Self::PutParts
            | Self::GetParts
            | Self::DegradedGetParts
            | Self::Rebuild
            | Self::DiskRebuilt => "MB/s",
            Self::AppendAlone
            | Self::AppendTogether
            | Self::PutSmall
            | Self::TagSmall
            | Self::LoopbackExchange
            | Self::GetSmall
            | Self::DegradedGetSmall => "op/s",
        }
    }

    pub(crate) fn name(self, sizes: &Sizes) -> String {
        let large = bytes_text(sizes.large_bytes);
        let each = bytes_text(sizes.small_bytes);
        let small = format!("{} × {each}", count_text(sizes.small_files));
        let parts = format!("{PARTS} × {}", bytes_text(sizes.part_bytes()));
        let clients = sizes.concurrency;
        match self {
            Self::Memcpy => "memcpy".into(),
            Self::Encode => "codec, encode 4+2".into(),
            Self::Reconstruct => "codec, reconstruct 2 of 4+2".into(),
            Self::LoopbackStream => "loopback TCP, one stream".into(),
            Self::DiskStream => format!("disk, write {large} + fsync"),
            Self::DiskStreamCoded => format!("disk, write 1.5 × {large} + fsync"),
            Self::PutLarge => format!("PUT {large}"),
            Self::GetLarge => format!("GET {large}"),
            Self::DegradedGetLarge => format!("GET {large}, 2 of 6 nodes dead"),
            Self::PutParts => format!("PUT {parts}, {clients} at once"),
            Self::GetParts => format!("GET {parts}, {clients} at once"),
            Self::DegradedGetParts => format!("GET {parts}, 2 of 6 nodes dead"),
            Self::AppendAlone => format!("disk, append {each} + fdatasync, 1 writer"),
            Self::AppendTogether => format!("disk, append {each} + fdatasync, {clients} writers"),
            Self::PutSmall => format!("PUT {small}, {clients} at once"),
            Self::TagSmall => format!("PUT {small}, until tagged and in the graph"),
            Self::LoopbackExchange => format!("loopback TCP, {each} answers, {clients} at once"),
            Self::GetSmall => format!("GET {small}, {clients} at once"),
            Self::DegradedGetSmall => format!("GET {small}, 2 of 6 nodes dead"),
            Self::Rebuild => "rebuild of a node that lost its directory".into(),
            Self::DiskRebuilt => "disk, write as many bytes + fsync".into(),
        }
    }
}

/// Everything that was measured in rounds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measures(BTreeMap<Work, Vec<Sample>>);

impl Measures {
    pub(crate) fn note(&mut self, work: Work, sample: Sample) {
        self.0.entry(work).or_default().push(sample);
    }

    pub(crate) fn of(&self, work: Work) -> &[Sample] {
        self.0.get(&work).map_or(&[], Vec::as_slice)
    }

    /// Median of what `pick` finds in the samples of `work`; none if it finds nothing.
    pub(crate) fn median(&self, work: Work, pick: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        median(self.of(work).iter().filter_map(pick).collect())
    }

    /// Median of the processor seconds that `pick` finds, per GiB or per operation.
    pub(crate) fn cpu(&self, work: Work, pick: impl Fn(&Sample) -> Option<f64>) -> Option<Figure> {
        let told = |sample: &Sample| sample.told(pick(sample)?, work.unit());
        let unit = self.of(work).iter().find_map(told)?.unit;
        Some(Figure { value: self.median(work, |sample| Some(told(sample)?.value))?, unit })
    }
}

/// The middle value, or the mean of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { f64::midpoint(upper, values[middle - 1]) })
}

/// The value below which `percent` of the sorted values are.
pub(crate) fn quantile(sorted: &[f64], percent: usize) -> Option<f64> {
    let index = (sorted.len() * percent / 100).min(sorted.len().checked_sub(1)?);
    sorted.get(index).copied()
}

pub(crate) fn bytes_text(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let whole = units.iter().find(|(_, shift)| bytes >= 1 << shift && bytes.is_multiple_of(1 << shift));
    whole.map_or_else(|| format!("{bytes} B"), |(unit, shift)| format!("{} {unit}", bytes >> shift))
}

fn count_text(count: u32) -> String {
    if count < 1_000 { count.to_string() } else { format!("{},{:03}", count / 1_000, count % 1_000) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn quantiles_stay_within() {
        let values: Vec<f64> = (0..100).map(f64::from).collect();
        assert_eq!(quantile(&values, 50), Some(50.0));
        assert_eq!(quantile(&values, 99), Some(99.0));
        assert_eq!(quantile(&[7.0], 99), Some(7.0));
        assert_eq!(quantile(&[], 50), None);
    }

    #[test]
    fn sizes_read_like_sizes() {
        assert_eq!(bytes_text(1 << 30), "1 GiB");
        assert_eq!(bytes_text(4 << 10), "4 KiB");
        assert_eq!(bytes_text(1500), "1500 B");
        assert_eq!((count_text(48), count_text(2_000)), ("48".to_owned(), "2,000".to_owned()));
    }
}

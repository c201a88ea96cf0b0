//! What the product promises about its speed, and whether this run kept it.

use crate::{
    args::Sizes,
    codec::{ENCODE, Heat, OURS, RECONSTRUCT, ShapeRow},
    compare::{Comparison, FRESH_MEMORY, IDLE_CPU, MEMORY, PROGRAM},
    measure::{Measures, Work},
    table::Needs,
};
use serde::{Serialize, Serializer};
use std::fmt::{self, Display, Formatter};

/// How much it may be, or has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
    Below(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
            Self::Below(bound) => value < bound,
        }
    }
}

impl Display for Bound {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bound) => write!(f, "≥ {bound}"),
            Self::AtMost(bound) => write!(f, "≤ {bound}"),
            Self::Below(bound) => write!(f, "< {bound}"),
        }
    }
}

impl Serialize for Bound {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One promise and the figure it is about.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) bound: Bound,
    pub(crate) unit: &'static str,
    /// None where it was not measured: the peer is not installed.
    pub(crate) value: Option<f64>,
    pub(crate) met: Option<bool>,
}

impl Goal {
    fn new(what: String, bound: Bound, unit: &'static str, value: Option<f64>) -> Self {
        Self { what, bound, unit, value, met: value.map(|value| bound.holds(value)) }
    }
}

const TIMES: &str = "×";

/// Throughput and processor time of all servers, by the peer's.
const BY_PEER: [(Work, Bound, Option<Bound>); 4] = [
    (Work::PutParts, Bound::AtLeast(1.5), Some(Bound::AtMost(0.6))),
    (Work::GetParts, Bound::AtLeast(1.3), Some(Bound::AtMost(0.7))),
    (Work::PutSmall, Bound::AtLeast(4.0), Some(Bound::AtMost(0.4))),
    (Work::GetSmall, Bound::AtLeast(3.0), None),
];
const MEMORY_BY_PEER: Bound = Bound::AtMost(0.4);
const DEGRADED: [(Work, Work); 2] =
    [(Work::DegradedGetLarge, Work::GetLarge), (Work::DegradedGetParts, Work::GetParts)];
const DEGRADED_BY_HEALTHY: Bound = Bound::AtLeast(0.8);
const IDLE_PERCENT: Bound = Bound::Below(1.0);
const NODE_MEBIBYTES: Bound = Bound::AtMost(40.0);
const PROGRAM_MEGABYTES: Bound = Bound::AtMost(40.0);

/// All of them, with what was measured.
pub(crate) fn goals(
    sizes: &Sizes,
    measures: &Measures,
    comparisons: &[Comparison],
    needs: &[Needs],
    peer: &str,
) -> Vec<Goal> {
    let row = |what: &str| comparisons.iter().find(|row| row.what == what);
    let mut goals = Vec::new();
    for (work, rate, cpu) in BY_PEER {
        let name = work.name(sizes);
        let found = row(&name);
        let ratio = found.and_then(|row| row.ratio);
        goals.push(Goal::new(format!("{name}: {} by {peer}'s", work.unit()), rate, TIMES, ratio));
        if let Some(bound) = cpu {
            let ratio = found.and_then(|row| row.cpu_ratio);
            goals.push(Goal::new(format!("{name}: CPU by {peer}'s"), bound, TIMES, ratio));
        }
    }
    for (degraded, healthy) in DEGRADED {
        let rate = |work| measures.median(work, |sample| Some(sample.rate));
        let ratio = rate(degraded).zip(rate(healthy)).map(|(degraded, healthy)| degraded / healthy);
        let what = format!("{}: by the healthy one", degraded.name(sizes));
        goals.push(Goal::new(what, DEGRADED_BY_HEALTHY, TIMES, ratio));
    }
    for what in [FRESH_MEMORY, MEMORY] {
        let ratio = row(what).and_then(|row| row.ratio);
        goals.push(Goal::new(format!("{what}: by {peer}'s"), MEMORY_BY_PEER, TIMES, ratio));
    }
    let ours = |what: &str| row(what).map(|row| row.ours.figure.value);
    goals.push(Goal::new(IDLE_CPU.to_owned(), IDLE_PERCENT, "% of one core", ours(IDLE_CPU)));
    let nodes = needs.iter().filter(|one| one.role.starts_with("storage-node"));
    let most = nodes.map(|one| one.resident_bytes as f64 / f64::from(1 << 20)).reduce(f64::max);
    let what = "memory after the load, each storage node".to_owned();
    goals.push(Goal::new(what, NODE_MEBIBYTES, "MiB", most));
    goals.push(Goal::new(PROGRAM.to_owned(), PROGRAM_MEGABYTES, "MB", ours(PROGRAM)));
    goals
}

/// Up to so many data shards klauspost's library has kernels made for the shape.
const NARROW_DATA: usize = 10;
const KLAUSPOST: &str = "klauspost";
const ISAL: &str = "ISA-L";
const ISAL_SHAPE: (usize, usize) = (4, 2);

/// What the codec promises beside others, and of its own reconstruction beside its own encoding.
pub(crate) fn codec_goals(rows: &[ShapeRow]) -> Vec<Goal> {
    let mut goals = Vec::new();
    for row in rows.iter().filter(|row| row.work == ENCODE) {
        let by_klauspost = match (row.data <= NARROW_DATA, row.heat) {
            (true, Heat::Hot) => Bound::AtLeast(1.0),
            (true, Heat::Cold) => Bound::AtLeast(0.95),
            (false, _) => Bound::AtLeast(1.4),
        };
        goals.push(codec_goal(row, KLAUSPOST, by_klauspost));
        if (row.data, row.parity) == ISAL_SHAPE {
            goals.push(codec_goal(row, ISAL, Bound::AtLeast(0.95)));
        }
    }
    for row in rows.iter().filter(|row| row.work == RECONSTRUCT) {
        let same_shape = |other: &&ShapeRow| {
            let shape = |row: &ShapeRow| (row.data, row.parity, row.cell_bytes, row.heat);
            other.work == ENCODE && shape(other) == shape(row)
        };
        let encode = rows.iter().find(same_shape).and_then(|row| row.speed(OURS));
        let ratio = row.speed(OURS).zip(encode).map(|(rebuild, encode)| rebuild / encode);
        let what = format!("{}, {}: by our own encode", row.name(), row.heat.name());
        goals.push(Goal::new(what, Bound::AtLeast(0.85), TIMES, ratio));
    }
    goals
}

fn codec_goal(row: &ShapeRow, codec: &str, bound: Bound) -> Goal {
    let ratio = row.speed(OURS).zip(row.speed(codec)).map(|(ours, other)| ours / other);
    Goal::new(format!("{}, {}: by {codec}'s", row.name(), row.heat.name()), bound, TIMES, ratio)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        codec::Speed,
        compare::{Totals, comparisons},
        measure::Sample,
    };

    fn measured(samples: &[(Work, f64)]) -> Measures {
        let mut measures = Measures::default();
        samples.iter().for_each(|(work, rate)| measures.note(*work, Sample::of(*rate, 1.0)));
        measures
    }

    fn check(goals: &[Goal], what: &str, met: Option<bool>) {
        let goal = goals.iter().find(|goal| goal.what == what);
        assert_eq!(goal.unwrap_or_else(|| panic!("no goal {what}: {goals:#?}")).met, met, "{what}");
    }

    #[test]
    fn bounds_hold_at_their_edge() {
        let check = |bound: Bound, value, holds| assert_eq!(bound.holds(value), holds, "{bound} {value}");
        check(Bound::AtLeast(1.5), 1.5, true);
        check(Bound::AtLeast(1.5), 1.49, false);
        check(Bound::AtMost(0.6), 0.6, true);
        check(Bound::AtMost(0.6), 0.61, false);
        check(Bound::Below(1.0), 1.0, false);
    }

    fn shape_row(work: &'static str, data: usize, heat: Heat, speeds: &[(&str, f64)]) -> ShapeRow {
        let speeds = speeds
            .iter()
            .map(|(codec, speed)| Speed { codec: (*codec).to_owned(), gigabytes_per_second: *speed });
        ShapeRow { work, data, parity: 2, cell_bytes: 64 << 10, heat, speeds: speeds.collect() }
    }

    #[test]
    fn a_codec_is_judged_by_shape_and_heat() {
        let rows = [
            shape_row(ENCODE, 4, Heat::Hot, &[("ours", 10.0), ("klauspost/x", 10.1)]),
            shape_row(ENCODE, 4, Heat::Cold, &[("ours", 10.0), ("klauspost/x", 10.1), ("ISA-L", 20.0)]),
            shape_row(ENCODE, 16, Heat::Hot, &[("ours", 14.0), ("klauspost/x", 10.0)]),
            shape_row(RECONSTRUCT, 16, Heat::Hot, &[("ours", 12.0)]),
        ];
        let goals = codec_goals(&rows);
        check(&goals, "encode 4+2, 64 KiB, hot: by klauspost's", Some(false));
        check(&goals, "encode 4+2, 64 KiB, cold: by klauspost's", Some(true));
        check(&goals, "encode 4+2, 64 KiB, hot: by ISA-L's", None);
        check(&goals, "encode 4+2, 64 KiB, cold: by ISA-L's", Some(false));
        check(&goals, "encode 16+2, 64 KiB, hot: by klauspost's", Some(true));
        check(&goals, "reconstruct 16+2, 64 KiB, hot: by our own encode", Some(true));
    }

    #[test]
    fn what_was_measured_is_judged_and_the_rest_is_not() {
        let ours =
            measured(&[(Work::PutParts, 300.0), (Work::GetParts, 100.0), (Work::DegradedGetParts, 79.0)]);
        let peer = measured(&[(Work::PutParts, 200.0), (Work::GetParts, 90.0)]);
        let totals = Totals { resident_bytes: 50 << 20, idle_cpu_percent: 0.9, ..Totals::default() };
        let rows = comparisons(&Sizes::EXAMPLE, (&ours, totals), Some((&peer, totals)));
        let node = Needs {
            role: "storage-node n1".into(),
            peak_bytes: 0,
            resident_bytes: 41 << 20,
            idle_cpu_percent: 0.0,
        };
        let goals = goals(&Sizes::EXAMPLE, &ours, &rows, &[node], "X");
        check(&goals, "PUT 16 × 64 MiB, 8 at once: MB/s by X's", Some(true));
        check(&goals, "PUT 16 × 64 MiB, 8 at once: CPU by X's", None);
        check(&goals, "GET 16 × 64 MiB, 8 at once: MB/s by X's", Some(false));
        check(&goals, "GET 16 × 64 MiB, 2 of 6 nodes dead: by the healthy one", Some(false));
        check(&goals, "memory after the load, all processes: by X's", Some(false));
        check(&goals, "memory after the load, each storage node", Some(false));
        check(&goals, "idle CPU, all processes", Some(true));
    }
}

//! Ours beside a peer's, for the work that both do: pure, so that the arithmetic is tested.

use crate::{
    args::Sizes,
    measure::{Figure, Measures, Work},
    table::Needs,
};
use serde::Serialize;

/// What both do.
pub(crate) const SHARED: [Work; 6] = [
    Work::PutParts,
    Work::GetParts,
    Work::DegradedGetParts,
    Work::PutSmall,
    Work::GetSmall,
    Work::DegradedGetSmall,
];

/// One row: ours, the peer's, and ours by the peer's.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Comparison {
    pub(crate) what: String,
    pub(crate) ours: Side,
    /// None where the peer is not installed.
    pub(crate) peer: Option<Side>,
    pub(crate) ratio: Option<f64>,
    pub(crate) cpu_ratio: Option<f64>,
}

/// What one of the two needed for it; medians of the rounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Side {
    pub(crate) figure: Figure,
    /// Of all its processes.
    pub(crate) cpu: Option<Figure>,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
}

/// What all processes of one system need together, and its program.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    /// Before the first load.
    pub(crate) fresh_bytes: u64,
    pub(crate) resident_bytes: u64,
    pub(crate) idle_cpu_percent: f64,
    pub(crate) program_bytes: u64,
}

impl Totals {
    pub(crate) fn of(needs: &[Needs], fresh_bytes: u64, program_bytes: u64) -> Self {
        Self {
            fresh_bytes,
            program_bytes,
            resident_bytes: needs.iter().map(|one| one.resident_bytes).sum(),
            idle_cpu_percent: needs.iter().map(|one| one.idle_cpu_percent).sum(),
        }
    }
}

/// A row for each work that was measured, then what both need.
pub(crate) fn comparisons(
    sizes: &Sizes,
    (ours, our_totals): (&Measures, Totals),
    peer: Option<(&Measures, Totals)>,
) -> Vec<Comparison> {
    let works = SHARED.into_iter().filter_map(|work| {
        let peer = peer.and_then(|(measures, _)| side(measures, work));
        Some(comparison(work.name(sizes), side(ours, work)?, peer))
    });
    let needs = totals(our_totals).into_iter().enumerate().map(|(index, (what, side))| {
        let peer = peer.map(|(_, peer_totals)| totals(peer_totals)[index].1.clone());
        comparison(what.to_owned(), side, peer)
    });
    works.chain(needs).collect()
}

fn comparison(what: String, ours: Side, peer: Option<Side>) -> Comparison {
    let ratio = |ours: &Figure, other: &Figure| ours.value / other.value;
    Comparison {
        ratio: peer.as_ref().map(|peer| ratio(&ours.figure, &peer.figure)),
        cpu_ratio: peer
            .as_ref()
            .and_then(|peer| ours.cpu.as_ref().zip(peer.cpu.as_ref()))
            .map(|(ours, peer)| ratio(ours, peer)),
        what,
        ours,
        peer,
    }
}

fn side(measures: &Measures, work: Work) -> Option<Side> {
    let value = measures.median(work, |sample| Some(sample.rate))?;
    Some(Side {
        figure: Figure { value, unit: work.unit() },
        cpu: measures.cpu(work, |sample| sample.servers_cpu_seconds),
        p50_ms: measures.median(work, |sample| Some(sample.latency_ms?.0)),
        p99_ms: measures.median(work, |sample| Some(sample.latency_ms?.1)),
    })
}

pub(crate) const FRESH_MEMORY: &str = "memory before the load, all processes";
pub(crate) const MEMORY: &str = "memory after the load, all processes";
pub(crate) const IDLE_CPU: &str = "idle CPU, all processes";
pub(crate) const PROGRAM: &str = "program, stripped";

fn totals(totals: Totals) -> [(&'static str, Side); 4] {
    let side = |value, unit| Side { figure: Figure { value, unit }, cpu: None, p50_ms: None, p99_ms: None };
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    [
        (FRESH_MEMORY, side(mebibytes(totals.fresh_bytes), "MiB")),
        (MEMORY, side(mebibytes(totals.resident_bytes), "MiB")),
        (IDLE_CPU, side(totals.idle_cpu_percent, "%")),
        (PROGRAM, side(totals.program_bytes as f64 / 1e6, "MB")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Sample;

    /// 1,000 MB at so many MB/s.
    fn measured(rate: f64, cpu: f64) -> Measures {
        let mut measures = Measures::default();
        let sample = Sample::of(1_000.0, 1_000.0 / rate);
        let latency_ms = Some((1.0, 2.0));
        measures.note(Work::PutParts, Sample { servers_cpu_seconds: Some(cpu), latency_ms, ..sample });
        measures
    }

    #[test]
    fn a_ratio_is_ours_by_the_peers() {
        let (ours, peer) = (measured(300.0, 2.0), measured(200.0, 4.0));
        let totals = Totals { resident_bytes: 64 << 20, ..Totals::default() };
        let rows = comparisons(&Sizes::EXAMPLE, (&ours, totals), Some((&peer, totals)));
        assert_eq!((rows[0].ratio, rows[0].cpu_ratio), (Some(1.5), Some(0.5)));
        assert_eq!(rows[0].what, "PUT 16 × 64 MiB, 8 at once");
        let memory = rows.iter().find(|row| row.what == MEMORY).unwrap();
        assert_eq!((memory.ratio, memory.cpu_ratio), (Some(1.0), None));
    }

    #[test]
    fn without_a_peer_ours_stands_alone() {
        let rows = comparisons(&Sizes::EXAMPLE, (&measured(300.0, 2.0), Totals::default()), None);
        assert_eq!(rows.len(), 5, "one work was measured, four needs: {rows:?}");
        assert!(rows.iter().all(|row| row.peer.is_none() && row.ratio.is_none() && row.cpu_ratio.is_none()));
        assert_eq!(rows[0].ours.cpu, Some(Figure { value: 2.147_483_648, unit: "s/GiB" }));
    }
}

//! From what was measured to rows: pure, so that the arithmetic is tested.

use crate::{
    args::Sizes,
    measure::{Figure, Measures, Sample, Work, bytes_text},
};
use serde::Serialize;

/// Each work that is ours, beside what bounds it or what it is to be compared with.
const ROWS: [(Work, Option<Work>); 16] = [
    (Work::Encode, Some(Work::Memcpy)),
    (Work::Reconstruct, Some(Work::Memcpy)),
    (Work::PutLarge, Some(Work::DiskStream)),
    (Work::PutLarge, Some(Work::DiskStreamCoded)),
    (Work::PutLarge, Some(Work::LoopbackStream)),
    (Work::GetLarge, Some(Work::LoopbackStream)),
    (Work::DegradedGetLarge, Some(Work::GetLarge)),
    (Work::PutParts, Some(Work::DiskStreamCoded)),
    (Work::GetParts, Some(Work::LoopbackStream)),
    (Work::DegradedGetParts, Some(Work::GetParts)),
    (Work::PutSmall, Some(Work::AppendAlone)),
    (Work::PutSmall, Some(Work::AppendTogether)),
    (Work::TagSmall, Some(Work::PutSmall)),
    (Work::GetSmall, Some(Work::LoopbackExchange)),
    (Work::DegradedGetSmall, Some(Work::GetSmall)),
    (Work::Rebuild, Some(Work::DiskRebuilt)),
];

/// A ceiling, or the same work elsewhere.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Beside {
    pub(crate) what: String,
    pub(crate) figure: Figure,
    /// Processor time of all that took part.
    pub(crate) cpu: Option<Figure>,
}

/// One row of the table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) what: String,
    /// Median of the rounds.
    pub(crate) ours: Figure,
    /// Of the single rounds, in their order.
    pub(crate) rounds: Vec<f64>,
    pub(crate) beside: Option<Beside>,
    /// Ours by the other.
    pub(crate) ratio: Option<f64>,
    pub(crate) servers_cpu: Option<Figure>,
    pub(crate) client_cpu: Option<Figure>,
    /// Cores that the client kept busy: near those of the machine, it is the client that was measured.
    pub(crate) client_cores: Option<f64>,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
}

/// What one process of the cluster needs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Needs {
    pub(crate) role: String,
    pub(crate) peak_bytes: u64,
    /// After the load, doing nothing.
    pub(crate) resident_bytes: u64,
    /// Of one core, doing nothing.
    pub(crate) idle_cpu_percent: f64,
}

/// All rows, the loads first.
pub(crate) fn rows(measures: &Measures, sizes: &Sizes, needs: &[Needs]) -> Vec<Row> {
    let works = ROWS.iter().filter_map(|(ours, beside)| work_row(measures, sizes, *ours, *beside));
    works.chain(needs_rows(sizes, needs)).collect()
}

fn work_row(measures: &Measures, sizes: &Sizes, work: Work, beside: Option<Work>) -> Option<Row> {
    let rate = |work| measures.median(work, |sample| Some(sample.rate));
    let ours = Figure { value: rate(work)?, unit: work.unit() };
    let beside = beside.and_then(|other| {
        let figure = Figure { value: rate(other)?, unit: other.unit() };
        Some(Beside { what: other.name(sizes), figure, cpu: measures.cpu(other, total_cpu) })
    });
    Some(Row {
        what: work.name(sizes),
        ratio: beside.as_ref().map(|beside| ours.value / beside.figure.value),
        rounds: measures.of(work).iter().map(|sample| sample.rate).collect(),
        servers_cpu: measures.cpu(work, |sample| sample.servers_cpu_seconds),
        client_cpu: measures.cpu(work, |sample| sample.client_cpu_seconds),
        client_cores: measures.median(work, |sample| Some(sample.client_cpu_seconds? / sample.seconds)),
        p50_ms: measures.median(work, |sample| Some(sample.latency_ms?.0)),
        p99_ms: measures.median(work, |sample| Some(sample.latency_ms?.1)),
        ours,
        beside,
    })
}

fn total_cpu(sample: &Sample) -> Option<f64> {
    let both = [sample.servers_cpu_seconds, sample.client_cpu_seconds];
    both.iter().flatten().copied().reduce(|one, other| one + other)
}

fn needs_rows(sizes: &Sizes, needs: &[Needs]) -> Vec<Row> {
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let file = Beside {
        what: format!("the file of {} that went through", bytes_text(sizes.large_bytes)),
        figure: Figure { value: mebibytes(sizes.large_bytes), unit: "MiB" },
        cpu: None,
    };
    let core = Beside { what: "one core".into(), figure: Figure { value: 100.0, unit: "%" }, cpu: None };
    let peaks = needs.iter().map(|one| {
        let unit = "MiB";
        single(
            format!("peak memory, {}", one.role),
            Figure { value: mebibytes(one.peak_bytes), unit },
            Some(&file),
        )
    });
    let resident = Figure { value: mebibytes(needs.iter().map(|one| one.resident_bytes).sum()), unit: "MiB" };
    let idle = needs.iter().map(|one| {
        let figure = Figure { value: one.idle_cpu_percent, unit: "%" };
        single(format!("idle CPU, {}", one.role), figure, Some(&core))
    });
    let all_idle = Figure { value: needs.iter().map(|one| one.idle_cpu_percent).sum(), unit: "%" };
    peaks
        .chain([single("memory after the load, all processes".into(), resident, None)])
        .chain(idle)
        .chain([single("idle CPU, all processes".into(), all_idle, Some(&core))])
        .collect()
}

fn single(what: String, ours: Figure, beside: Option<&Beside>) -> Row {
    Row {
        what,
        rounds: Vec::new(),
        ratio: beside.map(|beside| ours.value / beside.figure.value),
        beside: beside.cloned(),
        servers_cpu: None,
        client_cpu: None,
        client_cores: None,
        p50_ms: None,
        p99_ms: None,
        ours,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes {
        large_bytes: 512 << 20,
        small_files: 100,
        small_bytes: 4096,
        concurrency: 8,
        idle_seconds: 1,
    };

    const GIBIBYTE_IN_MB: f64 = 1_073.741_824;

    /// Of half a GiB at so many MB/s.
    fn sample(rate: f64, servers: f64) -> Sample {
        let amount = GIBIBYTE_IN_MB / 2.0;
        let seconds = amount / rate;
        let client_cpu_seconds = Some(seconds / 2.0);
        Sample { servers_cpu_seconds: Some(servers), client_cpu_seconds, ..Sample::of(amount, seconds) }
    }

    fn measured(samples: &[(Work, Sample)]) -> Measures {
        let mut measures = Measures::default();
        samples.iter().for_each(|(work, sample)| measures.note(*work, *sample));
        measures
    }

    #[test]
    fn a_ratio_is_of_the_medians_and_time_is_per_gibibyte() {
        let measures = measured(&[
            (Work::GetLarge, sample(100.0, 1.0)),
            (
                Work::LoopbackStream,
                Sample { client_cpu_seconds: Some(0.5), ..Sample::of(GIBIBYTE_IN_MB, 1.0) },
            ),
            (Work::GetLarge, sample(300.0, 3.0)),
            (Work::GetLarge, sample(200.0, 2.0)),
        ]);
        let rows = rows(&measures, &SIZES, &[]);
        let row = rows.iter().find(|row| row.what == "GET 512 MiB").unwrap();
        let near = |value: Option<f64>, expected: f64| {
            assert!(value.is_some_and(|value| (value / expected - 1.0).abs() < 1e-9), "{row:?}");
        };
        near(Some(row.ours.value), 200.0);
        assert_eq!(row.rounds.len(), 3);
        near(row.ratio, 200.0 / GIBIBYTE_IN_MB);
        near(row.servers_cpu.as_ref().map(|cpu| cpu.value), 4.0);
        near(row.client_cores, 0.5);
        let beside = row.beside.as_ref().unwrap();
        near(beside.cpu.as_ref().map(|cpu| cpu.value), 0.5);
        assert_eq!(beside.cpu.as_ref().map(|cpu| cpu.unit), Some("s/GiB"));
    }

    #[test]
    fn small_files_cost_milliseconds_each() {
        let put = Sample { servers_cpu_seconds: Some(0.2), ..Sample::of(100.0, 2.0) };
        let rows = rows(&measured(&[(Work::PutSmall, put)]), &SIZES, &[]);
        assert_eq!(rows[0].servers_cpu, Some(Figure { value: 2.0, unit: "ms/op" }));
        assert!(rows[0].beside.is_none(), "what was not measured is not compared with");
    }

    #[test]
    fn processes_are_summed_up() {
        let one = |role: &str| Needs {
            role: role.into(),
            peak_bytes: 64 << 20,
            resident_bytes: 32 << 20,
            idle_cpu_percent: 0.5,
        };
        let rows = rows(&Measures::default(), &SIZES, &[one("up"), one("monitor")]);
        let value = |what: &str| rows.iter().find(|row| row.what == what).unwrap().ours.value;
        assert_eq!(value("peak memory, monitor"), 64.0);
        assert_eq!(value("memory after the load, all processes"), 64.0);
        assert_eq!(value("idle CPU, all processes"), 1.0);
        assert_eq!(rows[0].ratio, Some(0.125));
    }
}

//! The table as people and programs read it.

use crate::{
    codec::ShapeRow,
    compare::{Comparison, Side},
    goals::{self, Goal},
    machine::Machine,
    measure::Figure,
    table::Row,
};
use serde::Serialize;
use std::fmt::{self, Display, Formatter};

/// Share of the machine's cores from which on the client is said to have been in the way.
const CLIENT_SHARE_MAX: f64 = 0.5;

/// One run, complete.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) rounds: u32,
    /// Of the erasure code.
    pub(crate) codec: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) peer: Peer,
    pub(crate) comparisons: Vec<Comparison>,
    pub(crate) goals: Vec<Goal>,
    /// Of the codec, beside other codecs.
    pub(crate) shapes: Vec<ShapeRow>,
}

/// Whom ours is compared with.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) installed: bool,
    /// The command that installs it.
    pub(crate) install: &'static str,
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| what | ours | single rounds | ceiling or peer | its CPU | ratio | CPU of all servers | CPU of the client | p50 / p99 ms |"
        )?;
        writeln!(f, "|---|---:|---:|---|---:|---:|---:|---:|---:|")?;
        for row in &self.rows {
            write_row(f, row)?;
        }
        writeln!(f)?;
        self.notes().iter().try_for_each(|note| writeln!(f, "- {note}"))?;
        self.write_comparisons(f)?;
        self.write_shapes(f)?;
        self.write_goals(f)
    }
}

impl Report {
    /// Adds what was measured of the codec, and what was promised of it.
    pub(crate) fn with_shapes(mut self, shapes: Vec<ShapeRow>) -> Self {
        self.goals.extend(goals::codec_goals(&shapes));
        self.shapes = shapes;
        self
    }

    fn write_comparisons(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let peer = self.peer.name;
        writeln!(
            f,
            "\n| beside {peer} | ours | {peer} | ratio | CPU, ours | CPU, {peer} | ratio | p50 / p99 ms, ours | {peer} |"
        )?;
        writeln!(f, "|---|---:|---:|---:|---:|---:|---:|---:|---:|")?;
        for row in &self.comparisons {
            write_comparison(f, row)?;
        }
        if !self.peer.installed {
            let install = self.peer.install;
            writeln!(
                f,
                "\n- {peer} is not installed: `{install}` (or `make bench-peers`) makes the peer's column"
            )?;
        }
        Ok(())
    }

    fn write_shapes(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(first) = self.shapes.first() else { return Ok(()) };
        let names: Vec<&str> = first.speeds.iter().map(|speed| &*speed.codec).collect();
        writeln!(f, "\n| codec, one thread, GB/s per processor second | | {} |", names.join(" | "))?;
        writeln!(f, "|---|---|{}", "---:|".repeat(names.len()))?;
        for row in &self.shapes {
            let speeds: Vec<String> =
                row.speeds.iter().map(|speed| digits(speed.gigabytes_per_second)).collect();
            writeln!(f, "| {} | {} | {} |", row.name(), row.heat.name(), speeds.join(" | "))?;
        }
        if names.len() == 1 {
            writeln!(f, "\n- no other codec was built: `make bench-peers` makes their columns")?;
        }
        Ok(())
    }

    fn write_goals(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n| goal | must be | is | |\n|---|---:|---:|---|")?;
        for Goal { what, bound, unit, value, met } in &self.goals {
            let value =
                value.map_or_else(|| "not measured".into(), |value| format!("{} {unit}", digits(value)));
            let verdict = met.map_or("", |met| if met { "met" } else { "**not met**" });
            writeln!(f, "| {what} | {bound} {unit} | {value} | {verdict} |")?;
        }
        Ok(())
    }
}

fn write_comparison(f: &mut Formatter<'_>, row: &Comparison) -> fmt::Result {
    let absent = "not installed".to_owned();
    let peer = row.peer.as_ref();
    let cpu = |side: &Side| side.cpu.as_ref().map_or_else(String::new, text);
    let cells = [
        row.what.clone(),
        text(&row.ours.figure),
        peer.map_or(absent, |peer| text(&peer.figure)),
        row.ratio.map_or_else(String::new, digits),
        cpu(&row.ours),
        peer.map_or_else(String::new, cpu),
        row.cpu_ratio.map_or_else(String::new, digits),
        latency(row.ours.p50_ms, row.ours.p99_ms),
        peer.map_or_else(String::new, |peer| latency(peer.p50_ms, peer.p99_ms)),
    ];
    writeln!(f, "| {} |", cells.join(" | "))
}

fn write_row(f: &mut Formatter<'_>, row: &Row) -> fmt::Result {
    let beside = row.beside.as_ref();
    let cells = [
        row.what.clone(),
        text(&row.ours),
        spread(&row.rounds),
        beside.map_or_else(String::new, |beside| format!("{}: {}", beside.what, text(&beside.figure))),
        beside.and_then(|beside| beside.cpu.as_ref()).map_or_else(String::new, text),
        row.ratio.map_or_else(String::new, digits),
        row.servers_cpu.as_ref().map_or_else(String::new, text),
        row.client_cpu.as_ref().map_or_else(String::new, text),
        latency(row.p50_ms, row.p99_ms),
    ];
    writeln!(f, "| {} |", cells.join(" | "))
}

fn latency(p50_ms: Option<f64>, p99_ms: Option<f64>) -> String {
    p50_ms.zip(p99_ms).map_or_else(String::new, |(p50, p99)| format!("{} / {}", digits(p50), digits(p99)))
}

fn text(figure: &Figure) -> String {
    format!("{} {}", digits(figure.value), figure.unit)
}

/// Slowest and fastest round.
fn spread(rounds: &[f64]) -> String {
    let low = rounds.iter().copied().reduce(f64::min);
    let high = rounds.iter().copied().reduce(f64::max);
    low.zip(high).map_or_else(String::new, |(low, high)| format!("{}–{}", digits(low), digits(high)))
}

/// Three digits that count, as far as they are behind the point.
fn digits(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

impl Report {
    fn notes(&self) -> Vec<String> {
        let Machine { cores, processor, load, .. } = &self.machine;
        let mut notes = vec![
            format!("{cores} cores, {processor}; load {} when the run began; medians of {} round(s)", digits(*load), self.rounds),
            "6 storage-node processes, index-server and monitor on this machine, policy 4+2, mTLS between them, every \
             shard and every commit synced before the answer; what is read was written shortly before"
                .to_owned(),
            format!("codec on one core per processor second, cells of 256 KiB, memory beyond the caches ({})", self.codec),
        ];
        if self.machine.data_in_memory {
            notes.push("the data lies in memory: the rows of the disk say nothing".to_owned());
        }
        notes.extend(self.client_bound());
        notes
    }

    /// Works in which the client needed so much that it may have been the limit.
    fn client_bound(&self) -> Option<String> {
        let most = CLIENT_SHARE_MAX * self.machine.cores as f64;
        let mut rows: Vec<&str> = self
            .rows
            .iter()
            .filter(|row| row.client_cores.is_some_and(|cores| cores > most))
            .map(|row| &*row.what)
            .collect();
        rows.dedup();
        (!rows.is_empty()).then(|| {
            format!("the client itself kept more than {} core(s) busy: {}", digits(most), rows.join("; "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{goals::Bound, table::Beside};

    fn report(client_cores: f64) -> Report {
        let row = Row {
            what: "GET 1 GiB".into(),
            ours: Figure { value: 512.4, unit: "MB/s" },
            rounds: vec![500.0, 512.4, 9.87],
            beside: Some(Beside {
                what: "loopback TCP".into(),
                figure: Figure { value: 2_000.0, unit: "MB/s" },
                cpu: Some(Figure { value: 0.28, unit: "s/GiB" }),
            }),
            ratio: Some(0.2562),
            servers_cpu: Some(Figure { value: 1.5, unit: "s/GiB" }),
            client_cpu: None,
            client_cores: Some(client_cores),
            p50_ms: Some(12.34),
            p99_ms: Some(123.4),
        };
        let machine = Machine { cores: 2, processor: "AMD EPYC".into(), data_in_memory: true, load: 0.5 };
        let peer = Peer { name: "MinIO", installed: false, install: "go install minio" };
        let side = Side { figure: row.ours.clone(), cpu: None, p50_ms: None, p99_ms: None };
        let comparisons =
            vec![Comparison { what: "GET".into(), ours: side, peer: None, ratio: None, cpu_ratio: None }];
        let bound = Bound::AtLeast(1.5);
        let goal = Goal { what: "GET by MinIO's".into(), bound, unit: "×", value: None, met: None };
        let missed = Goal { what: "idle".into(), value: Some(1.0), met: Some(false), ..goal.clone() };
        let goals = vec![goal, missed];
        Report {
            machine,
            rounds: 3,
            codec: "4+2".into(),
            rows: vec![row],
            peer,
            comparisons,
            goals,
            shapes: Vec::new(),
        }
    }

    #[test]
    fn what_was_not_measured_is_said_plainly() {
        let text = report(0.1).to_string();
        assert!(text.contains("| GET | 512 MB/s | not installed |"), "{text}");
        assert!(text.contains("- MinIO is not installed: `go install minio`"), "{text}");
        assert!(text.contains("| GET by MinIO's | ≥ 1.5 × | not measured |  |"), "{text}");
        assert!(text.contains("| idle | ≥ 1.5 × | 1.00 × | **not met** |"), "{text}");
    }

    #[test]
    fn a_row_is_one_line_of_markdown() {
        let text = report(0.1).to_string();
        let row = "| GET 1 GiB | 512 MB/s | 9.87–512 | loopback TCP: 2000 MB/s | 0.280 s/GiB | 0.256 | 1.50 s/GiB |  | 12.3 / 123 |";
        assert!(text.contains(row), "{text}");
        let columns = |line: &str| line.matches('|').count();
        let lines: Vec<&str> = text.lines().take(3).collect();
        assert!(lines.iter().all(|line| columns(line) == columns(lines[0])), "{text}");
    }

    #[test]
    fn what_spoils_a_figure_is_said() {
        let text = report(1.2).to_string();
        assert!(text.contains("the rows of the disk say nothing"), "{text}");
        assert!(text.contains("the client itself kept more than 1.00 core(s) busy: GET 1 GiB"), "{text}");
        assert!(!report(0.9).to_string().contains("client itself"));
    }
}

//! The table as people and programs read it.

use crate::{
    machine::Machine,
    table::{Figure, Row},
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
        self.notes().iter().try_for_each(|note| writeln!(f, "- {note}"))
    }
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
        latency(row),
    ];
    writeln!(f, "| {} |", cells.join(" | "))
}

fn latency(row: &Row) -> String {
    row.p50_ms
        .zip(row.p99_ms)
        .map_or_else(String::new, |(p50, p99)| format!("{} / {}", digits(p50), digits(p99)))
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
    use crate::table::Beside;

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
        Report { machine, rounds: 3, codec: "4+2".into(), rows: vec![row] }
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

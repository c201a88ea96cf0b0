//! The table on standard output.

use std::io::Write;

/// One measurement beside its ceiling.
#[derive(Default)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) rate: f64,
    pub(crate) unit: &'static str,
    pub(crate) ceiling: f64,
    pub(crate) ceiling_name: &'static str,
    /// Of all processes of the cluster together.
    pub(crate) cpu_seconds: f64,
    /// Median and 99th percentile.
    pub(crate) latency_ms: Option<(f64, f64)>,
}

/// Everything that was measured.
#[derive(Default)]
pub(crate) struct Report {
    facts: Vec<String>,
    rows: Vec<Row>,
}

impl Report {
    pub(crate) fn fact(&mut self, fact: String) {
        self.facts.push(fact);
    }

    pub(crate) fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub(crate) fn print(&self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(
            out,
            "| 6 storage nodes, 4+2 | rate | ceiling in this run | share | CPU s | p50 / p99 ms |"
        )?;
        writeln!(out, "|---|---|---|---|---|---|")?;
        for row in &self.rows {
            let share = 100.0 * row.rate / row.ceiling;
            let latency =
                row.latency_ms.map_or_else(|| "-".to_owned(), |(p50, p99)| format!("{p50:.1} / {p99:.1}"));
            writeln!(
                out,
                "| {} | {:.0} {} | {:.0} {} ({}) | {share:.0} % | {:.2} | {latency} |",
                row.name, row.rate, row.unit, row.ceiling, row.unit, row.ceiling_name, row.cpu_seconds
            )?;
        }
        writeln!(out)?;
        for fact in &self.facts {
            writeln!(out, "{fact}")?;
        }
        Ok(())
    }
}

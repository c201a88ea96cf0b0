//! What a fault test counted, in one line that a script can read.

use std::fs::File;
use std::io::{self, Write};
use std::time::Duration;

/// Multiplies the trials of every fault test; the tests are small without it.
const FACTOR: &str = "ASTERISM_FAULT_TRIALS";
/// A file that the lines are added to as well.
const REPORT: &str = "ASTERISM_FAULT_REPORT";

/// What the environment asks for: 1 in `make test`, more for the table.
pub fn factor() -> u64 {
    std::env::var(FACTOR).ok().and_then(|text| text.parse::<u64>().ok()).unwrap_or(1).max(1)
}

/// How long a fault lasts whose length matters: `short` in `make test`, the matrix's minute when more is asked for.
pub fn span(short: u64) -> Duration {
    Duration::from_secs(if factor() == 1 { short } else { short.max(60) })
}

/// So many trials as `make test` has time for, times what the environment asks for.
pub fn trials(few: u64) -> u64 {
    few * factor()
}

/// The figures of one row of the matrix.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// How often the fault was injected.
    pub trials: u64,
    /// Acknowledged files that were lost, wrong bytes, or whatever else the row forbids.
    pub lost: u64,
    /// Files read back and compared, counted each time.
    pub files: u64,
    /// The slowest request, from first byte to last.
    pub slowest: Duration,
}

impl Figures {
    /// Counts one more trial in which `files` were compared.
    pub fn add(&mut self, files: u64, slowest: Duration) {
        self.trials += 1;
        self.files += files;
        self.slowest = self.slowest.max(slowest);
    }

    /// Prints the line of the row, past the capture of a test's output.
    ///
    /// # Errors
    /// Standard output or the report cannot be written.
    pub fn print(&self, row: &str) -> anyhow::Result<()> {
        let line = self.line(row);
        writeln!(io::stdout(), "{line}")?;
        if let Some(report) = std::env::var_os(REPORT) {
            writeln!(File::options().create(true).append(true).open(report)?, "{line}")?;
        }
        Ok(())
    }

    fn line(&self, row: &str) -> String {
        let Self { trials, lost, files, slowest } = self;
        format!(
            "fault {row}: trials {trials}, lost {lost}, files {files}, slowest {:.1} s",
            slowest.as_secs_f64()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_the_form_that_the_script_reads() {
        let mut figures = Figures::default();
        figures.add(400, Duration::from_millis(1_340));
        figures.add(12, Duration::from_millis(20));
        assert_eq!(figures.line("F01"), "fault F01: trials 2, lost 0, files 412, slowest 1.3 s");
    }
}

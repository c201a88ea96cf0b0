//! Another erasure codec in a process of its own, asked slice by slice; `bench/peers/README.md` describes the lines.

use super::shapes::{Heat, Shape};
use anyhow::{Context, ensure};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

/// A running program; dropping it ends it.
pub(super) struct Beside {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// What it says of itself.
    pub(super) name: String,
}

impl Beside {
    pub(super) fn start(program: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let questions = child.stdin.take().context("it takes no questions")?;
        let answers = BufReader::new(child.stdout.take().context("it gives no answers")?);
        let mut beside = Self { child, questions, answers, name: String::new() };
        beside.name = beside.line()?;
        Ok(beside)
    }

    /// Bytes of content and processor seconds of one slice.
    pub(super) fn slice(
        &mut self,
        shape: &Shape,
        work: &str,
        heat: Heat,
        length: Duration,
    ) -> anyhow::Result<(u64, f64)> {
        let Shape { data, parity, cell_bytes } = shape;
        let (stripes, milliseconds) = (shape.stripes(heat), length.as_millis());
        writeln!(self.questions, "{work} {data} {parity} {cell_bytes} {stripes} {milliseconds}")?;
        let line = self.line()?;
        parse(&line).with_context(|| format!("{} answered {line:?}", self.name))
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        ensure!(self.answers.read_line(&mut line)? > 0, "it ended without an answer");
        Ok(line.trim().to_owned())
    }
}

fn parse(line: &str) -> anyhow::Result<(u64, f64)> {
    let (bytes, nanoseconds) = line.split_once(' ').context("two numbers are expected")?;
    let (bytes, nanoseconds): (u64, u64) = (bytes.parse()?, nanoseconds.parse()?);
    ensure!(nanoseconds > 0, "no time passed");
    Ok((bytes, nanoseconds as f64 / 1e9))
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn answers_are_bytes_and_nanoseconds() {
        assert_eq!(parse("4000 2000000000").unwrap(), (4000, 2.0));
        assert!(parse("4000").is_err() && parse("4000 0").is_err() && parse("a b").is_err());
    }

    #[test]
    fn a_program_is_asked_line_by_line_and_its_end_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("codec");
        let script = "#!/bin/sh\necho twin 1.0\nread line\n[ \"$line\" = 'encode 4 2 65536 1 20' ] && echo 100 1000000000\n";
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let mut twin = Beside::start(&program).unwrap();
        assert_eq!(twin.name, "twin 1.0");
        let shape = Shape { data: 4, parity: 2, cell_bytes: 64 << 10 };
        let mut ask = || twin.slice(&shape, "encode", Heat::Hot, Duration::from_millis(20));
        assert_eq!(ask().unwrap(), (100, 1.0));
        assert!(ask().is_err());
    }
}

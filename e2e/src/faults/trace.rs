//! What a process asked of its kernel, and when: the log of `strace -f -y -ttt -T`, read back.

use anyhow::Context;
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Every call that can change a disk or answer somebody.
const CALLS: &str = "trace=openat,write,writev,pwrite64,pwritev,pwritev2,fdatasync,fsync,rename,renameat,renameat2,\
                     linkat,unlink,unlinkat,ftruncate,fallocate,copy_file_range,sendto,sendmsg";

/// One call that came back.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// The file or socket of its first descriptor, as it was called then; nothing where there is none.
    pub file: String,
    /// Everything between its brackets.
    pub arguments: String,
    /// What it gave back, with the name of an error.
    pub result: String,
    /// Unix seconds when it began.
    pub began: f64,
    /// Unix seconds when it came back.
    pub ended: f64,
}

impl Call {
    /// Whether it did what it was asked for.
    pub fn succeeded(&self) -> bool {
        !self.result.starts_with('-')
    }

    /// Whether it puts bytes into a file or a socket.
    pub fn writes(&self) -> bool {
        ["write", "writev", "pwrite64", "pwritev", "pwritev2", "copy_file_range", "sendto", "sendmsg"]
            .contains(&self.name.as_str())
    }

    /// Whether it makes a file durable.
    pub fn syncs(&self) -> bool {
        self.name == "fdatasync" || self.name == "fsync"
    }

    /// Whether it gives a file a name.
    pub fn names(&self) -> bool {
        self.name.starts_with("rename") || self.name == "linkat"
    }

    /// Whether it takes bytes away from a disk.
    pub fn removes(&self) -> bool {
        self.name.starts_with("unlink") || (self.name == "fallocate" && self.arguments.contains("PUNCH_HOLE"))
    }

    /// The last name among its arguments: what a file is called after a rename.
    pub fn last_name(&self) -> Option<&str> {
        self.arguments.rsplit('"').nth(1)
    }
}

/// The command in front of a program whose calls go to `log`.
pub fn wrapper(log: &Path) -> Vec<String> {
    let log = log.display().to_string();
    ["strace", "-f", "-qq", "-ttt", "-T", "-y", "-s", "96", "-o", &log, "-e", CALLS]
        .map(str::to_owned)
        .to_vec()
}

/// Now, on the clock of the log.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Every call of a log, in the order in which they came back.
///
/// # Errors
/// The log is not there.
pub fn read(log: &Path) -> anyhow::Result<Vec<Call>> {
    // A file's name may be any bytes.
    let bytes = fs::read(log).with_context(|| log.display().to_string())?;
    Ok(parse(&String::from_utf8_lossy(&bytes)))
}

fn parse(text: &str) -> Vec<Call> {
    let mut open: HashMap<&str, (f64, String)> = HashMap::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let Some((thread, time, rest)) = fields(line) else { continue };
        if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
            open.insert(thread, (time, begun.to_owned()));
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some((began, mut whole)) = open.remove(thread) else { continue };
            let Some((_, end)) = resumed.split_once("resumed>") else { continue };
            whole.push_str(end);
            calls.extend(call(&whole, began));
        } else {
            calls.extend(call(rest, time));
        }
    }
    calls
}

/// Thread, time and the rest of a line.
fn fields(line: &str) -> Option<(&str, f64, &str)> {
    let (thread, rest) = line.trim_start().split_once(' ')?;
    let (time, rest) = rest.trim_start().split_once(' ')?;
    Some((thread, time.parse().ok()?, rest.trim()))
}

/// `name(arguments) = result <seconds>`.
fn call(text: &str, began: f64) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    let (body, took) = rest.rsplit_once(" <")?;
    let took: f64 = took.strip_suffix('>')?.parse().ok()?;
    let (arguments, result) = body.rsplit_once(") ")?;
    let result = result.trim_start().strip_prefix("= ")?;
    let first = arguments.split(',').next().unwrap_or_default();
    let file = first.split_once('<').and_then(|(_, file)| file.rsplit_once('>')).map_or("", |(file, _)| file);
    Some(Call {
        name: name.to_owned(),
        file: file.trim_end_matches(" (deleted)").to_owned(),
        arguments: arguments.to_owned(),
        result: result.to_owned(),
        began,
        ended: began + took,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"
501 1700000000.000100 pwrite64(12</d/shards/a b.tmp>, "\1\2"..., 4096, 0) = 4096 <0.000050>
502 1700000000.000200 fdatasync(12</d/shards/a b.tmp> <unfinished ...>
501 1700000000.000300 sendto(9<socket:[77]>, "HTTP/1.1 201 Created\r\n"..., 300, MSG_NOSIGNAL, NULL, 0) = 300 <0.000010>
502 1700000000.000900 <... fdatasync resumed>) = 0 <0.000700>
502 1700000000.001000 renameat(5</d/temporary>, "a b.tmp", 6</d/shards/00>, "x.0") = 0 <0.000040>
503 1700000000.002000 fsync(6</d/shards/00>) = -1 EIO (Input/output error) <0.000100>
503 1700000000.003000 +++ killed by SIGKILL +++
"#;

    #[test]
    fn calls_are_read_with_their_files_and_times() {
        let calls = parse(LOG);
        let names: Vec<_> = calls.iter().map(|call| call.name.as_str()).collect();
        assert_eq!(names, ["pwrite64", "sendto", "fdatasync", "renameat", "fsync"]);
        assert_eq!(calls[0].file, "/d/shards/a b.tmp");
        assert!(calls[1].arguments.contains("HTTP/1.1 201"));
        assert!((calls[2].ended - 1_700_000_000.000_9).abs() < 1e-6, "{:?}", calls[2]);
        assert_eq!(calls[3].last_name(), Some("x.0"));
        assert!(calls[3].names() && calls[2].syncs() && calls[2].succeeded() && !calls[4].succeeded());
    }
}

//! What the kernel says of processes.

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use std::{collections::BTreeMap, fs, path::Path};

/// `USER_HZ`: what the kernel tells processor time in, on every architecture we build for.
const TICKS_PER_SECOND: f64 = 100.0;
const LOG_TAIL_BYTES: usize = 4_000;

/// One line of `/proc/PID/stat`, as far as it is of use.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stat {
    parent: u32,
    /// Dead, but not yet reaped.
    ended: bool,
    own_ticks: u64,
    /// Of children that have ended and were reaped.
    children_ticks: u64,
}

fn parse_stat(stat: &str) -> Option<Stat> {
    // "id (name) state …": the name may hold anything, also brackets.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split_ascii_whitespace().collect();
    let ticks = |from: usize| {
        Some(fields.get(from)?.parse::<u64>().ok()? + fields.get(from + 1)?.parse::<u64>().ok()?)
    };
    // proc(5) counts from 1 and includes the two fields before; state is number 3.
    Some(Stat {
        ended: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        own_ticks: ticks(11)?,
        children_ticks: ticks(13)?,
    })
}

fn stat(id: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
}

/// Whether a process runs.
pub(crate) fn runs(id: u32) -> bool {
    stat(id).is_some_and(|stat| !stat.ended)
}

/// Sends `signal`; a process that has ended meanwhile is no failure.
pub(crate) fn send(id: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        let _ended_meanwhile = kill_process(pid, signal);
    }
}

/// `root` and everything below it that runs, `root` first.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let ids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: BTreeMap<u32, u32> =
        ids.filter_map(|id| stat(id).filter(|stat| !stat.ended).map(|stat| (id, stat.parent))).collect();
    below(root, &parents)
}

fn below(root: u32, parents: &BTreeMap<u32, u32>) -> Vec<u32> {
    let mut found: Vec<u32> = parents.contains_key(&root).then_some(root).into_iter().collect();
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(parents.iter().filter(|(_, of)| **of == parent).map(|(id, _)| *id));
        next += 1;
    }
    found
}

/// Processor time of `root` and all below it so far, of those that have ended too.
pub(crate) fn tree_cpu_seconds(root: u32) -> f64 {
    let stats = tree(root).into_iter().filter_map(stat);
    stats.map(|stat| stat.own_ticks + stat.children_ticks).sum::<u64>() as f64 / TICKS_PER_SECOND
}

/// Processor time of one process so far.
pub(crate) fn cpu_seconds(id: u32) -> anyhow::Result<f64> {
    let stat = stat(id).with_context(|| format!("process {id} is gone"))?;
    Ok(stat.own_ticks as f64 / TICKS_PER_SECOND)
}

/// Processor time of this process so far.
pub(crate) fn own_cpu_seconds() -> anyhow::Result<f64> {
    cpu_seconds(std::process::id())
}

/// What a process holds in memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// `VmHWM`: the most it ever held.
    pub(crate) peak: u64,
    /// `VmRSS`: what it holds now.
    pub(crate) resident: u64,
}

/// What a process holds in memory; none if it has ended.
pub(crate) fn memory(id: u32) -> Option<Memory> {
    parse_memory(&fs::read_to_string(format!("/proc/{id}/status")).ok()?)
}

fn parse_memory(status: &str) -> Option<Memory> {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().strip_suffix("kB")?.trim_end().parse::<u64>().ok()? * 1024)
    };
    Some(Memory { peak: field("VmHWM:")?, resident: field("VmRSS:")? })
}

/// The end of a process's log, for a message.
pub(crate) fn tail(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(LOG_TAIL_BYTES)..]).trim().to_owned()
}

/// What a process is, from its command line: `storage-node n1`, `index-server`, `up`.
pub(crate) fn role(id: u32) -> String {
    role_of(&fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default())
}

fn role_of(command_line: &[u8]) -> String {
    let text = String::from_utf8_lossy(command_line);
    let words: Vec<&str> = text.split('\0').skip(1).collect();
    let role = words.first().copied().unwrap_or("unknown");
    let config = words.iter().skip_while(|word| **word != "--config").nth(1);
    let name = config.and_then(|path| Path::new(path).file_stem()?.to_str()).filter(|name| *name != role);
    name.map_or_else(|| role.to_owned(), |name| format!("{role} {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let line = "12 (a) b (c) S 7 1 1 0 -1 4 0 0 0 0 150 50 30 20 20 0 1 0 9";
        let stat = Stat { parent: 7, ended: false, own_ticks: 200, children_ticks: 50 };
        assert_eq!(parse_stat(line), Some(stat));
        assert_eq!(parse_stat("12 (a) Z 7"), None);
    }

    #[test]
    fn a_tree_holds_grandchildren_and_no_strangers() {
        let parents = BTreeMap::from([(1, 0), (10, 1), (11, 10), (12, 11), (20, 1)]);
        assert_eq!(below(10, &parents), [10, 11, 12]);
        assert!(below(99, &parents).is_empty());
    }

    #[test]
    fn roles_are_told_from_command_lines() {
        let check = |line: &str, role: &str| assert_eq!(role_of(line.replace(' ', "\0").as_bytes()), role);
        check("/bin/asterism storage-node --config /d/config/n1.toml --with-parent 4", "storage-node n1");
        check("/bin/asterism index-server --config /d/index-server.toml", "index-server");
        check("/bin/asterism up --data-dir /d", "up");
        check("", "unknown");
    }

    #[test]
    fn memory_is_in_bytes() {
        let status = "Name:\tx\nVmHWM:\t    1024 kB\nVmRSS:\t      10 kB\n";
        assert_eq!(parse_memory(status), Some(Memory { peak: 1 << 20, resident: 10 << 10 }));
    }

    #[test]
    fn this_process_runs_and_uses_time() {
        assert!(runs(std::process::id()));
        assert_eq!(tree(std::process::id()).first(), Some(&std::process::id()));
        assert!(own_cpu_seconds().unwrap() >= 0.0);
    }
}

//! The processes of one cluster, however deep they were started: they inherit a mark in their environment.
//!
//! The product may put its processes into groups of their own; the mark finds them all the same, and only them.

use crate::process::{runs, signal};
use rustix::process::Signal;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

const VARIABLE: &str = "ASTERISM_TEST_CLUSTER";

/// A mark that no other cluster carries, on this machine and in this run.
#[derive(Clone, Debug)]
pub struct Mark(String);

impl Mark {
    /// A new mark.
    pub fn fresh() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        Self(format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    /// Puts the mark on a command and on all that it will start.
    pub fn set<'command>(&self, command: &'command mut Command) -> &'command mut Command {
        command.env(VARIABLE, &self.0)
    }

    /// The mark as `NAME=value`, for what starts with an environment of its own.
    pub fn assignment(&self) -> String {
        format!("{VARIABLE}={}", self.0)
    }

    /// The running processes that carry the mark.
    pub fn processes(&self) -> Vec<u32> {
        let entry = self.assignment();
        let ids = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|folder| {
            let id: u32 = folder.file_name().to_str()?.parse().ok()?;
            let environment = fs::read(folder.path().join("environ")).ok()?;
            let marked = environment.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes());
            (marked && runs(id)).then_some(id)
        });
        ids.collect()
    }

    /// Kills all of them at once, as a power cut would.
    pub fn kill_all(&self) {
        // A process may be starting another one while we look: go on until nothing is found.
        loop {
            let found = self.processes();
            if found.is_empty() {
                return;
            }
            for id in found {
                // One that ended meanwhile is what we want.
                let _ = signal(id, Signal::KILL);
            }
        }
    }
}

/// The command line of a process, for messages and to tell roles apart.
pub fn command_line(id: u32) -> String {
    let bytes = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    #[test]
    fn the_mark_finds_a_process_in_another_session() {
        let mark = Mark::fresh();
        let mut command = Command::new("setsid");
        mark.set(command.args(["--fork", "sleep", "600"])).stdout(Stdio::null());
        assert!(command.status().unwrap().success());
        let found = mark.processes();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(command_line(found[0]).contains("sleep"));
        mark.kill_all();
        assert!(mark.processes().is_empty());
    }
}

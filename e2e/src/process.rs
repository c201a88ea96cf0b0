//! A process of the test, with a log, which ends with its owner.

use crate::locate;
use crate::wait::until;
use anyhow::{Context, bail};
use rustix::process::{Pid, Signal};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// So much of a log stands in a failure message.
const LOG_TAIL_BYTES: usize = 4_000;
/// `USER_HZ`: what the kernel tells processor time in, on every architecture we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running program in its own process group; dropping it kills the group, also when a test panics.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    out: PathBuf,
    log: PathBuf,
}

/// A command that cannot outlive the test, even one that is itself killed: the kernel ends it with its parent.
///
/// # Errors
/// `setpriv` (util-linux) is not there.
pub fn bound_command(program: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(locate::program("setpriv")?);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    Ok(command)
}

impl Process {
    /// Starts `command`; its standard output goes to `<folder>/<name>.out`, its standard error to `<folder>/<name>.log`.
    ///
    /// # Errors
    /// It cannot be started, or the files cannot be made.
    pub fn start(name: &str, mut command: Command, folder: &Path) -> anyhow::Result<Self> {
        let (out, log) = (folder.join(format!("{name}.out")), folder.join(format!("{name}.log")));
        let append = |path: &Path| File::options().create(true).append(true).open(path);
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(append(&out)?)
            .stderr(append(&log)?)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name: name.to_owned(), child, out, log })
    }

    /// The id of the process, which is also that of its group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has written to its standard output.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.out).unwrap_or_default()).into_owned()
    }

    /// Everything it has written to its standard error.
    pub fn errors(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The end of both logs, for a failure message.
    pub fn log_tail(&self) -> String {
        let mut text = self.output();
        text.push_str(&self.errors());
        let mut begin = text.len().saturating_sub(LOG_TAIL_BYTES);
        while !text.is_char_boundary(begin) {
            begin += 1;
        }
        text.split_off(begin)
    }

    /// Its exit status, once it has ended.
    ///
    /// # Errors
    /// The operating system does not tell.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Fails when it has ended: there is no point in waiting for an answer then.
    ///
    /// # Errors
    /// It has ended; the message carries its log.
    pub fn must_run(&mut self) -> anyhow::Result<()> {
        match self.ended()? {
            Some(status) => bail!("{} ended ({status}):\n{}", self.name, self.log_tail()),
            None => Ok(()),
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It still runs after `limit`.
    pub async fn wait(&mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        let name = self.name.clone();
        let result = until(&format!("end of {name}"), limit, async || {
            self.ended()?.with_context(|| format!("{name} still runs"))
        })
        .await;
        result.with_context(|| self.log_tail())
    }

    /// Asks it to end.
    ///
    /// # Errors
    /// It is gone already.
    pub fn terminate(&self) -> anyhow::Result<()> {
        signal(self.id(), Signal::TERM)
    }

    /// Kills its whole group and waits for the process itself.
    pub fn kill(&mut self) {
        if let Ok(Some(_)) = self.child.try_wait() {
            return;
        }
        if let Some(group) = pid(self.id()) {
            // Fails only for a group that is gone.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        // A killed child ends at once; it must be reaped, and an error means that somebody has done so.
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal to one process, by its id.
///
/// # Errors
/// There is no such process, or it is not ours.
pub fn signal(id: u32, signal: Signal) -> anyhow::Result<()> {
    let pid = pid(id).with_context(|| format!("{id} is no process id"))?;
    rustix::process::kill_process(pid, signal)
        .with_context(|| format!("cannot send {signal:?} to process {id}"))
}

fn pid(id: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(id).ok()?)
}

/// Whether a process runs; one that is dead but not yet reaped does not.
pub fn runs(id: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // "id (name) state …": the name may hold anything, also brackets.
    stat.rsplit_once(") ").is_some_and(|(_, fields)| !fields.starts_with(['Z', 'X']))
}

/// The most memory a process has ever held, in bytes (`VmHWM`).
///
/// # Errors
/// There is no such process.
pub fn peak_memory_bytes(id: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).with_context(|| format!("process {id}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024)
}

/// The processor time of a process so far, in user mode and in the kernel.
///
/// # Errors
/// There is no such process.
pub fn cpu_seconds(id: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).with_context(|| format!("process {id}"))?;
    let (_, fields) = stat.rsplit_once(") ").context("a process has a name")?;
    // proc(5): fields 14 and 15; the first one here is number 3.
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(folder: &Path) -> Process {
        let mut command = bound_command(Path::new("/bin/sh")).unwrap();
        command.args(["-c", "echo started; sleep 600 & wait"]);
        Process::start("sleeper", command, folder).unwrap()
    }

    #[tokio::test]
    async fn a_dropped_process_takes_its_children_along() {
        let folder = tempfile::tempdir().unwrap();
        let process = sleeper(folder.path());
        until("the child", Duration::from_secs(10), async || {
            process.output().contains("started").then_some(()).context("not started")
        })
        .await
        .unwrap();
        let id = process.id();
        assert!(runs(id));
        drop(process);
        assert!(!runs(id));
    }

    #[tokio::test]
    async fn an_early_end_is_reported_with_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = bound_command(Path::new("/bin/sh")).unwrap();
        command.args(["-c", "echo no such database >&2; exit 3"]);
        let mut process = Process::start("server", command, folder.path()).unwrap();
        assert_eq!(process.wait(Duration::from_secs(10)).await.unwrap().code(), Some(3));
        let message = process.must_run().unwrap_err().to_string();
        assert!(message.contains("no such database"), "{message}");
    }

    #[test]
    fn memory_is_read_in_bytes() {
        assert!(peak_memory_bytes(std::process::id()).unwrap() > 1 << 20);
    }
}

//! What a worker may use: memory, some seconds of processor, and nothing else. No files, no network, no processes.

use std::io;

use rustix::process::{Gid, Resource, Rlimit, Uid, geteuid, setrlimit};
use rustix::thread::{set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use rustix::time::{ClockId, clock_gettime};

/// The dictionaries take some 80 MiB, a file 16 MiB, and a parser a few times that.
const ADDRESS_SPACE_BYTES: u64 = 1 << 30;
/// The slowest honest file seen takes two seconds in a debug build.
const CPU_SECONDS_PER_FILE: u64 = 30;
/// The user that owns nothing, on every Linux.
const NOBODY: u32 = 65_534;

/// Nobody waits for tags as one waits for an upload: whoever serves people comes first.
const NICENESS: i32 = 10;

/// Gives up, for good, whatever the worker does not need.
pub(super) fn confine() -> io::Result<()> {
    set_no_new_privs(true)?;
    if geteuid().is_root()
        && let Err(error) = become_nobody()
    {
        // Some containers map no other user; the limits below hold all the same.
        tracing::warn!(%error, "the worker keeps running as root");
    }
    rustix::process::nice(NICENESS)?;
    limit(Resource::As, ADDRESS_SPACE_BYTES)?;
    limit(Resource::Core, 0)?; // A core file would hold the user's content.
    limit(Resource::Fsize, 0)?;
    limit(Resource::Nproc, 0)?;
    limit(Resource::Nofile, 0)?; // What is open stays open; no file, socket or pipe can be added.
    Ok(())
}

/// The processor's time is counted from the process's start, so each file moves the mark.
pub(super) fn grant_cpu_time() -> io::Result<()> {
    let used = clock_gettime(ClockId::ProcessCPUTime).tv_sec;
    let mark = u64::try_from(used).unwrap_or(0) + CPU_SECONDS_PER_FILE;
    let hard = rustix::process::getrlimit(Resource::Cpu).maximum;
    let mark = hard.map_or(mark, |hard| mark.min(hard));
    Ok(setrlimit(Resource::Cpu, Rlimit { current: Some(mark), maximum: hard })?)
}

fn become_nobody() -> io::Result<()> {
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    Ok(set_thread_res_uid(user, user, user)?)
}

/// Never raises a limit that an administrator set lower.
fn limit(resource: Resource, wanted: u64) -> io::Result<()> {
    let hard = rustix::process::getrlimit(resource).maximum;
    let value = Some(hard.map_or(wanted, |hard| wanted.min(hard)));
    Ok(setrlimit(resource, Rlimit { current: value, maximum: value })?)
}

//! What processes need while nothing is asked of them.

use crate::{process, table::Needs};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// Watches processes for `seconds`. `peaks` has more of those that were killed than they themselves know.
pub(crate) async fn watch(
    processes: Vec<(u32, String)>,
    seconds: u64,
    peaks: &BTreeMap<String, u64>,
) -> Vec<Needs> {
    let before: Vec<Option<f64>> = processes.iter().map(|(id, _)| process::cpu_seconds(*id).ok()).collect();
    let begin = Instant::now();
    sleep(Duration::from_secs(seconds)).await;
    let seconds = begin.elapsed().as_secs_f64();
    let needs = processes.into_iter().zip(before).filter_map(|((id, role), before)| {
        let idle_cpu_percent = (process::cpu_seconds(id).ok()? - before?) / seconds * 100.0;
        let memory = process::memory(id)?;
        let peak_bytes = peaks.get(&role).copied().unwrap_or(memory.peak);
        Some(Needs { role, peak_bytes, resident_bytes: memory.resident, idle_cpu_percent })
    });
    let mut needs: Vec<Needs> = needs.collect();
    needs.sort_by(|one, other| one.role.cmp(&other.role));
    needs
}

/// What processes hold in memory together.
pub(crate) fn resident_bytes(processes: &[u32]) -> u64 {
    processes.iter().filter_map(|id| Some(process::memory(*id)?.resident)).sum()
}

/// How large a program is without its symbols, or as it is where there is no `strip`.
pub(crate) fn program_bytes(program: &Path) -> anyhow::Result<u64> {
    let stripped = tempfile::NamedTempFile::new()?;
    let outcome = Command::new("strip").arg("-o").arg(stripped.path()).arg(program).output();
    let measured =
        if outcome.is_ok_and(|output| output.status.success()) { stripped.path() } else { program };
    Ok(fs::metadata(measured)?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn this_process_needs_something() {
        let id = std::process::id();
        let peaks = BTreeMap::from([("me".to_owned(), 7)]);
        let needs = watch(vec![(id, "me".into()), (u32::MAX, "nobody".into())], 0, &peaks).await;
        assert_eq!(needs.len(), 1);
        assert_eq!((needs[0].role.as_str(), needs[0].peak_bytes), ("me", 7));
        assert!(needs[0].resident_bytes > 0 && resident_bytes(&[id]) > 0);
    }

    #[test]
    fn a_program_is_not_larger_without_symbols() {
        let program = std::env::current_exe().unwrap();
        let bytes = program_bytes(&program).unwrap();
        assert!(bytes > 0 && bytes <= fs::metadata(program).unwrap().len());
    }
}

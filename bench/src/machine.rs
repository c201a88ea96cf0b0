//! On what was measured: as much as a reader of the table needs, and nothing that names the machine.

use rustix::fs::statfs;
use serde::Serialize;
use std::{fs, path::Path, thread::available_parallelism};

const TMPFS_MAGIC: i64 = 0x0102_1994;
const RAMFS_MAGIC: i64 = 0x8584_58f6;

/// The machine of a run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) processor: String,
    /// Whether the data lay in memory: what the disk can do was not measured then.
    pub(crate) data_in_memory: bool,
    /// Of one minute, when the run began: how much else was going on.
    pub(crate) load: f64,
}

impl Machine {
    pub(crate) fn look(data_dir: &Path) -> anyhow::Result<Self> {
        let file_system = statfs(data_dir)?.f_type as i64;
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Ok(Self {
            cores: available_parallelism()?.get(),
            processor: processor(&info),
            data_in_memory: matches!(file_system, TMPFS_MAGIC | RAMFS_MAGIC),
            load: load(&fs::read_to_string("/proc/loadavg").unwrap_or_default()),
        })
    }
}

fn processor(info: &str) -> String {
    let field = |name: &str| {
        let line = info.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    field("model name")
        .or_else(|| field("CPU implementer"))
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn load(loadavg: &str) -> f64 {
    loadavg.split(' ').next().and_then(|minute| minute.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_the_model_or_the_architecture() {
        assert_eq!(processor("processor\t: 0\nmodel name\t: AMD EPYC\n"), "AMD EPYC");
        assert_eq!(processor(""), std::env::consts::ARCH);
    }

    #[test]
    fn load_is_of_the_last_minute() {
        assert_eq!(load("3.03 4.97 4.41 2/300 1"), 3.03);
        assert_eq!(load(""), 0.0);
    }
}

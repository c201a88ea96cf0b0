//! The machine and this process, as `/proc` shows them. What cannot be read is 0: no measurement may stop a heartbeat.

use std::{fs, num::NonZero, thread};

/// One look at the machine and this process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Host {
    /// Load average over a minute.
    pub load1: f64,
    /// Processors that this process may use.
    pub cores: u32,
    /// Of the machine.
    pub memory_total_bytes: u64,
    /// What programs could still get.
    pub memory_available_bytes: u64,
    /// Memory of this process.
    pub resident_bytes: u64,
}

impl Host {
    /// Looks now.
    pub fn measure() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (memory, status) = (read("/proc/meminfo"), read("/proc/self/status"));
        Self {
            load1: load1(&read("/proc/loadavg")),
            cores: thread::available_parallelism().map_or(0, NonZero::get).try_into().unwrap_or(u32::MAX),
            memory_total_bytes: field_bytes(&memory, "MemTotal"),
            memory_available_bytes: field_bytes(&memory, "MemAvailable"),
            resident_bytes: field_bytes(&status, "VmRSS"),
        }
    }
}

fn load1(text: &str) -> f64 {
    let first = text.split_whitespace().next().and_then(|word| word.parse().ok());
    first.filter(|load: &f64| load.is_finite()).unwrap_or_default()
}

/// The value of a line like `MemTotal:  16303428 kB`.
fn field_bytes(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kibibytes: Option<u64> = value.and_then(|value| value.split_whitespace().next()?.parse().ok());
    kibibytes.unwrap_or_default().saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        assert_eq!(load1("0.52 0.58 0.59 1/467 12345\n"), 0.52);
        let memory = "MemTotal:       16303428 kB\nMemFree: 5 kB\nMemAvailable:   10 kB\n";
        assert_eq!(field_bytes(memory, "MemTotal"), 16_303_428 * 1024);
        assert_eq!(field_bytes(memory, "MemAvailable"), 10_240);
    }

    #[test]
    fn nonsense_is_nothing() {
        for text in ["", "x", "nan", "-inf 1 2", "\0"] {
            assert_eq!(load1(text), 0.0, "{text}");
        }
        for text in ["", "MemTotal", "MemTotal:", "MemTotal: x kB", "MemTotalX: 5 kB"] {
            assert_eq!(field_bytes(text, "MemTotal"), 0, "{text}");
        }
        assert_eq!(field_bytes("A: 18446744073709551615 kB", "A"), u64::MAX);
    }

    #[test]
    fn this_machine_has_memory_and_processors() {
        let host = Host::measure();
        assert!(host.cores >= 1 && host.memory_total_bytes > host.resident_bytes && host.resident_bytes > 0);
    }
}

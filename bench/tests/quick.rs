//! One small run against a real cluster: the table comes out complete, and nothing stays behind.

use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Rows that a reader looks for.
const ROWS: [&str; 30] = [
    "codec, encode 4+2",
    "codec, reconstruct 2 of 4+2",
    "PUT 16 MiB",
    "GET 16 MiB",
    "GET 16 MiB, 2 of 6 nodes dead",
    "PUT 16 × 1 MiB, 8 at once",
    "GET 16 × 1 MiB, 8 at once",
    "GET 16 × 1 MiB, 2 of 6 nodes dead",
    "PUT 48 × 4 KiB, 8 at once",
    "PUT 48 × 4 KiB, until tagged and in the graph",
    "GET 48 × 4 KiB, 8 at once",
    "GET 48 × 4 KiB, 2 of 6 nodes dead",
    "peak memory, up",
    "peak memory, index-server",
    "peak memory, monitor",
    "peak memory, storage-node n1",
    "peak memory, storage-node n2",
    "peak memory, storage-node n3",
    "peak memory, storage-node n4",
    "peak memory, storage-node n5",
    "peak memory, storage-node n6",
    "memory after the load, all processes",
    "idle CPU, up",
    "idle CPU, index-server",
    "idle CPU, monitor",
    "idle CPU, storage-node n1",
    "idle CPU, storage-node n3",
    "idle CPU, storage-node n5",
    "idle CPU, storage-node n6",
    "idle CPU, all processes",
];

fn bench(asterism: &Path, folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_asterism-bench"));
    command
        .args(["--quick", "--json", "--rounds", "2", "--data-dir"])
        .arg(folder)
        .arg("--asterism")
        .arg(asterism);
    command.output().expect("the bench can be started")
}

/// `ASTERISM_BIN`, or what was built beside the bench.
fn asterism() -> PathBuf {
    let beside = || Path::new(env!("CARGO_BIN_EXE_asterism-bench")).with_file_name("asterism");
    std::env::var_os("ASTERISM_BIN").map_or_else(beside, PathBuf::from)
}

#[test]
fn a_quick_run_fills_every_row_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let output = bench(&asterism(), folder.path());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = report["rows"].as_array().unwrap();
    for name in ROWS {
        let row = rows
            .iter()
            .find(|row| row["what"] == name)
            .unwrap_or_else(|| panic!("no row {name}: {report:#}"));
        assert!(row["ours"]["value"].as_f64().is_some_and(f64::is_finite), "{row:#}");
    }
    let loads = rows.iter().filter(|row| row["rounds"].as_array().is_some_and(|rounds| !rounds.is_empty()));
    for row in loads {
        assert_eq!(row["rounds"].as_array().map(Vec::len), Some(2), "{row:#}");
        assert!(row["ratio"].as_f64().is_some_and(|ratio| ratio > 0.0), "{row:#}");
    }
    check_peers(&report);
    assert_eq!(folder.path().read_dir().unwrap().count(), 0, "the directory is not empty");
    let here = folder.path().to_str().unwrap();
    let left: Vec<String> = command_lines().into_iter().filter(|line| line.contains(here)).collect();
    assert!(left.is_empty(), "still running: {left:?}");
}

/// Where the peer is installed, it was measured; where it is not, that is said, and nothing is judged by it.
fn check_peers(report: &Value) {
    let installed = report["peer"]["installed"].as_bool().expect("it is said whether the peer is installed");
    let comparisons = report["comparisons"].as_array().expect("comparisons");
    assert_eq!(comparisons.len(), 10, "{comparisons:#?}");
    for row in comparisons {
        assert!(row["ours"]["figure"]["value"].as_f64().is_some_and(f64::is_finite), "{row:#}");
        let peer = row["peer"]["figure"]["value"].as_f64();
        assert_eq!((peer.is_some(), row["ratio"].is_f64()), (installed, installed), "{row:#}");
    }
    let goals = report["goals"].as_array().expect("goals");
    let goal = |what: &str| {
        let found = goals.iter().find(|goal| goal["what"] == what);
        found.unwrap_or_else(|| panic!("no goal {what}: {goals:#?}"))
    };
    assert_eq!(goal("PUT 48 × 4 KiB, 8 at once: op/s by MinIO's")["met"].is_boolean(), installed);
    assert_eq!(goal("PUT 48 × 4 KiB, 8 at once: CPU by MinIO's")["met"].is_boolean(), installed);
    assert!(goal("idle CPU, all processes")["met"].is_boolean());
    assert!(goal("reconstruct 10+4, 1 MiB, cold: by our own encode")["met"].is_boolean());
    let shapes = report["shapes"].as_array().expect("shapes");
    assert_eq!(shapes.len(), 24);
    assert!(shapes.iter().all(|row| row["speeds"][0]["codec"] == "ours"), "{shapes:#?}");
}

#[test]
fn a_program_that_is_no_cluster_is_a_failure_with_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let output = bench(Path::new("/bin/false"), folder.path());
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("the cluster ended"), "{output:?}");
    let output = bench(Path::new("/nowhere/asterism"), folder.path());
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not there"), "{output:?}");
}

fn command_lines() -> Vec<String> {
    let processes = Path::new("/proc").read_dir().expect("/proc can be read").flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).collect()
}

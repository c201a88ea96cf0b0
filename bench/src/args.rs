//! The command line, and how much work it asks for.

use crate::peer;
use anyhow::{Context, ensure};
use clap::Parser;
use std::path::{Path, PathBuf};

/// Measure a cluster beside the ceilings of this machine.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Args {
    /// Small sizes and one round: shows that everything works, not how fast it is
    #[arg(long)]
    quick: bool,
    /// Rounds, of which the medians are shown [default: 5, or 1 with --quick]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// Where the directories of cluster and peer are made, which are removed in the end [default: the system's temporary directory]
    #[arg(long, value_name = "D")]
    data_dir: Option<PathBuf>,
    /// The program to measure [default: `asterism` beside this one]
    #[arg(long, value_name = "PATH", env = "ASTERISM_BIN")]
    asterism: Option<PathBuf>,
    /// MinIO's program, to measure beside ours [default: `minio` on the PATH, or what `make bench-peers` built]
    #[arg(long, value_name = "PATH", env = "MINIO_BIN")]
    minio: Option<PathBuf>,
    /// Measure ours alone
    #[arg(long)]
    pub(crate) without_peers: bool,
    /// Print JSON, with the values of each round
    #[arg(long)]
    pub(crate) json: bool,
}

/// The bytes of the large file go in so many parts, too.
pub(crate) const PARTS: u32 = 16;

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Of the large file.
    pub(crate) large_bytes: u64,
    pub(crate) small_files: u32,
    pub(crate) small_bytes: u64,
    /// Clients at once, where there is more than one file.
    pub(crate) concurrency: usize,
    /// For which the cluster is watched doing nothing.
    pub(crate) idle_seconds: u64,
}

impl Sizes {
    pub(crate) fn part_bytes(&self) -> u64 {
        self.large_bytes / u64::from(PARTS)
    }
}

#[cfg(test)]
impl Sizes {
    /// For tests of what is made of figures.
    pub(crate) const EXAMPLE: Self =
        Self { large_bytes: 1 << 30, small_files: 100, small_bytes: 4096, concurrency: 8, idle_seconds: 1 };
}

const FULL: Sizes = Sizes {
    large_bytes: 1 << 30,
    small_files: 2_000,
    small_bytes: 4 << 10,
    concurrency: 8,
    idle_seconds: 10,
};
const QUICK: Sizes = Sizes { large_bytes: 16 << 20, small_files: 48, idle_seconds: 1, ..FULL };
const ROUNDS: u32 = 5;

impl Args {
    pub(crate) fn sizes(&self) -> Sizes {
        if self.quick { QUICK } else { FULL }
    }

    pub(crate) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { ROUNDS })
    }

    /// Where directories are made; none for the system's temporary directory.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.data_dir.as_deref()
    }

    /// MinIO's program, where it is installed and wanted.
    pub(crate) fn minio(&self) -> anyhow::Result<Option<PathBuf>> {
        if self.without_peers { Ok(None) } else { peer::program(self.minio.as_deref(), "minio") }
    }

    /// The program to measure.
    pub(crate) fn program(&self) -> anyhow::Result<PathBuf> {
        let path = match &self.asterism {
            Some(path) => path.clone(),
            None => std::env::current_exe()?.with_file_name("asterism"),
        };
        ensure!(path.is_file(), "{} is not there: build it, or name another with --asterism", path.display());
        path.canonicalize().with_context(|| path.display().to_string())
    }
}

//! What happened, in order: its hash tells whether two runs of a seed were the same.

use crate::process::{Shared, lock};
use std::{fmt, time::Duration};
use tokio::time::Instant;

/// The story of one seed; clones share it.
#[derive(Clone)]
pub struct Trace(Shared<Told>);

struct Told {
    begin: Instant,
    hash: blake3::Hasher,
    lines: u64,
    prints: bool,
}

impl Trace {
    /// Begins now; prints each line to the error output if asked to.
    pub fn begin(prints: bool) -> Self {
        let told = Told { begin: Instant::now(), hash: blake3::Hasher::new(), lines: 0, prints };
        Self(Shared::new(told.into()))
    }

    /// Notes an event with its time.
    pub fn note(&self, event: fmt::Arguments<'_>) {
        let mut told = lock(&self.0);
        let line = format!("{:10.3} {event}", told.begin.elapsed().as_secs_f64());
        told.hash.update(line.as_bytes());
        told.lines += 1;
        if told.prints {
            eprintln!("{line}");
        }
    }

    /// Since the beginning.
    pub fn elapsed(&self) -> Duration {
        lock(&self.0).begin.elapsed()
    }

    /// Of all that was noted, and how many lines that were.
    pub fn hash(&self) -> (blake3::Hash, u64) {
        let told = lock(&self.0);
        (told.hash.finalize(), told.lines)
    }
}

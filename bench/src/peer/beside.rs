//! The peer's part of the rounds.

use super::minio::Minio;
use crate::{
    compare::Totals,
    load::{self, File, Verb},
    measure::{Measures, Sample, Work},
    needs,
    table::Needs,
};
use anyhow::Context;
use std::{path::Path, sync::Arc};

/// A running peer and what was measured of it.
pub(crate) struct Beside {
    minio: Minio,
    pub(crate) measures: Measures,
    fresh_bytes: u64,
    program_bytes: u64,
}

impl Beside {
    pub(crate) async fn start(program: &Path, folder: Option<&Path>) -> anyhow::Result<Self> {
        let minio = Minio::start(program, folder).await.context("MinIO (--without-peers does without it)")?;
        let fresh_bytes = needs::resident_bytes(&minio.processes());
        let program_bytes = needs::program_bytes(program)?;
        Ok(Self { minio, measures: Measures::default(), fresh_bytes, program_bytes })
    }

    pub(crate) async fn load(
        &mut self,
        work: Work,
        verb: Verb,
        files: &Arc<[File]>,
        clients: usize,
    ) -> anyhow::Result<()> {
        let before = self.minio.cpu_seconds();
        let run = load::run(&self.minio.target, verb, files.clone(), clients).await.context("MinIO")?;
        let servers_cpu_seconds = Some(self.minio.cpu_seconds() - before);
        self.measures.note(work, Sample { servers_cpu_seconds, ..run.sample(work, files) });
        Ok(())
    }

    pub(crate) async fn kill_nodes(&mut self, count: usize, turn: usize) -> anyhow::Result<Vec<usize>> {
        self.minio.kill_nodes(count, turn).await
    }

    pub(crate) async fn wake(&mut self, dead: &[usize]) -> anyhow::Result<()> {
        self.minio.wake(dead).await
    }

    /// All that runs, by names of which no two are the same.
    pub(crate) fn processes(&self) -> Vec<(u32, String)> {
        let numbered = self.minio.processes().into_iter().enumerate();
        numbered.map(|(number, id)| (id, format!("minio {}", number + 1))).collect()
    }

    pub(crate) fn totals(&self, needs: &[Needs]) -> Totals {
        Totals::of(needs, self.fresh_bytes, self.program_bytes)
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.minio.stop().await
    }
}

//! Projection: what the tag graph must show, from the catalog as it is now. The graph can be down or wiped without loss:
//! rows wait while it is down, and a graph that does not hold as many files as the catalog is made again.

use crate::{
    catalog::{Catalog, CatalogError, EntryId, OutboxRow, Scope, Topic},
    graph::{GraphError, TagGraph},
    workers::{WorkerState, now_ms, retry_at},
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

const BATCH: u32 = 256;
/// The graph is compared with the catalog at the start and this often.
const COMPARE_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Projection {
    catalog: Catalog,
    graph: Arc<dyn TagGraph>,
    state: WorkerState,
    compared: Mutex<Option<Instant>>,
}

/// Why an entry was not projected.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl Trouble {
    /// The graph is away: nothing is wrong with the row, and the next one would fare no better.
    fn is_absence(&self) -> bool {
        matches!(self, Self::Graph(error) if error.is_unavailable())
    }
}

impl Projection {
    pub(super) fn new(catalog: Catalog, graph: Arc<dyn TagGraph>, state: WorkerState) -> Self {
        Self { catalog, graph, state, compared: Mutex::default() }
    }

    /// One pass; true if more may be waiting.
    pub(super) async fn pass(&self) -> Result<bool, CatalogError> {
        let rows = self.catalog.outbox_pending(Topic::Graph, now_ms(), BATCH).await?;
        let more = match self.rows(&rows).await {
            Err(trouble) if trouble.is_absence() => {
                self.state.failed(trouble);
                false
            }
            Ok(()) => {
                let done: Vec<i64> = rows.iter().map(|row| row.seq).collect();
                self.settle(&done).await?;
                rows.len() as u32 == BATCH
            }
            // One row spoils the batch: find it, and let the others through.
            Err(_) => {
                self.one_by_one(&rows).await?;
                rows.len() as u32 == BATCH
            }
        };
        let waiting = self.catalog.outbox_count(Topic::Graph).await?.0;
        self.state.set_queue(waiting);
        if waiting == 0 && self.is_time_to_compare() {
            self.compare().await?;
        }
        Ok(more)
    }

    async fn rows(&self, rows: &[OutboxRow]) -> Result<(), Trouble> {
        let single = rows.iter().filter(|row| row.scope == Scope::Entry).map(|row| row.entry);
        let mut entries: Vec<EntryId> = single.collect();
        entries.sort();
        entries.dedup();
        self.entries(&entries).await?;
        for row in rows.iter().filter(|row| row.scope == Scope::Subtree) {
            self.row(row).await?;
        }
        Ok(())
    }

    async fn one_by_one(&self, rows: &[OutboxRow]) -> Result<(), CatalogError> {
        for row in rows {
            match self.row(row).await {
                Ok(()) => self.settle(&[row.seq]).await?,
                Err(trouble) if trouble.is_absence() => {
                    self.state.failed(trouble);
                    return Ok(());
                }
                Err(trouble) => {
                    tracing::warn!(entry = %row.entry, error = %trouble, "entry not projected, will be tried again");
                    self.state.failed(&trouble);
                    self.catalog.outbox_failed(row.seq, &trouble.to_string(), retry_at(row.attempts)).await?;
                }
            }
        }
        Ok(())
    }

    async fn row(&self, row: &OutboxRow) -> Result<(), Trouble> {
        if row.scope == Scope::Entry {
            return self.entries(&[row.entry]).await;
        }
        let mut after = None;
        loop {
            let files = self.catalog.files_below(row.entry, after, BATCH).await?;
            let Some(last) = files.last() else { return Ok(()) };
            after = Some(*last);
            self.entries(&files).await?;
        }
    }

    /// Makes the graph show these entries as they are now; what is no file any more goes.
    async fn entries(&self, entries: &[EntryId]) -> Result<(), Trouble> {
        let files = self.catalog.projections(entries).await?;
        let there: BTreeSet<EntryId> = files.iter().map(|file| file.entry).collect();
        for gone in entries.iter().filter(|entry| !there.contains(entry)) {
            self.graph.remove_file(*gone).await?;
        }
        Ok(self.graph.set_files(&files).await?)
    }

    /// The same for whoever compared them.
    pub(super) async fn show(&self, entries: &[EntryId]) -> Result<(), super::census::Trouble> {
        self.entries(entries).await.map_err(|trouble| match trouble {
            Trouble::Catalog(error) => error.into(),
            Trouble::Graph(error) => error.into(),
        })
    }

    async fn settle(&self, done: &[i64]) -> Result<(), CatalogError> {
        if !done.is_empty() {
            self.catalog.outbox_done(done).await?;
            self.state.succeeded(done.len() as u64);
        }
        Ok(())
    }

    fn is_time_to_compare(&self) -> bool {
        let mut compared = self.compared.lock().unwrap_or_else(PoisonError::into_inner);
        let due = compared.is_none_or(|at| at.elapsed() >= COMPARE_EVERY);
        if due {
            *compared = Some(Instant::now());
        }
        due
    }

    /// Makes the graph again if it does not hold as many files as the catalog.
    async fn compare(&self) -> Result<(), CatalogError> {
        let known = match self.graph.counts().await {
            Ok(counts) => counts.files,
            Err(error) => {
                self.state.failed(error);
                return Ok(());
            }
        };
        let files = self.catalog.totals().await?.files;
        // An upload between the two counts has a row in the outbox: that is no difference.
        if known == files || self.catalog.outbox_count(Topic::Graph).await?.0 > 0 {
            return Ok(());
        }
        tracing::warn!(files, known, "the tag graph differs from the catalog and is made again");
        match self.make_again().await {
            Err(Trouble::Catalog(error)) => Err(error),
            Err(trouble) => {
                self.state.failed(trouble);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    async fn make_again(&self) -> Result<(), Trouble> {
        self.drop_strangers().await?;
        let mut after = None;
        loop {
            let files = self.catalog.files_after(after, BATCH).await?;
            let Some(last) = files.last() else { return Ok(()) };
            after = Some(*last);
            self.entries(&files).await?;
            self.state.succeeded(files.len() as u64);
        }
    }

    /// Takes out of the graph what the catalog does not know.
    async fn drop_strangers(&self) -> Result<(), Trouble> {
        let mut after = None;
        loop {
            let known = self.graph.file_ids(after, BATCH).await?;
            let Some(last) = known.last() else { return Ok(()) };
            after = Some(*last);
            for entry in known {
                if self.catalog.projection(entry).await?.is_none() {
                    self.graph.remove_file(entry).await?;
                }
            }
        }
    }
}

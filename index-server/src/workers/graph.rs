//! Projection: what the tag graph must show, from the catalog as it is now. The graph can be down or wiped without loss.

use crate::{
    catalog::{Catalog, CatalogError, EntryId, OutboxRow, Scope, Topic},
    graph::{GraphError, TagGraph},
    workers::{WorkerState, now_ms, retry_at},
};
use std::sync::Arc;

const BATCH: u32 = 256;

pub(super) struct Projection {
    pub(super) catalog: Catalog,
    pub(super) graph: Arc<dyn TagGraph>,
    pub(super) state: WorkerState,
}

/// Why an entry was not projected.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl Projection {
    /// One pass; true if more may be waiting.
    pub(super) async fn pass(&self) -> Result<bool, CatalogError> {
        let rows = self.catalog.outbox_pending(Topic::Graph, now_ms(), BATCH).await?;
        let full = rows.len() as u32 == BATCH;
        let mut done = Vec::with_capacity(rows.len());
        for row in rows {
            match self.row(&row).await {
                Ok(()) => done.push(row.seq),
                Err(Trouble::Graph(error)) if error.is_unavailable() => {
                    // The graph is away: nothing is wrong with this row, and the next one would fare no better.
                    self.state.failed(error);
                    self.settle(&done).await?;
                    return Ok(false);
                }
                Err(error) => {
                    tracing::warn!(entry = %row.entry, %error, "entry not projected, will be tried again");
                    self.state.failed(&error);
                    self.catalog.outbox_failed(row.seq, &error.to_string(), retry_at(row.attempts)).await?;
                }
            }
        }
        self.settle(&done).await?;
        Ok(full)
    }

    async fn settle(&self, done: &[i64]) -> Result<(), CatalogError> {
        if !done.is_empty() {
            self.catalog.outbox_done(done).await?;
            if self.state.report().last_error.is_none() {
                self.state.succeeded(done.len() as u64);
            }
        }
        self.state.set_queue(self.catalog.outbox_count(Topic::Graph).await?.0);
        Ok(())
    }

    async fn row(&self, row: &OutboxRow) -> Result<(), Trouble> {
        match row.scope {
            Scope::Entry => self.entry(row.entry).await,
            Scope::Subtree => {
                let mut after = None;
                loop {
                    let files = self.catalog.files_below(row.entry, after, BATCH).await?;
                    let Some(last) = files.last() else { return Ok(()) };
                    after = Some(*last);
                    for file in files {
                        self.entry(file).await?;
                    }
                }
            }
        }
    }

    async fn entry(&self, entry: EntryId) -> Result<(), Trouble> {
        match self.catalog.projection(entry).await? {
            Some(projection) => self.graph.set_file(&projection).await?,
            None => self.graph.remove_file(entry).await?,
        }
        Ok(())
    }
}

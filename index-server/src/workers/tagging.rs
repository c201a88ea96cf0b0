//! Tagging: new content through the tagger, its tags into the catalog.

use crate::{
    catalog::{CatalogError, Entry, OutboxRow, Topic, WeightedTag},
    events::{Event, Events},
    files::{DownloadError, Extents},
    workers::{WorkerState, now_ms, retry_at},
};
use asterism_tagger::{CONTENT_BYTES_MAX, Pool, Request, TAGGER, VERSION, tag_by_name};
use futures::{StreamExt, stream};
use std::sync::Arc;
use tokio::sync::Notify;

const BATCH: u32 = 64;
/// Files read and tagged at once.
const AT_ONCE: usize = 2;
/// A file whose content cannot be read is tagged by its name after so many tries, and again when it can.
const ATTEMPTS_BY_CONTENT: u32 = 3;

pub(super) struct Tagging {
    pub(super) extents: Extents,
    pub(super) pool: Arc<Pool>,
    pub(super) events: Events,
    pub(super) projecting: Arc<Notify>,
    pub(super) state: WorkerState,
}

impl Tagging {
    /// One pass; true if more may be waiting.
    pub(super) async fn pass(&self) -> Result<bool, CatalogError> {
        let catalog = &self.extents.catalog;
        let rows = catalog.outbox_pending(Topic::Tag, now_ms(), BATCH).await?;
        let full = rows.len() as u32 == BATCH;
        stream::iter(rows).for_each_concurrent(AT_ONCE, |row| self.row(row)).await;
        self.state.set_queue(catalog.outbox_count(Topic::Tag).await?.0);
        Ok(full)
    }

    async fn row(&self, row: OutboxRow) {
        let catalog = &self.extents.catalog;
        let settled = match self.file(&row).await {
            Ok(()) => {
                self.state.succeeded(1);
                catalog.outbox_done(&[row.seq]).await
            }
            Err(error) => {
                tracing::warn!(entry = %row.entry, error, "file not tagged, will be tried again");
                self.state.failed(&error);
                catalog.outbox_failed(row.seq, &error, retry_at(row.attempts)).await
            }
        };
        if let Err(error) = settled {
            tracing::warn!(%error, "tagging could not be settled; it is repeated, which changes nothing");
        }
    }

    async fn file(&self, row: &OutboxRow) -> Result<(), String> {
        let catalog = &self.extents.catalog;
        let entry = match catalog.entry(row.entry).await {
            Ok(entry) => entry,
            Err(CatalogError::NotFound(_)) => return Ok(()), // Gone meanwhile.
            Err(error) => return Err(error.to_string()),
        };
        let Some(content) = entry.content.clone().filter(|content| Some(content.id) == row.content) else {
            return Ok(()); // Replaced meanwhile; the new content has a row of its own.
        };
        let name = entry.path.name().unwrap_or_default().to_owned();
        let found = match self.extents.read_head(&content, CONTENT_BYTES_MAX as u64).await {
            Ok(head) => {
                let request = Request::new(&name, content.size, entry.modified_ms, head);
                match self.pool.tag(&request).await {
                    Ok(tags) => tags,
                    // A busy moment, or hostile content: what can be said by the name is said meanwhile.
                    Err(error) if row.attempts < ATTEMPTS_BY_CONTENT => {
                        self.set(&entry, tag_by_name(&name, content.size, entry.modified_ms)).await?;
                        return Err(error.to_string());
                    }
                    Err(error) => {
                        tracing::warn!(entry = %entry.id, %error, "tagger fails on content, its name has to do");
                        tag_by_name(&name, content.size, entry.modified_ms)
                    }
                }
            }
            Err(DownloadError::Catalog(CatalogError::NotFound(_))) => return Ok(()),
            Err(error) if row.attempts < ATTEMPTS_BY_CONTENT => return Err(error.to_string()),
            Err(error) => {
                self.set(&entry, tag_by_name(&name, content.size, entry.modified_ms)).await?;
                return Err(error.to_string());
            }
        };
        self.set(&entry, found).await
    }

    async fn set(&self, entry: &Entry, found: Vec<asterism_tagger::Tag>) -> Result<(), String> {
        let Some(content) = &entry.content else { return Ok(()) };
        let tags: Vec<WeightedTag> = found
            .into_iter()
            .filter_map(|tag| {
                WeightedTag::new(tag.kind.as_str(), &tag.name, f64::from(tag.score), &tag.evidence).ok()
            })
            .collect();
        let catalog = &self.extents.catalog;
        catalog
            .set_automatic(entry.id, content.id, TAGGER, VERSION, &tags)
            .await
            .map_err(|error| error.to_string())?;
        self.projecting.notify_one();
        let tags = tags.into_iter().map(|tag| tag.tag.name().to_owned()).collect();
        self.events.publish(&entry.owner, Event::FileTagged { path: entry.path.to_string(), tags });
        Ok(())
    }
}

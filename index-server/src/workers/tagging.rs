//! Tagging: new content through the tagger, its tags into the catalog.

use crate::{
    catalog::{CatalogError, Entry, FoundTags, OutboxRow, Topic, WeightedTag},
    events::{Event, Events},
    files::{DownloadError, Extents},
    workers::{WorkerState, now_ms, retry_at},
};
use asterism_tagger::{CONTENT_BYTES_MAX, Pool, Request, TAGGER, VERSION, tag_by_name};
use futures::{StreamExt, stream};
use std::{
    collections::{BTreeSet, HashMap},
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio::sync::Notify;
use tokio_stream::StreamExt as _;

const BATCH: u32 = 256;
/// What comes within this time is done together: a pass costs the same for one file as for many.
const GATHER: Duration = Duration::from_millis(50);
/// Files read and tagged at once.
const AT_ONCE: usize = 2;
/// So many files are settled in one transaction, or those that are ready after a while: nobody waits for a slow one.
const SETTLED_AT_ONCE: usize = 64;
const SETTLED_AFTER: Duration = Duration::from_millis(100);
/// A file whose content cannot be read is tagged by its name after so many tries, and again when it can.
const ATTEMPTS_BY_CONTENT: u32 = 3;

pub(super) struct Tagging {
    pub(super) extents: Extents,
    pub(super) pool: Arc<Pool>,
    pub(super) events: Events,
    pub(super) projecting: Arc<Notify>,
    pub(super) state: WorkerState,
}

/// What came of looking at one file.
struct Looked {
    row: OutboxRow,
    /// What to set, and on which version of the file; none if it is gone or was replaced.
    found: Option<(Entry, FoundTags)>,
    /// Why it must be looked at again.
    error: Option<String>,
}

impl Tagging {
    /// One pass; true if more may be waiting.
    pub(super) async fn pass(&self) -> Result<bool, CatalogError> {
        tokio::time::sleep(GATHER).await;
        let catalog = &self.extents.catalog;
        let rows = catalog.outbox_pending(Topic::Tag, now_ms(), BATCH).await?;
        let full = rows.len() as u32 == BATCH;
        let ids: Vec<_> = rows.iter().map(|row| row.entry).collect();
        let entries = catalog.entries(&ids).await?.into_iter().map(|entry| (entry.id, entry));
        let entries: HashMap<_, Entry> = entries.collect();
        let looks = rows.into_iter().map(|row| {
            let entry = entries.get(&row.entry).cloned();
            self.look(row, entry)
        });
        let looked = stream::iter(looks).buffer_unordered(AT_ONCE);
        let mut looked = pin!(looked.chunks_timeout(SETTLED_AT_ONCE, SETTLED_AFTER));
        while let Some(looked) = futures::StreamExt::next(&mut looked).await {
            self.settle(looked).await;
        }
        self.state.set_queue(catalog.outbox_count(Topic::Tag).await?.0);
        Ok(full)
    }

    async fn look(&self, row: OutboxRow, entry: Option<Entry>) -> Looked {
        // Gone meanwhile, or replaced: the new content has a row of its own.
        let entry = entry.filter(|entry| entry.content.as_ref().map(|content| content.id) == row.content);
        let Some((entry, content)) = entry.and_then(|entry| Some((entry.clone(), entry.content?))) else {
            return Looked { row, found: None, error: None };
        };
        let name = entry.path.name().unwrap_or_default().to_owned();
        let by_name = || tag_by_name(&name, content.size, entry.modified_ms);
        let (tags, error) = match self.extents.read_head(&content, CONTENT_BYTES_MAX as u64).await {
            Ok(head) => {
                let request = Request::new(&name, content.size, entry.modified_ms, head);
                match self.pool.tag(&request).await {
                    Ok(tags) => (Some(tags), None),
                    // A busy moment, or hostile content: what can be said by the name is said meanwhile.
                    Err(error) if row.attempts < ATTEMPTS_BY_CONTENT => {
                        (Some(by_name()), Some(error.to_string()))
                    }
                    Err(error) => {
                        tracing::warn!(entry = %entry.id, %error, "tagger fails on content, its name has to do");
                        (Some(by_name()), None)
                    }
                }
            }
            Err(DownloadError::Catalog(CatalogError::NotFound(_))) => (None, None),
            Err(error) if row.attempts < ATTEMPTS_BY_CONTENT => (None, Some(error.to_string())),
            Err(error) => (Some(by_name()), Some(error.to_string())),
        };
        let found = tags.map(|tags| {
            let found = FoundTags { entry: entry.id, content: content.id, tags: weighted(tags) };
            (entry, found)
        });
        Looked { row, found, error }
    }

    /// Keeps what was found, with the rows that are done by it, in one transaction; if that fails, one by one.
    async fn settle(&self, looked: Vec<Looked>) {
        let together = self.keep(&looked).await.is_ok();
        for one in &looked {
            let kept = if together { Ok(()) } else { self.keep(std::slice::from_ref(one)).await };
            let error = kept.err().map(|error| error.to_string()).or_else(|| one.error.clone());
            if let Some(error) = error {
                self.try_again(&one.row, &error).await;
            }
        }
    }

    async fn keep(&self, looked: &[Looked]) -> Result<(), CatalogError> {
        let files: Vec<FoundTags> =
            looked.iter().filter_map(|one| one.found.as_ref()).map(|(_, found)| found.clone()).collect();
        let done: Vec<i64> = looked.iter().filter(|one| one.error.is_none()).map(|one| one.row.seq).collect();
        let changed = self.extents.catalog.set_found(TAGGER, VERSION, &files, &done).await?;
        self.state.succeeded(done.len() as u64);
        if changed.is_empty() {
            return Ok(());
        }
        self.projecting.notify_one();
        let changed: BTreeSet<_> = changed.into_iter().collect();
        let told = looked.iter().filter_map(|one| one.found.as_ref());
        for (entry, found) in told.filter(|(entry, _)| changed.contains(&entry.id)) {
            let tags = found.tags.iter().map(|tag| tag.tag.name().to_owned()).collect();
            self.events.publish(&entry.owner, Event::FileTagged { path: entry.path.to_string(), tags });
        }
        Ok(())
    }

    async fn try_again(&self, row: &OutboxRow, error: &str) {
        tracing::warn!(entry = %row.entry, error, "file not tagged, will be tried again");
        self.state.failed(error);
        let settled = self.extents.catalog.outbox_failed(row.seq, error, retry_at(row.attempts)).await;
        if let Err(error) = settled {
            tracing::warn!(%error, "tagging could not be settled; it is repeated, which changes nothing");
        }
    }
}

fn weighted(tags: Vec<asterism_tagger::Tag>) -> Vec<WeightedTag> {
    let weighted = tags
        .into_iter()
        .map(|tag| WeightedTag::new(tag.kind.as_str(), &tag.name, f64::from(tag.score), &tag.evidence).ok());
    weighted.flatten().collect()
}

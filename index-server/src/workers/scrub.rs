//! Scrub: every shard is read on its node now and then, and every cell of it checked, at a limited speed; what is missing or damaged
//! is noted and rebuilt. How far a pass has come is kept in the catalog, so that a restart does not begin it anew.

use crate::{
    catalog::{CatalogError, ExtentRow, Walk},
    damage::FoundBy,
    files::Extents,
    workers::{Pace, WorkerState, now_ms},
};
use asterism_cluster::{ShardKey, Verified};
use asterism_proto::NodeId;
use asterism_service::failpoint;
use futures::{StreamExt, stream};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// What the catalog calls this walk.
pub(crate) const WALK: &str = "scrub";
/// Extents dealt with before their number is noted. So many are done again after a crash.
const PAGE: u32 = 128;
/// Shards and bytes of one call: a node has 30 seconds to read them, other calls wait meanwhile.
const CALL_SHARDS: usize = 64;
const CALL_BYTES: u64 = 32 << 20;
/// Nodes that read at the same time.
const AT_ONCE: usize = 4;

pub(crate) struct Scrub {
    pub(crate) extents: Extents,
    pub(crate) state: WorkerState,
    pub(crate) pace: Pace,
    /// From the beginning of a pass to the beginning of the next one, at least.
    pub(crate) every: Duration,
    left: Mutex<Option<u64>>,
}

/// Some shards that a node is to read.
struct Call {
    node: NodeId,
    keys: Vec<ShardKey>,
    bytes: u64,
}

/// What came of reading.
#[derive(Default)]
struct Tally {
    found: u64,
    skipped: u64,
    trouble: Option<String>,
}

impl Scrub {
    pub(crate) fn new(extents: Extents, state: WorkerState, pace: Pace, every: Duration) -> Self {
        Self { extents, state, pace, every, left: Mutex::default() }
    }

    /// A page of extents, or the end of a pass; true if the pass goes on.
    pub(crate) async fn pass(&self) -> Result<bool, CatalogError> {
        let catalog = &self.extents.catalog;
        let mut walk = catalog.walk(WALK).await?;
        if walk.pass == 0 || walk.ended_ms.is_some() {
            let age = now_ms().saturating_sub(walk.began_ms);
            if walk.pass > 0 && (0..self.every.as_millis() as i64).contains(&age) {
                self.set_left(Some(0));
                return Ok(false);
            }
            walk = Walk { pass: walk.pass + 1, began_ms: now_ms(), last_ms: walk.last_ms, ..Walk::default() };
            self.set_left(None);
        }
        let left = match self.left() {
            Some(left) if walk.after.is_some() => left,
            _ => catalog.extents_left(walk.after).await?,
        };
        self.set_left(Some(left));
        let rows = catalog.extents_after(walk.after, PAGE).await?;
        let Some(last) = rows.last() else { return self.end(walk).await };
        let tally = self.page(&rows).await?;
        walk.after = Some(last.id);
        walk.seen += rows.len() as u64;
        walk.found += tally.found;
        walk.skipped += tally.skipped;
        failpoint::hit("scrub.page_read");
        catalog.set_walk(WALK, &walk).await?;
        self.set_left(Some(left.saturating_sub(rows.len() as u64)));
        self.state.succeeded(rows.len() as u64);
        // Last, so that what worked elsewhere does not hide it.
        if let Some(trouble) = tally.trouble {
            self.state.failed(trouble);
        }
        Ok(true)
    }

    async fn end(&self, mut walk: Walk) -> Result<bool, CatalogError> {
        let ended = now_ms();
        let took = u64::try_from(ended - walk.began_ms).unwrap_or(0).max(1);
        (walk.after, walk.ended_ms, walk.last_ms) = (None, Some(ended), Some(took));
        self.extents.catalog.set_walk(WALK, &walk).await?;
        self.set_left(Some(0));
        let Walk { pass, seen, found, skipped, .. } = walk;
        tracing::info!(
            pass,
            extents = seen,
            found,
            skipped,
            seconds = took / 1000,
            "everything was scrubbed"
        );
        Ok(false)
    }

    fn left(&self) -> Option<u64> {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_left(&self, left: Option<u64>) {
        self.state.set_queue(left.unwrap_or(0));
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = left;
    }

    async fn page(&self, rows: &[ExtentRow]) -> Result<Tally, CatalogError> {
        let (mut tally, mut by_node) = (Tally::default(), BTreeMap::<NodeId, Vec<(ShardKey, u64)>>::new());
        for row in rows {
            let Some(extent) = self.extents.extent(row) else {
                tally.trouble = Some("the metadata of an extent is damaged".into());
                continue;
            };
            let bytes = row.bytes.div_ceil(u64::from(row.data.max(1)));
            // What is known to be missing is repair's.
            let slots = (0..extent.nodes.len()).filter(|slot| !row.short_slots.contains(&(*slot as u8)));
            for slot in slots {
                by_node.entry(extent.nodes[slot]).or_default().push((extent.key(slot), bytes));
            }
        }
        let mut calls = Vec::new();
        for (node, shards) in by_node {
            if self.extents.members.is_heard(node) {
                calls.extend(calls_of(node, shards));
            } else {
                tally.skipped += shards.len() as u64; // Counted when it comes back, and read in the next pass.
            }
        }
        let mut calls = stream::iter(calls.into_iter().map(|call| self.call(call))).buffer_unordered(AT_ONCE);
        while let Some(one) = calls.next().await {
            let one = one?;
            tally.found += one.found;
            tally.skipped += one.skipped;
            tally.trouble = one.trouble.or(tally.trouble);
        }
        Ok(tally)
    }

    async fn call(&self, Call { node, keys, bytes }: Call) -> Result<Tally, CatalogError> {
        self.pace.spend(bytes, keys.len() as u64).await;
        let verdicts = match self.extents.shards.verify(node, keys.clone()).await {
            Ok(verdicts) => verdicts,
            Err(error) => {
                tracing::warn!(%node, %error, "shards could not be scrubbed; the next pass comes by again");
                let trouble = Some(error.to_string());
                return Ok(Tally { found: 0, skipped: keys.len() as u64, trouble });
            }
        };
        let damage = &self.extents.damage;
        damage.scrubbed.inc_by(keys.len() as u64);
        damage.scrubbed_bytes.inc_by(bytes);
        let (bad, failed): (Vec<_>, Vec<_>) = keys
            .into_iter()
            .zip(verdicts)
            .filter(|(_, verdict)| *verdict != Verified::Valid)
            .partition(|(_, verdict)| *verdict != Verified::Failed);
        let unread = failed.len();
        let trouble = (unread > 0).then(|| format!("{unread} shards of a node could not be read"));
        let mut tally = Tally { found: 0, skipped: unread as u64, trouble };
        for (key, _) in bad {
            tally.found += u64::from(self.note(node, key).await?);
        }
        Ok(tally)
    }

    /// Looks once more: a shard may have been moved, removed or rebuilt since.
    async fn note(&self, node: NodeId, key: ShardKey) -> Result<bool, CatalogError> {
        let again = self.extents.shards.verify(node, vec![key]).await;
        let Some(verdict) = again.ok().and_then(|verdicts| verdicts.first().copied()) else {
            return Ok(false);
        };
        if !matches!(verdict, Verified::Absent | Verified::Corrupt { .. }) {
            return Ok(false);
        }
        let noted = self.extents.note_damage(node, key, verdict, FoundBy::Scrub).await?;
        if noted {
            tracing::warn!(extent = %key.extent, slot = key.slot, %node, ?verdict, "the scrub found a bad shard");
            failpoint::hit("scrub.noted");
        }
        Ok(noted)
    }
}

/// The shards of a node in portions that it can read in time.
fn calls_of(node: NodeId, shards: Vec<(ShardKey, u64)>) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for (key, bytes) in shards {
        match calls.last_mut() {
            Some(call) if call.keys.len() < CALL_SHARDS && call.bytes + bytes <= CALL_BYTES => {
                call.keys.push(key);
                call.bytes += bytes;
            }
            _ => calls.push(Call { node, keys: vec![key], bytes }),
        }
    }
    calls
}

#[cfg(test)]
mod tests;

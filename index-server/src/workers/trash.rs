//! The trash: what has lain there long enough goes for good; old answers and credentials are forgotten on the way.

use crate::{
    catalog::{Catalog, CatalogError},
    workers::{WorkerState, now_ms},
};
use asterism_service::failpoint;
use std::time::Duration;

/// Entries purged in one transaction.
const BATCH: u32 = 500;
/// Answers to named requests are remembered this long.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

pub(super) struct Trash {
    pub(super) catalog: Catalog,
    pub(super) kept: Duration,
    pub(super) state: WorkerState,
}

impl Trash {
    /// One pass; true if more waits.
    pub(super) async fn pass(&self) -> Result<bool, CatalogError> {
        let now = now_ms();
        let purged = self.catalog.purge_expired(now - self.kept.as_millis() as i64, BATCH).await?;
        if purged.entries > 0 {
            failpoint::hit("purge.committed");
            self.state.succeeded(purged.entries);
        }
        let forgotten = self.catalog.forget_requests(now - REMEMBERED.as_millis() as i64, BATCH).await?;
        self.catalog.purge_credentials(now).await?;
        Ok(purged.more || forgotten == u64::from(BATCH))
    }
}

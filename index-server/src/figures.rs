//! Figures of the whole cluster that cost a look at many rows: margins, queues, totals. Everybody who shows them shares one count,
//! which is made again when something was written since; where counting takes long, only a small part of the time goes into it.

use crate::{
    catalog::{CALL_DEADLINE, Catalog, CatalogError, Group, Topic, Totals, Trouble},
    margin::{self, Exceptions, Margins},
    members::Members,
    stop_proof::exceptions,
    workers::{Job, Roster},
};
use asterism_erasure::Policy;
use asterism_proto::NodeId;
use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, timeout};

/// A count that takes no longer is made again after every change.
const CHEAP: Duration = Duration::from_millis(100);
/// A dearer one takes one part in so many of the time.
const PART: u32 = 20;
/// Other processes write to the database, too.
const AGE_MAX: Duration = Duration::from_secs(10);

/// The figures of one cluster; clones share them.
#[derive(Clone)]
pub struct Figures(Arc<Inner>);

struct Inner {
    catalog: Catalog,
    members: Members,
    policy: Policy,
    roster: Roster,
    exceptions: Kept<Arc<Exceptions>>,
    totals: Kept<Totals>,
    standing: std::sync::Mutex<Option<(Seen, Standing)>>,
}

/// What margins were counted from.
#[derive(PartialEq, Eq)]
struct Seen {
    exceptions: Arc<Exceptions>,
    groups: Arc<Vec<Group>>,
    live: BTreeSet<NodeId>,
}

/// How far the cluster is from losing something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Of groups and short extents.
    pub margins: Arc<Margins>,
    /// Extents that lack shards.
    pub short_extents: u64,
}

impl Figures {
    /// Nothing is counted yet.
    pub fn new(catalog: Catalog, members: Members, policy: Policy, roster: Roster) -> Self {
        let (exceptions, totals, standing) = Default::default();
        Self(Arc::new(Inner { catalog, members, policy, roster, exceptions, totals, standing }))
    }

    /// Margins with the nodes that are live now. On the way the roster's queues are set.
    ///
    /// # Errors
    /// The catalog cannot be asked.
    pub async fn margins(&self) -> Result<Standing, CatalogError> {
        let inner = &*self.0;
        let (is_live, members) = (inner.members.live(), inner.members.all());
        let exceptions = inner.exceptions.get(&inner.catalog, async || self.count().await).await?;
        let waiting = inner.members.to_be_counted().len() as u64;
        inner.roster.of(Job::Census).set_queue(waiting);
        let live = members.iter().map(|member| member.row.id).filter(|node| is_live(*node)).collect();
        let seen = Seen { exceptions, groups: inner.members.groups(), live };
        let mut kept = inner.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, standing)) = &*kept
            && before.is(&seen)
        {
            return Ok(standing.clone());
        }
        let margins = margin::count(&seen.groups, &seen.exceptions, inner.policy, is_live);
        let short_extents = seen.exceptions.short.len() as u64;
        let standing = Standing { margins: Arc::new(margins), short_extents };
        *kept = Some((seen, standing.clone()));
        Ok(standing)
    }

    /// How much there is.
    ///
    /// # Errors
    /// The catalog cannot be asked.
    pub async fn totals(&self) -> Result<Totals, CatalogError> {
        let catalog = &self.0.catalog;
        self.0.totals.get(catalog, async || catalog.totals().await).await
    }

    async fn count(&self) -> Result<Arc<Exceptions>, CatalogError> {
        let Inner { catalog, roster, .. } = &*self.0;
        let exceptions = exceptions(catalog).await?;
        roster.of(Job::Repair).set_queue(exceptions.short.len() as u64);
        roster.of(Job::Tagging).set_queue(catalog.outbox_count(Topic::Tag).await?.0);
        roster.of(Job::Graph).set_queue(catalog.outbox_count(Topic::Graph).await?.0);
        roster.of(Job::Deletion).set_queue(catalog.removal_count().await?);
        roster.of(Job::Moves).set_queue(catalog.moves_left().await?);
        Ok(Arc::new(exceptions))
    }
}

impl Seen {
    /// The same, without a look at what is in them.
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.exceptions, &other.exceptions)
            && Arc::ptr_eq(&self.groups, &other.groups)
            && self.live == other.live
    }
}

/// Something that was counted, and what that cost.
struct Kept<T>(tokio::sync::Mutex<Option<Count<T>>>);

struct Count<T> {
    value: T,
    at: Instant,
    took: Duration,
    /// Of the catalog, before the count began.
    changes: u64,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(tokio::sync::Mutex::default())
    }
}

impl<T: Clone> Kept<T> {
    /// The value that is kept if it is good enough, else a new one. Who comes meanwhile waits for it.
    async fn get(
        &self,
        catalog: &Catalog,
        count: impl AsyncFnOnce() -> Result<T, CatalogError>,
    ) -> Result<T, CatalogError> {
        // Who counts may wait for the database for as long as a call may; those behind it are not to wait one after the other.
        let late = |_| CatalogError::Unavailable(Trouble::Deadline(CALL_DEADLINE));
        let mut kept = timeout(CALL_DEADLINE, self.0.lock()).await.map_err(late)?;
        let changes = catalog.database().changes();
        if let Some(count) = &*kept
            && is_good(count.at.elapsed(), count.took, count.changes == changes)
        {
            return Ok(count.value.clone());
        }
        let begin = Instant::now();
        let value = count().await?;
        *kept = Some(Count { value: value.clone(), at: Instant::now(), took: begin.elapsed(), changes });
        Ok(value)
    }
}

/// Whether a count of this age, that took so long, is still good.
fn is_good(age: Duration, took: Duration, unchanged: bool) -> bool {
    let earned = took * PART;
    match unchanged {
        true => age < AGE_MAX.max(earned),
        false => took > CHEAP && age < earned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{catalog::Role, test_bed::ClusterBed, test_bed::noise};

    #[test]
    fn what_is_cheap_is_never_old_and_what_is_dear_is_not_counted_all_the_time() {
        let check = |age: u64, took: u64, unchanged: bool, good: bool| {
            let (age, took) = (Duration::from_millis(age), Duration::from_millis(took));
            assert_eq!(is_good(age, took, unchanged), good, "{age:?} {took:?} {unchanged}");
        };
        check(0, 50, false, false);
        check(9_000, 50, true, true);
        check(10_001, 50, true, false);
        check(30_000, 2_000, false, true);
        check(39_999, 2_000, true, true);
        check(40_001, 2_000, false, false);
    }

    #[tokio::test]
    async fn a_change_shows_at_once_and_queues_with_it() {
        let bed = ClusterBed::start().await;
        bed.user("ada", Role::Editor).await;
        let roster = Roster::default();
        let figures =
            Figures::new(bed.catalog.clone(), bed.members.clone(), bed.extents.policy, roster.clone());
        let whole = figures.margins().await.unwrap();
        assert_eq!((whole.margins.worst, whole.short_extents), (Some(2), 0));
        bed.store("ada", "/f", noise(100_000, 1)).await;
        assert_eq!(figures.totals().await.unwrap().bytes, 100_000);
        let extent = bed.extents_of("ada", "/f").await.remove(0);
        assert!(bed.catalog.mark_short(extent.id, 0, extent.nodes[0]).await.unwrap());
        let short = figures.margins().await.unwrap();
        assert_eq!((short.margins.worst, short.short_extents), (Some(1), 1));
        assert_eq!(roster.of(Job::Repair).report().queue, 1);
        // Who dies is seen without a change of the catalog.
        let other = bed.nodes.iter().position(|node| *node == extent.nodes[1]).unwrap();
        bed.bury(other).await;
        assert_eq!(figures.margins().await.unwrap().margins.worst, Some(0));
    }
}

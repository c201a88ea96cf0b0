//! One index-server at a time does the background work: the holder of a lease whose epoch storage nodes check too.

use super::{
    LOOK_EVERY,
    census::Census,
    deletion::Deletion,
    fsck::{Fsck, FsckWorker},
    graph::Projection,
    moves::{Moves, Moving},
    orphans::{Allowance, Orphans},
    pace::Pace,
    repair::Repair,
    scrub::Scrub,
    state::{Job, Roster, WorkerState},
    tagging::Tagging,
    trash::Trash,
};
use crate::{
    catalog::{Catalog, CatalogError, Dialect, Lease},
    events::{Event, Events},
    figures::Figures,
    files::Extents,
    graph::TagGraph,
    plan,
};
use asterism_service::{Backoff, failpoint, world};
use asterism_tagger::Pool;
use futures::future::join_all;
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The lease under which background work is done; its epoch fences all writes to nodes.
pub(crate) const LEASE: &str = "background";
/// A holder shows life this often.
const BEAT: Duration = Duration::from_secs(2);
/// A lease whose beat has not changed for this long may be taken.
const LEASE_TIME: Duration = Duration::from_secs(10);
/// The trash is looked at this often, or as often as something can have lain there long enough.
const TRASH_EVERY: Duration = Duration::from_secs(600);
/// A node that stalled is well again if it answers in this time.
const ANSWER: Duration = Duration::from_secs(2);
/// Rates are measured, and changes of nodes and margins told, this often.
const MEASURE: Duration = Duration::from_secs(1);

/// How fast and how often every shard is read on its node.
#[derive(Clone)]
pub struct Scrubbing {
    /// Of all nodes together.
    pub pace: Pace,
    /// From the beginning of a pass to the beginning of the next one, at least.
    pub every: Duration,
}

/// The background work of one index-server.
pub struct Workers {
    /// The way to the bytes.
    pub extents: Extents,
    /// What is projected to.
    pub graph: Arc<dyn TagGraph>,
    /// The tagger's processes.
    pub pool: Arc<Pool>,
    /// To tell the page.
    pub events: Events,
    /// How long deleted files are kept.
    pub trash_kept: Duration,
    /// Told when something is to be tagged.
    pub tagging: Arc<Notify>,
    /// Told when something is to be projected.
    pub projecting: Arc<Notify>,
    /// How fast shards are moved, and who is told to look.
    pub moving: Moving,
    /// The comparison that somebody may ask for.
    pub fsck: Fsck,
    /// How often shards are looked for that nothing names.
    pub orphans_every: Duration,
    /// What a person allows of them.
    pub allowance: Allowance,
    /// How long a silent node is waited for before its shards are rebuilt elsewhere.
    pub spare_after: Duration,
    /// How fast and how often everything is read.
    pub scrubbing: Scrubbing,
    /// What each of them shows of itself.
    pub roster: Roster,
    /// Figures of the whole cluster.
    pub figures: Figures,
}

impl Workers {
    /// Waits for the lease, works while it is held, and so on until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let tracker = TaskTracker::new();
        tracker.spawn(measure(
            self.extents.clone(),
            self.events.clone(),
            self.roster.clone(),
            self.figures.clone(),
            stop.clone(),
        ));
        tracker.spawn(ask_stalled(self.extents.clone(), stop.clone()));
        let holder = world::new_uuid().simple().to_string();
        let mut backoff = Backoff::new(Duration::from_millis(200), LEASE_TIME);
        while !stop.is_cancelled() {
            let held = tokio::select! {
                held = acquire(&self.extents.catalog, &holder) => held,
                () = stop.cancelled() => break,
            };
            match held {
                Ok(lease) => {
                    failpoint::hit("lease.taken");
                    backoff.reset();
                    self.work(lease, &stop).await;
                }
                Err(CatalogError::Stale) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot ask for the background lease");
                    tokio::select! {
                        () = sleep(backoff.pause()) => {}
                        () = stop.cancelled() => break,
                    }
                }
            }
        }
        tracker.close();
        tracker.wait().await;
    }

    /// Works until the lease is lost or the process stops; then gives it back.
    async fn work(&self, lease: Lease, stop: &CancellationToken) {
        tracing::info!(epoch = lease.epoch, "background work begins here");
        self.extents.epoch.fetch_max(lease.epoch, Ordering::Relaxed);
        let working = stop.child_token();
        let tracker = TaskTracker::new();
        self.start(&lease, &tracker, &working);
        let lease = hold(&self.extents.catalog, lease, &working).await;
        working.cancel();
        tracker.close();
        tracker.wait().await;
        if let Some(lease) = lease
            && let Err(error) = self.extents.catalog.release_lease(&lease).await
        {
            tracing::warn!(%error, "background lease not given back; the next holder waits for it to run out");
        }
    }

    fn start(&self, lease: &Lease, tracker: &TaskTracker, stop: &CancellationToken) {
        let extents = Extents { catalog: self.extents.catalog.fenced(lease), ..self.extents.clone() };
        let catalog = extents.catalog.clone();
        let state = |job| self.roster.of(job).clone();
        let nobody = Arc::<Notify>::default;
        let (repair, woken) = (state(Job::Repair), Arc::clone(&extents.repair));
        let worker = Repair::new(extents.clone(), repair.clone(), self.spare_after);
        tracker.spawn(repeat(repair, woken, LOOK_EVERY, stop.clone(), async move || worker.pass().await));
        let census = state(Job::Census);
        let worker = Census { extents: extents.clone(), state: census.clone() };
        tracker.spawn(repeat(census, nobody(), LOOK_EVERY, stop.clone(), async move || worker.pass().await));
        let (scrub, Scrubbing { pace, every }) = (state(Job::Scrub), self.scrubbing.clone());
        let worker = Scrub::new(extents.clone(), scrub.clone(), pace, every);
        tracker.spawn(repeat(scrub, nobody(), LOOK_EVERY, stop.clone(), async move || worker.pass().await));
        let deletion = state(Job::Deletion);
        let worker = Deletion { extents: extents.clone(), state: deletion.clone() };
        tracker
            .spawn(repeat(deletion, nobody(), LOOK_EVERY, stop.clone(), async move || worker.pass().await));
        let (fsck, woken) = (state(Job::Fsck), self.fsck.woken());
        let worker = FsckWorker {
            extents: extents.clone(),
            graph: Arc::clone(&self.graph),
            fsck: self.fsck.clone(),
            allowance: self.allowance.clone(),
            state: fsck.clone(),
        };
        tracker.spawn(repeat(fsck, woken, LOOK_EVERY, stop.clone(), async move || worker.pass().await));
        let orphans = state(Job::Orphans);
        let worker = Orphans {
            extents: extents.clone(),
            state: orphans.clone(),
            every: self.orphans_every,
            kept: self.trash_kept,
            allowance: self.allowance.clone(),
        };
        tracker.spawn(repeat(orphans, nobody(), LOOK_EVERY, stop.clone(), async move || worker.pass().await));
        let (moves, moving, patience) = (state(Job::Moves), self.moving.clone(), plan::PATIENCE);
        let woken = Arc::clone(&moving.wake);
        let worker = Moves { extents: extents.clone(), state: moves.clone(), moving, patience };
        tracker.spawn(repeat(moves, woken, LOOK_EVERY, stop.clone(), async move || worker.pass().await));
        let trash = state(Job::Trash);
        let worker = Trash { catalog: catalog.clone(), kept: self.trash_kept, state: trash.clone() };
        // Without a time in the trash, what is deleted gives its room back at once: disks may be full.
        let every = TRASH_EVERY.min(self.trash_kept).max(LOOK_EVERY);
        tracker.spawn(repeat(trash, nobody(), every, stop.clone(), async move || worker.pass().await));
        let (graph, woken) = (state(Job::Graph), Arc::clone(&self.projecting));
        let worker = Projection::new(catalog, Arc::clone(&self.graph), graph.clone());
        tracker.spawn(repeat(graph, woken, LOOK_EVERY, stop.clone(), async move || worker.pass().await));
        let (tagging, woken) = (state(Job::Tagging), Arc::clone(&self.tagging));
        let worker = Tagging {
            extents,
            pool: Arc::clone(&self.pool),
            events: self.events.clone(),
            projecting: Arc::clone(&self.projecting),
            state: tagging.clone(),
        };
        tracker.spawn(repeat(tagging, woken, LOOK_EVERY, stop.clone(), async move || worker.pass().await));
    }
}

/// Runs passes: at once again while there is more, else when woken or when it is time to look.
async fn repeat(
    state: WorkerState,
    woken: Arc<Notify>,
    every: Duration,
    stop: CancellationToken,
    pass: impl AsyncFn() -> Result<bool, CatalogError>,
) {
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
    loop {
        let passed = tokio::select! {
            passed = pass() => passed,
            () = stop.cancelled() => return,
        };
        let pause = match passed {
            Ok(true) => continue,
            Ok(false) => {
                backoff.reset();
                every
            }
            Err(error) => {
                tracing::warn!(worker = state.report().name, %error, "pass of a background worker failed");
                state.failed(error);
                backoff.pause()
            }
        };
        tokio::select! {
            _ = timeout(pause, woken.notified()) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Takes the lease at once if it is free, else when its holder shows no life for the lease time.
async fn acquire(catalog: &Catalog, holder: &str) -> Result<Lease, CatalogError> {
    match catalog.acquire_lease(LEASE, holder, None).await {
        Err(CatalogError::Stale) => {
            let seen = catalog.lease(LEASE).await?;
            // An SQLite database is this process's alone: whoever held the lease has ended.
            if catalog.database().dialect() != Dialect::Sqlite {
                sleep(LEASE_TIME).await;
            }
            catalog.acquire_lease(LEASE, holder, seen.as_ref()).await
        }
        taken => taken,
    }
}

/// Shows life until asked to stop (the lease as it is then) or until the lease is lost (none).
async fn hold(catalog: &Catalog, lease: Lease, stop: &CancellationToken) -> Option<Lease> {
    let mut lease = lease;
    let mut last = tokio::time::Instant::now();
    loop {
        tokio::select! {
            () = sleep(BEAT) => {}
            () = stop.cancelled() => return Some(lease),
        }
        match timeout(BEAT, catalog.renew_lease(&lease)).await {
            Ok(Ok(renewed)) => {
                lease = renewed;
                last = tokio::time::Instant::now();
            }
            Ok(Err(CatalogError::Stale)) => {
                tracing::warn!("background lease lost: somebody else has taken over");
                return None;
            }
            Ok(Err(_)) | Err(_) if last.elapsed() + BEAT * 2 < LEASE_TIME => {}
            Ok(Err(_)) | Err(_) => {
                tracing::warn!("background lease could not be renewed in time");
                return None;
            }
        }
    }
}

/// Asks nodes that let a write wait in vain whether they are well again.
async fn ask_stalled(extents: Extents, stop: CancellationToken) {
    let mut tick = interval(MEASURE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop.cancelled() => return,
        }
        let asked = extents.members.to_be_asked().into_iter().map(async |node| {
            if let Ok(Ok(_)) = timeout(ANSWER, extents.shards.verify(node, Vec::new())).await {
                extents.members.answered(node);
            }
        });
        tokio::select! {
            _ = join_all(asked) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Measures rates, and tells the page when nodes or margins changed.
async fn measure(
    extents: Extents,
    events: Events,
    roster: Roster,
    figures: Figures,
    stop: CancellationToken,
) {
    let mut tick = interval(MEASURE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut nodes = BTreeMap::new();
    let mut margins = None;
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop.cancelled() => return,
        }
        roster.iter().for_each(WorkerState::measure);
        // Another index-server may have taken over and raised the epoch at the nodes: uploads through this one must keep up.
        if let Ok(epoch) = extents.catalog.current_epoch(LEASE).await {
            extents.epoch.fetch_max(epoch, Ordering::Relaxed);
        }
        for member in extents.members.all() {
            let now = extents.members.state(&member).as_str();
            let before = nodes.insert(member.row.name.to_string(), now);
            if let Some(before) = before.filter(|before| *before != now) {
                let (from, to) = (before.to_owned(), now.to_owned());
                events.publish_to_all(Event::NodeChanged { node: member.row.name.to_string(), from, to });
            }
        }
        // A database that is away is told by everything else.
        if let Ok(margin) = figures.margins().await {
            let now = (margin.margins.worst, margin.short_extents);
            if margins.replace(now).is_some_and(|before| before != now) {
                events.publish_to_all(Event::GroupsChanged { worst_margin: now.0, short_extents: now.1 });
            }
        }
    }
}

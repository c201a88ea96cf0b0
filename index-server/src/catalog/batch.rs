//! Several writes of one SQLite file in one commit. The sync is what a commit costs, and it costs the same for one change as for many.
//!
//! A task owns the pen. Whoever wants to write gets in line, is handed the connection with a transaction that is open, changes what he
//! must behind a savepoint of his own, and hands it back. Those in line follow; one commit makes all of it durable, and nobody hears
//! of success before. A change that fails goes back to its savepoint and spoils nothing. A connection that does not come back (its
//! holder went away, his time ran out, the database gave the transaction up) takes the transaction with it: nothing of it was
//! committed, and the others do theirs again.

use super::{Dialect, Trouble, Tx, database::give_back, error::SqlFault};
use asterism_service::{failpoint, world};
use sqlx::{Any, AnyPool, Error as Sql, pool::PoolConnection, raw_sql};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};

/// Writers in one commit; more would let the first of them wait too long.
const MEMBERS_MAX: usize = 128;
/// After so long a transaction takes nobody else in: who is in it waits for its commit.
const OPEN_MAX: Duration = Duration::from_millis(20);
/// Work in the background lets others go first, but not for longer than this.
const PATIENCE: Duration = Duration::from_millis(50);
/// Writers in line; each is a request or a worker, which are bounded themselves.
const LINE_MAX: usize = 4096;
/// A commit gets its own time: cut short, nobody knows whether it happened.
pub(super) const COMMIT_DEADLINE: Duration = Duration::from_secs(30);

/// Who waits for the answer to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Somebody does.
    Request,
    /// Nobody does.
    Background,
}

/// The line of those who want to write; clones are the same line.
#[derive(Clone)]
pub(super) struct Line {
    requests: mpsc::Sender<Turn>,
    background: mpsc::Sender<Turn>,
    commits: Arc<AtomicU64>,
}

/// One in the line.
struct Turn {
    seat: oneshot::Sender<Result<Seat, Sql>>,
    urgency: Urgency,
    since: Instant,
}

/// The connection, inside a transaction that others may share. Whoever goes away with it, even before he has seen it, takes the
/// transaction along: dropped, it closes the connection.
pub(super) struct Seat {
    pub(super) tx: Tx,
    /// How many have changed something in this transaction before.
    pub(super) before: usize,
    /// Takes the connection back; dropped without it, the transaction is lost.
    pub(super) back: oneshot::Sender<Back>,
    /// What became of the transaction.
    pub(super) ended: oneshot::Receiver<Ended>,
}

/// How the connection comes back.
pub(super) enum Back {
    /// With the transaction still open.
    Open(PoolConnection<Any>),
    /// Rolled back, which only the first may do.
    RolledBack(PoolConnection<Any>),
}

/// What became of a transaction.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    /// It is durable.
    Committed,
    /// Nothing of it happened.
    Lost,
    /// It has happened or it has not.
    Unknown(Arc<Sql>),
    /// The same, for want of an answer in time.
    Late,
}

impl Line {
    /// Begins to serve the line on `pool`, which has one connection. The task ends with the last clone of the line.
    pub(super) fn begin(pool: AnyPool) -> Self {
        let (requests, request_line) = mpsc::channel(LINE_MAX);
        let (background, background_line) = mpsc::channel(LINE_MAX);
        let commits = Arc::<AtomicU64>::default();
        let waiting = Waiting { requests: request_line, background: background_line, first: None };
        let mut clerk = Clerk { pool, waiting, commits: Arc::clone(&commits) };
        tokio::spawn(async move { while clerk.transaction().await {} });
        Self { requests, background, commits }
    }

    /// Waits for its turn.
    pub(super) async fn seat(&self, urgency: Urgency) -> Result<Seat, Sql> {
        let (seat, mine) = oneshot::channel();
        let line = match urgency {
            Urgency::Request => &self.requests,
            Urgency::Background => &self.background,
        };
        line.send(Turn { seat, urgency, since: Instant::now() }).await.map_err(|_| Sql::PoolClosed)?;
        mine.await.unwrap_or(Err(Sql::PoolClosed))
    }

    /// Transactions that were committed so far.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

/// Serves the line.
struct Clerk {
    pool: AnyPool,
    waiting: Waiting,
    commits: Arc<AtomicU64>,
}

/// Who stands in the line.
struct Waiting {
    requests: mpsc::Receiver<Turn>,
    background: mpsc::Receiver<Turn>,
    /// Of the background: it was taken out of its line and not let in yet.
    first: Option<Turn>,
}

impl Clerk {
    /// One transaction with all that fits; false when nobody can come any more.
    async fn transaction(&mut self) -> bool {
        let Some(first) = self.waiting.next().await else { return false };
        let mut connection = match self.begin().await {
            Ok(connection) => connection,
            Err(error) => {
                // Who has gone needs no answer.
                first.seat.send(Err(error)).ok();
                return true;
            }
        };
        let began = Instant::now();
        let mut members = Vec::new();
        let mut had_background = false;
        let mut next = Some(first);
        while let Some(turn) = next.take() {
            had_background |= turn.urgency == Urgency::Background;
            let visit = turn.visit(connection, members.len()).await;
            match visit {
                Visit::Stayed(back, ended) => {
                    members.push(ended);
                    connection = back;
                }
                Visit::Declined(back) => connection = back,
                Visit::RolledBack(back) => {
                    world::at_once(give_back(back)).await;
                    return true;
                }
                Visit::Gone(ended) => {
                    tracing::debug!(
                        members = members.len(),
                        "a shared transaction was lost and is done again"
                    );
                    members.into_iter().chain(ended).for_each(|member| tell(member, Ended::Lost));
                    return true;
                }
            }
            if members.len() < MEMBERS_MAX && began.elapsed() < OPEN_MAX {
                // One of the background in each: the work of many such would keep requests from their commit.
                next = self.waiting.here(!had_background, Instant::now());
            }
        }
        failpoint::hit("catalog.before_commit");
        let ended = world::at_once(commit(connection)).await;
        if matches!(ended, Ended::Committed) {
            failpoint::hit("catalog.after_commit");
            self.commits.fetch_add(1, Ordering::Relaxed);
        }
        members.into_iter().for_each(|member| tell(member, ended.clone()));
        true
    }
}

impl Clerk {
    async fn begin(&self) -> Result<PoolConnection<Any>, Sql> {
        // One that was lost is being closed, by the pool's tasks and threads: time must stand still until it is.
        while world::is_simulated() && self.pool.size() as usize > self.pool.num_idle() {
            tokio::task::yield_now().await;
        }
        world::at_once(begin(&self.pool)).await
    }
}

impl Waiting {
    /// The next one, however long it takes; none when nobody can come any more.
    async fn next(&mut self) -> Option<Turn> {
        if let Some(turn) = self.here(true, Instant::now()) {
            return Some(turn);
        }
        tokio::select! {
            biased;
            turn = self.requests.recv() => match turn {
                Some(turn) => Some(turn),
                None => self.background.recv().await,
            },
            Some(turn) = self.background.recv() => Some(turn),
        }
    }

    /// The next one that is here at `now`. Requests come first, unless the background has waited for too long.
    fn here(&mut self, background: bool, now: Instant) -> Option<Turn> {
        if background && self.first.is_none() {
            self.first = self.background.try_recv().ok();
        }
        if background && self.first.as_ref().is_some_and(|turn| now - turn.since >= PATIENCE) {
            return self.first.take();
        }
        match self.requests.try_recv() {
            Ok(turn) => Some(turn),
            Err(_) if background => self.first.take(),
            Err(_) => None,
        }
    }
}

/// How a turn went.
enum Visit {
    /// Done; the member waits for the end.
    Stayed(PoolConnection<Any>, oneshot::Sender<Ended>),
    /// Whoever was in line had left it.
    Declined(PoolConnection<Any>),
    /// The first one rolled back; nobody waits.
    RolledBack(PoolConnection<Any>),
    /// The connection did not come back.
    Gone(Option<oneshot::Sender<Ended>>),
}

impl Turn {
    async fn visit(self, connection: PoolConnection<Any>, before: usize) -> Visit {
        let (back, returned) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let tx = Tx::on(connection, Dialect::Sqlite);
        if let Err(refused) = self.seat.send(Ok(Seat { tx, before, back, ended })) {
            return match refused.ok().and_then(|seat| seat.tx.let_go()) {
                Some(connection) => Visit::Declined(connection),
                None => Visit::Gone(None),
            };
        }
        match returned.await {
            Ok(Back::Open(connection)) => Visit::Stayed(connection, end),
            Ok(Back::RolledBack(connection)) => Visit::RolledBack(connection),
            Err(_) => Visit::Gone(Some(end)),
        }
    }
}

fn tell(member: oneshot::Sender<Ended>, ended: Ended) {
    // Who does not wait any more has given up, and does not need to know.
    member.send(ended).ok();
}

async fn begin(pool: &AnyPool) -> Result<PoolConnection<Any>, Sql> {
    let mut connection = pool.acquire().await?;
    // A connection that is dropped in between must not serve others with a transaction that is open.
    match raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await {
        Ok(_) => Ok(connection),
        Err(error) => {
            connection.close_on_drop();
            Err(error)
        }
    }
}

async fn commit(mut connection: PoolConnection<Any>) -> Ended {
    let ended = match timeout(COMMIT_DEADLINE, raw_sql("COMMIT").execute(&mut *connection)).await {
        Ok(Ok(_)) => {
            give_back(connection).await;
            return Ended::Committed;
        }
        Ok(Err(error)) if SqlFault::of(&error) == SqlFault::Contended => Ended::Lost,
        Ok(Err(error)) => Ended::Unknown(Arc::new(error)),
        Err(_) => Ended::Late,
    };
    connection.close_on_drop();
    ended
}

impl Ended {
    /// What is wrong with it, if nobody can say whether it happened.
    pub(super) fn doubt(self) -> Option<Trouble> {
        match self {
            Self::Committed | Self::Lost => None,
            Self::Unknown(error) => Some(Trouble::Shared(error)),
            Self::Late => Some(Trouble::Deadline(COMMIT_DEADLINE)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who is let in, one after the other, when all these wait at first; `late` of the background have waited for too long.
    fn check(background: bool, requests: usize, patient: usize, late: usize, order: &[Urgency]) {
        let (to_requests, request_line) = mpsc::channel(8);
        let (to_background, background_line) = mpsc::channel(8);
        let now = Instant::now() + PATIENCE * 2;
        let turn = |urgency, since| Turn { seat: oneshot::channel().0, urgency, since };
        for _ in 0..requests {
            to_requests.try_send(turn(Urgency::Request, now - PATIENCE * 2)).unwrap();
        }
        for number in 0..patient + late {
            let since = if number < late { now - PATIENCE } else { now - PATIENCE / 2 };
            to_background.try_send(turn(Urgency::Background, since)).unwrap();
        }
        let mut waiting = Waiting { requests: request_line, background: background_line, first: None };
        let let_in: Vec<Urgency> =
            std::iter::from_fn(|| waiting.here(background, now)).map(|turn| turn.urgency).collect();
        assert_eq!(let_in, order);
    }

    #[test]
    fn requests_come_before_the_background_unless_it_waited_for_long() {
        use Urgency::{Background, Request};
        check(true, 2, 1, 0, &[Request, Request, Background]);
        check(true, 2, 1, 1, &[Background, Request, Request, Background]);
        check(false, 1, 1, 1, &[Request]);
        check(true, 0, 0, 0, &[]);
    }
}

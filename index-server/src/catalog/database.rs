//! The database behind the catalog: two pools, transactions with a deadline, and retries where nothing was committed.

use super::{
    CatalogError, Dialect, Result, Tx,
    batch::{Back, COMMIT_DEADLINE, Ended, Line, Seat, Urgency},
    error::SqlFault,
    error::Trouble,
    leases::Fence,
    migrations, mysql, sqlite,
};
use asterism_service::{Backoff, failpoint, world};
use sqlx::{Any, AnyPool, pool::PoolConnection};
use std::{
    fs::File,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

/// Every call ends within this time, waiting for a connection and for locks included.
pub const CALL_DEADLINE: Duration = Duration::from_secs(20);
/// A call that finds no free connection gives up after this time.
pub(super) const ACQUIRE_DEADLINE: Duration = Duration::from_secs(10);
/// A health check that takes longer has failed.
const PING_DEADLINE: Duration = Duration::from_secs(2);
/// Deadlocks and lost races are rare; more in a row than this are a fault, not bad luck.
const ATTEMPTS_MAX: u32 = 12;
const _: () = assert!(ACQUIRE_DEADLINE.as_secs() < CALL_DEADLINE.as_secs());

/// An open database, checked and migrated. A clone is the same database.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
    /// If set, writes are refused once the lease is lost.
    fence: Option<Fence>,
}

struct Inner {
    dialect: Dialect,
    /// Snapshots, as many at once as the pool holds.
    reads: AnyPool,
    /// For SQLite one single connection, which only the line takes.
    writes: AnyPool,
    /// For SQLite: writers share commits, and none ever meets SQLITE_BUSY. A server knows how to do that by itself.
    line: Option<Line>,
    /// Writes that may have changed something.
    changes: AtomicU64,
    /// Held for as long as an SQLite file is open: a second process is turned away.
    _lock: Option<File>,
}

/// Why a database is not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Neither `sqlite:///…` nor `mysql://…`.
    #[error("the database must be sqlite:///ABSOLUTE/PATH or mysql://USER:PASSWORD@HOST/DATABASE")]
    Address,
    /// Another process has it open.
    #[error("the database {0} is in use by another process")]
    InUse(String),
    /// The directory or the lock file cannot be used.
    #[error("cannot use the database {path}")]
    File {
        /// The file.
        path: String,
        /// What the file system said.
        source: std::io::Error,
    },
    /// It could lose or spoil what was acknowledged.
    #[error("the database is not safe: {setting} is {found}, but must be {wanted}")]
    Unsafe {
        /// The database's own name of the setting.
        setting: &'static str,
        /// Its value now.
        found: String,
        /// The value that is safe.
        wanted: &'static str,
    },
    /// Written by a newer version of this program, or by another program.
    #[error("the database's schema is not this program's: {0}")]
    Schema(String),
    /// It cannot be reached or refuses.
    #[error("cannot open the database")]
    Sql(#[from] sqlx::Error),
}

impl Database {
    /// Opens `sqlite:///absolute/path` (made if missing) or `mysql://…` (must exist), checks its settings and brings its schema up to date.
    ///
    /// # Errors
    /// It cannot be reached, is in use, is unsafe, or has a schema of another program.
    pub async fn open(url: &str) -> std::result::Result<Self, OpenError> {
        sqlx::any::install_default_drivers();
        let (dialect, pools, lock) = match url.split_once(':') {
            Some(("sqlite", _)) => {
                let (pools, lock) = sqlite::open(url).await?;
                (Dialect::Sqlite, pools, Some(lock))
            }
            Some(("mysql" | "mariadb", _)) => (Dialect::MySql, mysql::open(url).await?, None),
            _ => return Err(OpenError::Address),
        };
        migrations::run(&pools.writes, dialect).await?;
        let Pools { reads, writes } = pools;
        let line = (dialect == Dialect::Sqlite).then(|| Line::begin(writes.clone()));
        Ok(Self {
            inner: Arc::new(Inner {
                dialect,
                reads,
                writes,
                line,
                changes: AtomicU64::default(),
                _lock: lock,
            }),
            fence: None,
        })
    }

    /// The same database, but every write first checks `fence`, in its own transaction.
    pub(crate) fn fenced(&self, fence: Fence) -> Self {
        Self { inner: Arc::clone(&self.inner), fence: Some(fence) }
    }

    /// Which SQL it understands.
    pub fn dialect(&self) -> Dialect {
        self.inner.dialect
    }

    /// Runs `operation` on one snapshot of the database. It hands the transaction back with its result.
    ///
    /// # Errors
    /// Those of `operation`, or the database cannot be reached in time.
    pub async fn read<T, F, Fut>(&self, mut operation: F) -> Result<T>
    where
        F: FnMut(Tx) -> Fut,
        Fut: Future<Output = (Tx, Result<T>)>,
    {
        let attempt = async {
            let connection = self.inner.reads.acquire().await?;
            let tx = Tx::begin(connection, self.dialect(), self.dialect().begin_read()).await?;
            let (tx, outcome) = operation(tx).await;
            // What was read is read, even if the connection broke just after.
            if let Ok(connection) = tx.rollback().await {
                give_back(connection).await;
            }
            outcome
        };
        within(Instant::now() + CALL_DEADLINE, world::at_once(attempt)).await
    }

    /// Runs `operation`, which asks the database once: a statement is a snapshot by itself.
    ///
    /// # Errors
    /// As [`Database::read`].
    pub async fn look<T, F, Fut>(&self, operation: F) -> Result<T>
    where
        F: FnOnce(Tx) -> Fut,
        Fut: Future<Output = (Tx, Result<T>)>,
    {
        let attempt = async {
            let connection = self.inner.reads.acquire().await?;
            let (tx, outcome) = operation(Tx::on(connection, self.dialect())).await;
            match &outcome {
                // What the connection is good for now, nobody knows.
                Err(CatalogError::Unavailable(_) | CatalogError::Internal(_)) => drop(tx),
                // The answer was read to its end, so the connection can serve the next one.
                _ => {
                    if let Some(connection) = tx.let_go() {
                        give_back(connection).await;
                    }
                }
            }
            outcome
        };
        within(Instant::now() + CALL_DEADLINE, world::at_once(attempt)).await
    }

    /// Runs `operation` in a transaction and commits it if it succeeds; it hands the transaction back with its result. It is run
    /// again when the database rolled it back for the sake of another (deadlock, a name taken a moment ago).
    ///
    /// # Errors
    /// Those of `operation`; [`CatalogError::Unavailable`] if nothing was committed; [`CatalogError::OutcomeUnknown`].
    pub async fn write<T, F, Fut>(&self, mut operation: F) -> Result<T>
    where
        F: FnMut(Tx) -> Fut,
        Fut: Future<Output = (Tx, Result<T>)>,
    {
        let deadline = Instant::now() + CALL_DEADLINE;
        let mut backoff = Backoff::new(Duration::from_millis(2), Duration::from_millis(200));
        let mut attempts = 0;
        loop {
            attempts += 1;
            let written = self.write_once(deadline, &mut operation).await;
            // Also where nobody knows whether it was committed.
            self.inner.changes.fetch_add(1, Ordering::Release);
            match written {
                Err(error)
                    if error.is_worth_a_retry() && attempts < ATTEMPTS_MAX && Instant::now() < deadline =>
                {
                    tracing::debug!(attempts, %error, "transaction lost a race, trying again");
                    tokio::time::sleep(backoff.pause()).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn write_once<T, F, Fut>(&self, deadline: Instant, operation: &mut F) -> Result<T>
    where
        F: FnMut(Tx) -> Fut,
        Fut: Future<Output = (Tx, Result<T>)>,
    {
        if let Some(line) = &self.inner.line {
            return self.write_in_line(line, deadline, operation).await;
        }
        let attempt = async {
            let connection = self.inner.writes.acquire().await?;
            let tx = Tx::begin(connection, self.dialect(), self.dialect().begin_write()).await?;
            Ok(self.fenced_operation(tx, operation).await)
        };
        let (tx, outcome) = within(deadline, attempt).await?;
        match outcome {
            Ok(value) => {
                failpoint::hit("catalog.before_commit");
                within_commit(tx.commit()).await?;
                failpoint::hit("catalog.after_commit");
                Ok(value)
            }
            Err(error) => {
                // If the rollback fails, the connection is closed and the database rolls back by itself.
                within(deadline, async { Ok(tx.rollback().await?) }).await.ok();
                Err(error)
            }
        }
    }

    /// One write in a transaction that others share.
    async fn write_in_line<T, F, Fut>(&self, line: &Line, deadline: Instant, operation: &mut F) -> Result<T>
    where
        F: FnMut(Tx) -> Fut,
        Fut: Future<Output = (Tx, Result<T>)>,
    {
        let urgency = if self.fence.is_some() { Urgency::Background } else { Urgency::Request };
        let attempt = async {
            let seat = tokio::time::timeout(ACQUIRE_DEADLINE, line.seat(urgency));
            let seat = seat.await.map_err(|_| sqlx::Error::PoolTimedOut)??;
            world::at_once(self.write_at(seat, operation)).await
        };
        let (outcome, ended) = within(deadline, attempt).await?;
        let lost = || CatalogError::Unavailable(Trouble::Lost);
        let Some(ended) = ended else { return outcome.and_then(|_| Err(lost())) };
        // The others in the transaction may take as long as a call may, then comes the commit.
        let ended = tokio::time::timeout(CALL_DEADLINE + COMMIT_DEADLINE, ended).await;
        let doubt = match ended {
            Ok(Ok(Ended::Committed)) => return outcome,
            // Also who was refused must look again: what stood against it may have been lost as well.
            Ok(Ok(Ended::Lost)) => return Err(lost()),
            Ok(Ok(ended)) => ended.doubt(),
            _ => None,
        };
        let doubt = doubt.unwrap_or(Trouble::Deadline(COMMIT_DEADLINE));
        // Whoever changed nothing has no doubt about that.
        Err(if outcome.is_ok() {
            CatalogError::OutcomeUnknown(doubt)
        } else {
            CatalogError::Unavailable(doubt)
        })
    }

    /// Does what is to be written, and gives the connection back; with the outcome comes what tells of the commit, if there is one.
    async fn write_at<T, F, Fut>(
        &self,
        seat: Seat,
        operation: &mut F,
    ) -> Result<(Result<T>, Option<oneshot::Receiver<Ended>>)>
    where
        F: FnMut(Tx) -> Fut,
        Fut: Future<Output = (Tx, Result<T>)>,
    {
        let tx = match seat.before {
            0 => seat.tx,
            1 => seat.tx.after("SAVEPOINT own").await?,
            _ => seat.tx.after("RELEASE own; SAVEPOINT own").await?,
        };
        let (tx, outcome) = self.fenced_operation(tx, operation).await;
        // A connection that is dropped on the way takes the whole transaction with it.
        let back = match (&outcome, seat.before) {
            (Ok(_), _) => tx.let_go().map(Back::Open),
            (Err(_), 0) => tx.ended_by("ROLLBACK").await.ok().map(Back::RolledBack),
            (Err(_), _) => tx.ended_by("ROLLBACK TO own").await.ok().map(Back::Open),
        };
        let stayed = matches!(back, Some(Back::Open(_)));
        if let Some(back) = back {
            seat.back.send(back).ok();
        }
        Ok((outcome, stayed.then_some(seat.ended)))
    }

    async fn fenced_operation<T, F, Fut>(&self, mut tx: Tx, operation: &mut F) -> (Tx, Result<T>)
    where
        F: FnMut(Tx) -> Fut,
        Fut: Future<Output = (Tx, Result<T>)>,
    {
        if let Some(fence) = &self.fence
            && let Err(error) = fence.check(&mut tx).await
        {
            return (tx, Err(error));
        }
        operation(tx).await
    }

    /// Counts the writes of this process: what was read before the last of them may be out of date.
    pub fn changes(&self) -> u64 {
        self.inner.changes.load(Ordering::Acquire)
    }

    /// Transactions that SQLite was asked to make durable; several writes share one.
    pub fn commits(&self) -> u64 {
        self.inner.line.as_ref().map_or(0, Line::commits)
    }

    /// Whether the database answers, soon enough for somebody who waits for it.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn ping(&self) -> Result<()> {
        let ask = world::at_once(async {
            let mut connection = self.inner.reads.acquire().await?;
            sqlx::query("SELECT 1").fetch_one(&mut *connection).await?;
            give_back(connection).await;
            Ok(())
        });
        let late = CatalogError::Unavailable(Trouble::Deadline(PING_DEADLINE));
        tokio::time::timeout(PING_DEADLINE, ask).await.unwrap_or(Err(late))
    }

    /// Closes all connections; calls that come later fail.
    pub async fn close(&self) {
        self.inner.reads.close().await;
        self.inner.writes.close().await;
    }
}

/// The connections of one database, by what they are for.
pub(super) struct Pools {
    pub(super) reads: AnyPool,
    pub(super) writes: AnyPool,
}

/// Puts a connection back into its pool: by a task of the pool's own, for which nobody waits; in a simulated world at once.
pub(super) async fn give_back(mut connection: PoolConnection<Any>) {
    if world::is_simulated() {
        connection.return_to_pool().await;
    }
}

async fn within<T>(deadline: Instant, call: impl Future<Output = Result<T>>) -> Result<T> {
    timeout_at(deadline, call)
        .await
        .unwrap_or(Err(CatalogError::Unavailable(Trouble::Deadline(CALL_DEADLINE))))
}

async fn within_commit(commit: impl Future<Output = sqlx::Result<()>>) -> Result<()> {
    match tokio::time::timeout(COMMIT_DEADLINE, commit).await {
        Ok(Ok(())) => Ok(()),
        // Rolled back, said the database: a deadlock found late, or another member of its cluster was first.
        Ok(Err(error)) if SqlFault::of(&error) == SqlFault::Contended => Err(error.into()),
        Ok(Err(error)) => Err(CatalogError::OutcomeUnknown(Trouble::Sql(error))),
        Err(_) => Err(CatalogError::OutcomeUnknown(Trouble::Deadline(COMMIT_DEADLINE))),
    }
}

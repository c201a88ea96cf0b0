//! Transactions on a Neo4j server, each within its time and on a connection of its own.
//!
//! The driver gives a connection back to its pool even when a call is dropped halfway, and the next user then reads the answer to
//! somebody else's question. So every connection here is a pool of one; who finishes a call puts it back, and a call that fails or
//! is dropped takes its connection along. The driver's own retries go on for a minute, also after a wrong password; explicit
//! transactions are not retried by it, and what is worth a retry is retried here.

use super::{super::GraphError, Address};
use asterism_service::Backoff;
use neo4rs::{ConfigBuilder, Error, Graph, Neo4jClientErrorKind, Neo4jErrorKind, Query, Row};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

/// Every call ends within this time, waiting for a connection and retries included.
pub(super) const CALL_DEADLINE: Duration = Duration::from_secs(15);
/// A server that lives accepts a connection and begins a transaction in this time.
pub(super) const BEGIN_DEADLINE: Duration = Duration::from_secs(4);
const _: () = assert!(BEGIN_DEADLINE.as_secs() < CALL_DEADLINE.as_secs());
const CONNECTIONS_MAX: usize = 8;
/// Rows that the driver asks for at once.
const FETCH_ROWS: usize = 1000;

/// The connections to one server.
pub(super) struct Session {
    address: Address,
    idle: Mutex<Vec<Graph>>,
    permits: Semaphore,
}

/// Why a transaction failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Driver(#[from] Error),
    #[error("no answer within {0:?}")]
    Deadline(Duration),
}

impl Session {
    pub(super) fn new(address: Address) -> Self {
        Self { address, idle: Mutex::default(), permits: Semaphore::new(CONNECTIONS_MAX) }
    }

    /// Runs the statements in one transaction and gives the rows of the last.
    pub(super) async fn run(&self, statements: &[Query]) -> Result<Vec<Row>, GraphError> {
        self.run_within(CALL_DEADLINE, statements).await
    }

    pub(super) async fn run_within(
        &self,
        limit: Duration,
        statements: &[Query],
    ) -> Result<Vec<Row>, GraphError> {
        let deadline = Instant::now() + limit;
        // Who loses a deadlock tries again until the call's own deadline: how often depends on how many write.
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(500));
        loop {
            let outcome = timeout_at(deadline, self.attempt(statements)).await;
            match outcome.unwrap_or(Err(Failure::Deadline(limit))) {
                Ok(rows) => return Ok(rows),
                Err(Failure::Driver(error)) if may_pass(&error) && Instant::now() < deadline => {
                    tracing::debug!(%error, "graph transaction lost a race, trying again");
                    tokio::time::sleep(backoff.pause()).await;
                }
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    async fn attempt(&self, statements: &[Query]) -> Result<Vec<Row>, Failure> {
        let _permit = self.permits.acquire().await.map_err(|_| Error::ConnectionError)?;
        let graph = self.connection().await?;
        let begin = Instant::now() + BEGIN_DEADLINE;
        let begun = timeout_at(begin, graph.start_txn()).await;
        let mut transaction = begun.map_err(|_| Failure::Deadline(BEGIN_DEADLINE))??;
        let mut rows = Vec::new();
        for statement in statements {
            rows.clear();
            let mut stream = transaction.execute(statement.clone()).await?;
            while let Some(row) = stream.next(transaction.handle()).await? {
                rows.push(row);
            }
        }
        transaction.commit().await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(graph);
        Ok(rows)
    }

    /// An idle connection, or one that will be made by its first use.
    async fn connection(&self) -> Result<Graph, Error> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(graph) = idle {
            return Ok(graph);
        }
        let config = ConfigBuilder::default()
            .uri(&self.address.url)
            .user(&self.address.user)
            .password(self.address.password.expose())
            .max_connections(1)
            .fetch_size(FETCH_ROWS)
            .build()?;
        Graph::connect(config).await
    }
}

/// Whether the same transaction begun again may succeed: it met another one, or the server is just starting.
fn may_pass(error: &Error) -> bool {
    match error {
        Error::Neo4j(error) => error.kind() == Neo4jErrorKind::Transient || lost_race(error.code()),
        // What fails while rows are sent or at the commit arrives as text.
        Error::UnexpectedMessage(text) => text.contains("Neo.TransientError.") || lost_race(text),
        _ => false,
    }
}

/// What another writer can bring about just before us.
const LOST_RACES: &[&str] = &[
    // A tag lost its last file while another file was about to get it, or got one while it was about to go.
    "Neo.ClientError.Schema.ConstraintValidationFailed",
    "Neo.ClientError.Statement.EntityNotFound",
    // Two made the schema at once; the next look finds it there.
    "Neo.ClientError.Schema.EquivalentSchemaRuleAlreadyExists",
    "Neo.ClientError.Schema.ConstraintAlreadyExists",
    "Neo.ClientError.Schema.IndexAlreadyExists",
];

fn lost_race(text: &str) -> bool {
    LOST_RACES.iter().any(|code| text.contains(code))
}

impl From<Failure> for GraphError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Deadline(_) => Self::Unavailable(failure.into()),
            Failure::Driver(Error::AuthenticationError(_)) => refused(),
            Failure::Driver(Error::Neo4j(error))
                if matches!(error.kind(), Neo4jErrorKind::Client(Neo4jClientErrorKind::Security(_))) =>
            {
                refused()
            }
            Failure::Driver(
                error @ (Error::IOError { .. } | Error::ConnectionError | Error::UnsupportedVersion(_)),
            ) => Self::Unavailable(error.into()),
            Failure::Driver(error) if may_pass(&error) => Self::Unavailable(error.into()),
            Failure::Driver(error) => Self::Internal(error.into()),
        }
    }
}

fn refused() -> GraphError {
    GraphError::Unavailable("Neo4j refuses the user or the password".into())
}

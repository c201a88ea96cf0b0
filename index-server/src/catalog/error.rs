//! What a caller can do about a failed call; the detail lives in the source.

use sqlx::{Error as Sql, mysql::MySqlDatabaseError, sqlite::SqliteError};
use std::{sync::Arc, time::Duration};

/// The catalog's result.
pub type Result<T> = std::result::Result<T, CatalogError>;

/// One variant per thing a caller can do.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// There is no such thing, or it is not this user's.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The name is taken.
    #[error("{0} exists already")]
    Exists(&'static str),
    /// A file stands where a folder was expected.
    #[error("not a folder")]
    NotAFolder,
    /// A folder stands where a file was expected.
    #[error("it is a folder")]
    IsAFolder,
    /// It still holds something.
    #[error("{0} is not empty")]
    NotEmpty(&'static str),
    /// The request contradicts what there is; the sentence says how.
    #[error("{0}")]
    Conflict(&'static str),
    /// The condition that the caller set does not hold.
    #[error("the file is not the one that was expected")]
    Precondition,
    /// The cursor was not made by this catalog.
    #[error("not a cursor of this list")]
    InvalidCursor,
    /// The caller acts on an old lease or beat: somebody else has taken over.
    #[error("stale: somebody else has taken over")]
    Stale,
    /// The database cannot be asked now; nothing has changed. Try again later.
    #[error("the database is not available")]
    Unavailable(#[source] Trouble),
    /// The connection broke during the commit: the change has happened or it has not. Undo nothing on this answer.
    #[error("the database went away during a commit")]
    OutcomeUnknown(#[source] Trouble),
    /// A fault of the database or of this program.
    #[error("internal error of the catalog")]
    Internal(#[source] Trouble),
}

/// What went wrong below the catalog.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The database or its driver said so.
    #[error(transparent)]
    Sql(Sql),
    /// The same, for all who shared a commit.
    #[error(transparent)]
    Shared(Arc<Sql>),
    /// A transaction that was shared with others was lost with one of them.
    #[error("the transaction was lost")]
    Lost,
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Deadline(Duration),
    /// A row or an argument breaks a rule of the catalog.
    #[error("{0}")]
    Invariant(String),
}

impl CatalogError {
    /// A row or an argument breaks a rule of the catalog.
    pub fn invariant(what: impl Into<String>) -> Self {
        Self::Internal(Trouble::Invariant(what.into()))
    }

    /// Nothing was committed, and the same transaction begun again may well succeed.
    pub(crate) fn is_worth_a_retry(&self) -> bool {
        match self {
            Self::Unavailable(Trouble::Lost) => true,
            Self::Unavailable(Trouble::Sql(error)) | Self::Internal(Trouble::Sql(error)) => {
                matches!(SqlFault::of(error), SqlFault::Contended | SqlFault::Overtaken)
            }
            _ => false,
        }
    }
}

impl From<Sql> for CatalogError {
    fn from(error: Sql) -> Self {
        match SqlFault::of(&error) {
            SqlFault::Contended | SqlFault::Unreachable | SqlFault::Refusing => {
                Self::Unavailable(Trouble::Sql(error))
            }
            SqlFault::Overtaken | SqlFault::Other => Self::Internal(Trouble::Sql(error)),
        }
    }
}

/// What an SQL error means for the transaction that met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SqlFault {
    /// Deadlock, lock time-out, failed certification: rolled back by the database.
    Contended,
    /// A key was taken or a row went away between our look and our write.
    Overtaken,
    /// No connection, or it broke.
    Unreachable,
    /// Connected, but the database takes no writes: read-only, full, too many connections, shutting down.
    Refusing,
    /// Anything else: a fault.
    Other,
}

impl SqlFault {
    /// Judges `error`.
    pub(crate) fn of(error: &Sql) -> Self {
        match error {
            Sql::Io(_) | Sql::Tls(_) | Sql::Protocol(_) | Sql::WorkerCrashed => Self::Unreachable,
            Sql::PoolTimedOut | Sql::PoolClosed | Sql::BeginFailed => Self::Unreachable,
            Sql::Database(error) if error.is_unique_violation() || error.is_foreign_key_violation() => {
                Self::Overtaken
            }
            Sql::Database(error) => {
                if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
                    Self::of_mysql(error.number())
                } else if error.try_downcast_ref::<SqliteError>().is_some() {
                    Self::of_sqlite(error.code().and_then(|code| code.parse().ok()).unwrap_or_default())
                } else {
                    Self::Other
                }
            }
            _ => Self::Other,
        }
    }

    fn of_mysql(number: u16) -> Self {
        match number {
            // Lock wait time-out, deadlock, record changed since last read, Galera's "not ready yet".
            1205 | 1213 | 1020 | 1047 => Self::Contended,
            // Shutdown in progress, aborted and killed connections, gone away, lost.
            1053 | 1077 | 1152 | 1184 | 1317 | 1927 | 2006 | 2013 => Self::Unreachable,
            // Too many connections (of all, of the user), out of memory or resources, no longer allowed in.
            1040 | 1203 | 1226 | 1037 | 1038 | 1041 => Self::Refusing,
            // Disk full, table full, file too large, errors of the log and of reads and writes.
            1021 | 1114 | 1026 | 1030 | 3 | 28 => Self::Refusing,
            // Read-only, by option and by transaction; statement time-out.
            1290 | 1792 | 1836 | 1969 | 3024 => Self::Refusing,
            _ => Self::Other,
        }
    }

    fn of_sqlite(extended: u32) -> Self {
        match extended & 0xff {
            5 | 6 => Self::Contended,           // BUSY, LOCKED
            8 | 10 | 13 | 14 => Self::Refusing, // READONLY, IOERR, FULL, CANTOPEN
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_apart_by_number() {
        assert_eq!(SqlFault::of_mysql(1213), SqlFault::Contended);
        assert_eq!(SqlFault::of_mysql(1040), SqlFault::Refusing);
        assert_eq!(SqlFault::of_mysql(1290), SqlFault::Refusing);
        assert_eq!(SqlFault::of_mysql(1064), SqlFault::Other);
        assert_eq!(SqlFault::of_sqlite(517), SqlFault::Contended, "BUSY_SNAPSHOT is BUSY");
        assert_eq!(SqlFault::of_sqlite(13), SqlFault::Refusing);
        assert_eq!(SqlFault::of_sqlite(1), SqlFault::Other);
    }

    #[test]
    fn only_what_was_rolled_back_is_retried() {
        assert!(!CatalogError::from(Sql::PoolTimedOut).is_worth_a_retry());
        assert!(!CatalogError::Stale.is_worth_a_retry());
        assert!(matches!(CatalogError::from(Sql::PoolTimedOut), CatalogError::Unavailable(_)));
        assert!(matches!(CatalogError::from(Sql::RowNotFound), CatalogError::Internal(_)));
    }
}

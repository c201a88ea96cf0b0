//! Opening a MySQL or MariaDB database: refused unless what it acknowledges stays.

use super::{
    database::{ACQUIRE_DEADLINE, CALL_DEADLINE, OpenError, Pools},
    dialect::sql,
};
use sqlx::{
    AnyPool, ConnectOptions, Row,
    any::{AnyConnectOptions, AnyPoolOptions},
};
use std::{str::FromStr, time::Duration};

/// Together below the usual `max_connections` of 151, so that two index-servers fit.
const READERS_MAX: u32 = 24;
const WRITERS_MAX: u32 = 24;
/// Behind this many a proxy or firewall may have forgotten the connection.
const IDLE_MAX: Duration = Duration::from_secs(300);

/// Errors instead of cut-off values; waiting for a lock ends before the call does.
const COMMON: &str = "SET SESSION sql_mode = 'PIPES_AS_CONCAT,STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', \
     innodb_lock_wait_timeout = 8, lock_wait_timeout = 8, autocommit = 1";
/// A statement whose caller has given up must not run on in the server; each has its own name for that, and its own unit.
const MARIADB_LIMIT: &str = "SET SESSION max_statement_time = 20";
const MYSQL_LIMIT: &str = "SET SESSION max_execution_time = 20000";
const _: () = assert!(CALL_DEADLINE.as_secs() == 20);
/// Writers lock the rows they rely on; without the gaps of REPEATABLE READ they seldom deadlock, and none works on an old snapshot.
const WRITER: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
/// A reader sees one moment from its first statement to its last.
const READER: &str = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";

pub(super) async fn open(url: &str) -> Result<Pools, OpenError> {
    let options =
        AnyConnectOptions::from_str(url).map_err(|_| OpenError::Address)?.disable_statement_logging();
    let writes = pool(WRITERS_MAX, WRITER).connect_with(options.clone()).await?;
    check(&writes).await?;
    let reads = pool(READERS_MAX, READER).connect_with(options).await?;
    Ok(Pools { reads, writes })
}

fn pool(connections: u32, isolation: &'static str) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_DEADLINE)
        .idle_timeout(IDLE_MAX)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(COMMON).execute(&mut *connection).await?;
                sqlx::raw_sql(isolation).execute(&mut *connection).await?;
                let version = sqlx::raw_sql("SELECT VERSION()").fetch_one(&mut *connection).await?;
                let is_mariadb = version.try_get::<String, _>(0)?.contains("MariaDB");
                let limit = if is_mariadb { MARIADB_LIMIT } else { MYSQL_LIMIT };
                sqlx::raw_sql(limit).execute(&mut *connection).await?;
                Ok(())
            })
        })
}

async fn check(pool: &AnyPool) -> Result<(), OpenError> {
    demand(pool, "innodb_flush_log_at_trx_commit", &["1"], "1").await?;
    demand(pool, "character_set_connection", &["utf8mb4"], "utf8mb4").await?;
    demand(pool, "innodb_doublewrite", &["ON", "1", "DETECT_AND_RECOVER"], "ON").await?;
    if matches!(variable(pool, "log_bin").await?.as_deref(), Some("ON" | "1")) {
        demand(pool, "sync_binlog", &["1"], "1").await?;
        // Statements cannot be replayed in an order that gives the same rows under READ COMMITTED.
        demand(pool, "binlog_format", &["ROW", "MIXED"], "ROW").await?;
    }
    Ok(())
}

/// Compatible databases that do not have a setting do not have its danger.
async fn demand(
    pool: &AnyPool,
    setting: &'static str,
    safe: &[&str],
    wanted: &'static str,
) -> Result<(), OpenError> {
    match variable(pool, setting).await? {
        Some(found) if !safe.contains(&found.as_str()) => Err(OpenError::Unsafe { setting, found, wanted }),
        _ => Ok(()),
    }
}

async fn variable(pool: &AnyPool, name: &'static str) -> Result<Option<String>, sqlx::Error> {
    // As plain text: not every server prepares a SHOW.
    let show = sqlx::raw_sql(sql(format!("SHOW VARIABLES LIKE '{name}'")));
    show.fetch_optional(pool).await?.map(|row| row.try_get::<String, _>(1)).transpose()
}

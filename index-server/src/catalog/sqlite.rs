//! Opening an SQLite file: one process, one writer, nothing acknowledged before it is on the disk.

use super::database::{ACQUIRE_DEADLINE, OpenError, Pools};
use sqlx::{
    AnyPool, ConnectOptions, Connection, Row,
    any::{AnyConnectOptions, AnyPoolOptions},
    sqlite::SqliteConnectOptions,
};
use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Each reader is a thread with a page cache of its own.
const READERS_MAX: u32 = 8;

const COMMON: &str = "PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;";

pub(super) async fn open(url: &str) -> Result<(Pools, File), OpenError> {
    let path = file_of(url)?;
    let lock = lock(&path)?;
    make_private(&path)?;
    let address = SqliteConnectOptions::new().filename(escaped(&path)?).to_url_lossy();
    let options = AnyConnectOptions::from_url(&address)?.disable_statement_logging();
    set_journal(&options).await?;
    let writes = pool(1, "PRAGMA query_only = OFF;").connect_with(options.clone()).await?;
    check(&writes).await?;
    let reads = pool(READERS_MAX, "PRAGMA query_only = ON;").connect_with(options).await?;
    Ok((Pools { reads, writes }, lock))
}

fn file_of(url: &str) -> Result<PathBuf, OpenError> {
    let options = SqliteConnectOptions::from_str(url).map_err(|_| OpenError::Address)?;
    let path = options.get_filename();
    if !url.starts_with("sqlite:///") || !path.is_absolute() || path.file_name().is_none() {
        return Err(OpenError::Address);
    }
    Ok(path.to_owned())
}

/// The driver escapes all but the escape itself.
fn escaped(path: &Path) -> Result<String, OpenError> {
    path.to_str().map(|path| path.replace('%', "%25")).ok_or(OpenError::Address)
}

/// Locked for as long as the handle lives; the kernel unlocks when the process ends, however it ends.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&lock_path)
        .map_err(|source| failed(path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.display().to_string())),
        Err(TryLockError::Error(source)) => Err(failed(path, source)),
    }
}

/// Password hashes and names are in it: for its owner alone. SQLite gives its journal files the same mode.
fn make_private(path: &Path) -> Result<(), OpenError> {
    let made = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    made.map(drop).map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: std::io::Error) -> OpenError {
    OpenError::File { path: path.display().to_string(), source }
}

/// The journal mode stands in the file; it is set once, before the pools open it.
async fn set_journal(options: &AnyConnectOptions) -> sqlx::Result<()> {
    let mut connection = options.connect().await?;
    sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut connection).await?;
    connection.close().await
}

fn pool(connections: u32, own: &'static str) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_DEADLINE)
        // A file has no network to lose connections on.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(COMMON).execute(&mut *connection).await?;
                sqlx::raw_sql(own).execute(&mut *connection).await?;
                Ok(())
            })
        })
}

async fn check(pool: &AnyPool) -> Result<(), OpenError> {
    let settings = [
        ("PRAGMA journal_mode", "journal_mode", "wal"),
        ("PRAGMA synchronous", "synchronous", "2"),
        ("PRAGMA foreign_keys", "foreign_keys", "1"),
    ];
    for (statement, setting, wanted) in settings {
        let row = sqlx::query(statement).fetch_one(pool).await?;
        let found = row
            .try_get::<String, _>(0)
            .or_else(|_| row.try_get::<i64, _>(0).map(|number| number.to_string()))?;
        if found != wanted {
            return Err(OpenError::Unsafe { setting, found, wanted });
        }
    }
    Ok(())
}

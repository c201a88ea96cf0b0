//! The monitor's own SQLite file. What is committed there survives a power cut.

use anyhow::Context;
use sqlx::{
    SqlStr, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    fs::{DirBuilder, File},
    os::unix::fs::DirBuilderExt,
    path::Path,
    time::Duration,
};

const CONNECTIONS_MAX: u32 = 4;
/// A writer waits this long for another one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Every change of the schema, oldest first; a released one never changes.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "transitions", include_str!("../migrations/0001_transitions.sql")),
    (2, "messages", include_str!("../migrations/0002_messages.sql")),
    (3, "deliveries", include_str!("../migrations/0003_deliveries.sql")),
    (4, "known nodes", include_str!("../migrations/0004_known_nodes.sql")),
];

/// Keeps a second monitor off the data directory for as long as it lives.
///
/// # Errors
/// The directory cannot be made, or another monitor has it.
pub fn lock(dir: &Path) -> anyhow::Result<File> {
    make_directory(dir)?;
    let path = dir.join("monitor.lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    file.try_lock().with_context(|| format!("{} is in use by another monitor", dir.display()))?;
    Ok(file)
}

fn make_directory(dir: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot make the data directory {}", dir.display()))
}

/// Opens `monitor.db` in `dir` (both are made if need be) and brings its schema up to date.
///
/// # Errors
/// The directory or the file cannot be made or opened, or is of a newer version.
pub async fn open(dir: &Path) -> anyhow::Result<SqlitePool> {
    make_directory(dir)?;
    let file = dir.join("monitor.db");
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // NORMAL loses acknowledged rows in a power cut.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT);
    let pool = SqlitePoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(BUSY_TIMEOUT)
        .connect_with(options)
        .await
        .with_context(|| format!("cannot open {}", file.display()))?;
    migrator().run(&pool).await.with_context(|| format!("cannot bring {} up to date", file.display()))?;
    Ok(pool)
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.iter().map(|(version, name, sql)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, SqlStr::from_static(sql), false)
    });
    Migrator::with_migrations(migrations.collect())
}

//! The schema, version by version, embedded in the program.
//!
//! MySQL cannot roll back a `CREATE TABLE`. So every statement of a migration can be run again, and a version counts only when its
//! row is there: killed in the middle, the next start runs it from its beginning.

use super::{Dialect, database::OpenError, dialect::sql};
use sqlx::{AnyConnection, AnyPool, Connection, Row};

struct Migration {
    version: i64,
    sqlite: &'static str,
    mysql: &'static str,
}

/// In order; a migration that was released never changes.
const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        sqlite: include_str!("../../migrations/sqlite/0001_catalog.sql"),
        mysql: include_str!("../../migrations/mysql/0001_catalog.sql"),
    },
    Migration {
        version: 2,
        sqlite: include_str!("../../migrations/sqlite/0002_graph.sql"),
        mysql: include_str!("../../migrations/mysql/0002_graph.sql"),
    },
    Migration {
        version: 3,
        sqlite: include_str!("../../migrations/sqlite/0003_places.sql"),
        mysql: include_str!("../../migrations/mysql/0003_places.sql"),
    },
    Migration {
        version: 4,
        sqlite: include_str!("../../migrations/sqlite/0004_healing.sql"),
        mysql: include_str!("../../migrations/mysql/0004_healing.sql"),
    },
];

const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS schema_versions \
     (version BIGINT NOT NULL PRIMARY KEY, checksum VARCHAR(64) NOT NULL)";

impl Migration {
    fn text(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::MySql => self.mysql,
        }
    }

    fn checksum(&self, dialect: Dialect) -> String {
        blake3::hash(self.text(dialect).as_bytes()).to_hex().to_string()
    }
}

/// Brings the schema up to date.
pub(super) async fn run(pool: &AnyPool, dialect: Dialect) -> Result<(), OpenError> {
    let mut connection = pool.acquire().await?;
    match dialect {
        Dialect::Sqlite => {
            let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
            apply_missing(&mut tx, dialect).await?;
            Ok(tx.commit().await?)
        }
        Dialect::MySql => {
            // Several index-servers may start at once.
            let locked: Option<i64> =
                sqlx::query_scalar("SELECT GET_LOCK(CONCAT(DATABASE(), '.asterism'), 60)")
                    .fetch_one(&mut *connection)
                    .await?;
            if locked != Some(1) {
                return Err(OpenError::Schema(
                    "another process has been changing it for a minute".to_owned(),
                ));
            }
            let outcome = apply_missing(&mut connection, dialect).await;
            // Closing the connection unlocks too.
            sqlx::query("SELECT RELEASE_LOCK(CONCAT(DATABASE(), '.asterism'))")
                .execute(&mut *connection)
                .await?;
            outcome
        }
    }
}

async fn apply_missing(connection: &mut AnyConnection, dialect: Dialect) -> Result<(), OpenError> {
    let applied = applied(connection, dialect).await?;
    check_applied(&applied, dialect)?;
    // With nothing to do nothing is written: a database that is read-only for a while can be opened and read.
    for migration in MIGRATIONS.iter().skip(applied.len()) {
        apply(connection, migration, dialect).await?;
        tracing::info!(version = migration.version, "schema migrated");
    }
    Ok(())
}

/// The versions that are there, with the checksums of their texts.
async fn applied(connection: &mut AnyConnection, dialect: Dialect) -> Result<Vec<(i64, String)>, OpenError> {
    let known = sqlx::raw_sql(match dialect {
        Dialect::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'schema_versions'",
        Dialect::MySql => "SHOW TABLES LIKE 'schema\\_versions'",
    });
    if known.fetch_optional(&mut *connection).await?.is_none() {
        return Ok(Vec::new());
    }
    let select = sqlx::query("SELECT version, checksum FROM schema_versions ORDER BY version");
    let rows = select.fetch_all(connection).await?;
    Ok(rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<sqlx::Result<_>>()?)
}

fn check_applied(applied: &[(i64, String)], dialect: Dialect) -> Result<(), OpenError> {
    for (index, (version, checksum)) in applied.iter().enumerate() {
        let Some(known) = MIGRATIONS.get(index).filter(|known| known.version == *version) else {
            return Err(OpenError::Schema(format!(
                "it has version {version}, which this program does not know"
            )));
        };
        if known.checksum(dialect) != *checksum {
            return Err(OpenError::Schema(format!("its version {version} was made by another program")));
        }
    }
    Ok(())
}

async fn apply(
    connection: &mut AnyConnection,
    migration: &Migration,
    dialect: Dialect,
) -> Result<(), OpenError> {
    sqlx::raw_sql(VERSIONS).execute(&mut *connection).await?;
    for statement in statements(migration.text(dialect)) {
        sqlx::raw_sql(sql(statement.to_owned())).execute(&mut *connection).await?;
    }
    sqlx::query("INSERT INTO schema_versions (version, checksum) VALUES (?, ?)")
        .bind(migration.version)
        .bind(migration.checksum(dialect))
        .execute(connection)
        .await?;
    Ok(())
}

/// Every statement ends with `;` at the end of a line.
fn statements(text: &str) -> impl Iterator<Item = &str> {
    text.split(";\n").map(str::trim).filter(|statement| !statement.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_of_every_migration_can_be_run_again() {
        for migration in MIGRATIONS {
            for text in [migration.sqlite, migration.mysql] {
                for statement in statements(text) {
                    let code =
                        statement.lines().find(|line| !line.is_empty() && !line.starts_with("--")).unwrap();
                    assert!(code.contains(" IF NOT EXISTS "), "{code}");
                }
            }
        }
    }

    #[test]
    fn both_dialects_have_the_same_tables_and_columns() {
        let shape = |text: &'static str| {
            text.lines()
                .map(|line| line.trim().split([' ', ',']).take(6).collect::<Vec<_>>())
                .filter_map(|words| match words[..] {
                    ["CREATE", "TABLE", "IF", "NOT", "EXISTS", table] => Some(table),
                    [column, ..] if column.starts_with(|c: char| c.is_ascii_lowercase()) => Some(column),
                    _ => None,
                })
                .collect::<Vec<_>>()
        };
        for migration in MIGRATIONS {
            assert_eq!(shape(migration.sqlite), shape(migration.mysql));
        }
    }

    #[test]
    fn an_unknown_schema_is_refused() {
        let own = MIGRATIONS[0].checksum(Dialect::Sqlite);
        let check = |applied: &[(i64, &str)]| {
            let applied: Vec<_> =
                applied.iter().map(|(version, sum)| (*version, (*sum).to_owned())).collect();
            check_applied(&applied, Dialect::Sqlite).map_err(|error| error.to_string())
        };
        assert!(check(&[]).is_ok());
        assert!(check(&[(1, &own)]).is_ok());
        assert!(check(&[(1, "other")]).unwrap_err().contains("made by another program"));
        let sums = MIGRATIONS.iter().map(|known| (known.version, known.checksum(Dialect::Sqlite)));
        let mut newer: Vec<_> = sums.collect();
        newer.push((newer.len() as i64 + 1, "x".to_owned()));
        let newer: Vec<_> = newer.iter().map(|(version, sum)| (*version, sum.as_str())).collect();
        assert!(check(&newer).unwrap_err().contains("does not know"));
    }
}

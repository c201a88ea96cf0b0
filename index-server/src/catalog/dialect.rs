//! The few places where SQLite and MySQL speak differently.

use sqlx::AssertSqlSafe;

/// Which SQL the database understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite: one writer at a time, so row locks are not needed.
    Sqlite,
    /// MySQL, MariaDB and those that speak like them.
    MySql,
}

impl Dialect {
    /// Ends a `SELECT` whose rows this transaction will change.
    pub const fn for_update(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::MySql => " FOR UPDATE",
        }
    }

    /// Ends a `SELECT` whose rows must stay as they are until the end of this transaction.
    pub const fn for_share(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            // MySQL 8 says FOR SHARE, MariaDB does not; both understand this.
            Self::MySql => " LOCK IN SHARE MODE",
        }
    }

    /// Follows a table that must be read by this index: neither database keeps good enough counts to choose by itself.
    pub fn by_index(self, index: &str) -> String {
        match self {
            Self::Sqlite => format!(" INDEXED BY {index}"),
            Self::MySql => format!(" FORCE INDEX ({index})"),
        }
    }

    /// Ends an `INSERT` that shall overwrite `columns` when the row with this `key` exists.
    pub fn or_set(self, key: &str, columns: &[&str]) -> String {
        let assign = |text: fn(&str) -> String| {
            columns.iter().map(|column| text(column)).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Sqlite => {
                format!(
                    " ON CONFLICT ({key}) DO UPDATE SET {}",
                    assign(|column| format!("{column} = excluded.{column}"))
                )
            }
            Self::MySql => {
                format!(
                    " ON DUPLICATE KEY UPDATE {}",
                    assign(|column| format!("{column} = VALUES({column})"))
                )
            }
        }
    }

    /// Ends an `INSERT` that shall leave the row with this `key` as it is. `column` is any column of the key.
    pub fn or_keep(self, key: &str, column: &str) -> String {
        match self {
            Self::Sqlite => format!(" ON CONFLICT ({key}) DO NOTHING"),
            // INSERT IGNORE would also swallow errors that matter.
            Self::MySql => format!(" ON DUPLICATE KEY UPDATE {column} = {column}"),
        }
    }

    pub(crate) const fn begin_write(self) -> &'static str {
        match self {
            // Takes the write lock at once: a transaction that reads first could not upgrade behind another writer.
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::MySql => "START TRANSACTION",
        }
    }

    pub(crate) const fn begin_read(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN",
            Self::MySql => "START TRANSACTION READ ONLY",
        }
    }
}

/// SQL put together at run time, out of constants of this program alone: values are always bound.
pub fn sql(text: String) -> AssertSqlSafe<String> {
    AssertSqlSafe(text)
}

/// `(?, ?, …)`, `columns` marks, `rows` times.
pub fn values(columns: usize, rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(", "));
    vec![row; rows].join(", ")
}

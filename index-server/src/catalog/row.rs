//! Reading rows, with errors that name the column.

use super::{CatalogError, LogicalPath, Result, UserName};
use sqlx::{Row as _, any::AnyRow};

/// Columns of a row as the types of the catalog.
pub(crate) trait Columns {
    /// A number, checked into its range.
    fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T>;
    /// A number or NULL.
    fn maybe_number<T: TryFrom<i64>>(&self, column: &str) -> Result<Option<T>>;
    /// Text of a text column.
    fn text(&self, column: &str) -> Result<String>;
    /// Text or NULL.
    fn maybe_text(&self, column: &str) -> Result<Option<String>>;
    /// Bytes.
    fn bytes(&self, column: &str) -> Result<Vec<u8>>;
    /// Bytes or NULL.
    fn maybe_bytes(&self, column: &str) -> Result<Option<Vec<u8>>>;
    /// A floating-point number.
    fn real(&self, column: &str) -> Result<f64>;

    /// Bytes of a column that holds UTF-8.
    fn name(&self, column: &str) -> Result<String> {
        String::from_utf8(self.bytes(column)?).map_err(|_| broken(column))
    }

    /// Exactly `N` bytes.
    fn digest<const N: usize>(&self, column: &str) -> Result<[u8; N]> {
        self.bytes(column)?.try_into().map_err(|_| broken(column))
    }

    /// A text column that holds something with a parser.
    fn parsed<T: std::str::FromStr>(&self, column: &str) -> Result<T> {
        self.text(column)?.parse().map_err(|_| broken(column))
    }

    /// The name of a user.
    fn user(&self, column: &str) -> Result<UserName> {
        self.parsed(column)
    }

    /// A path.
    fn path(&self, column: &str) -> Result<LogicalPath> {
        self.name(column)?.parse().map_err(|_| broken(column))
    }
}

impl Columns for AnyRow {
    fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T> {
        T::try_from(self.try_get::<i64, _>(column)?).map_err(|_| broken(column))
    }

    fn maybe_number<T: TryFrom<i64>>(&self, column: &str) -> Result<Option<T>> {
        self.try_get::<Option<i64>, _>(column)?.map(T::try_from).transpose().map_err(|_| broken(column))
    }

    fn text(&self, column: &str) -> Result<String> {
        Ok(self.try_get(column)?)
    }

    fn maybe_text(&self, column: &str) -> Result<Option<String>> {
        Ok(self.try_get(column)?)
    }

    fn bytes(&self, column: &str) -> Result<Vec<u8>> {
        Ok(self.try_get(column)?)
    }

    fn maybe_bytes(&self, column: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.try_get(column)?)
    }

    fn real(&self, column: &str) -> Result<f64> {
        Ok(self.try_get(column)?)
    }
}

fn broken(column: &str) -> CatalogError {
    CatalogError::invariant(format!("column {column} holds what it must not"))
}

/// A size or count as the databases keep it.
pub(crate) fn signed(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| CatalogError::invariant("a number beyond 2^63"))
}

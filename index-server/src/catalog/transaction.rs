//! One transaction on one connection.

use super::{Dialect, Result};
use sqlx::{Any, AnyConnection, Row as _, any::AnyArguments, pool::PoolConnection, query::Query, raw_sql};
use std::ops::{Deref, DerefMut};

/// An open transaction; used as the connection that it is on (`&mut **tx`).
///
/// It ends by the one who began it. If it is dropped before (time ran out, the caller went away), its connection is closed, and with
/// it the transaction: a connection whose last answer nobody has read must not serve the next one.
pub struct Tx {
    connection: PoolConnection<Any>,
    dialect: Dialect,
    open: bool,
}

impl Tx {
    pub(super) async fn begin(
        connection: PoolConnection<Any>,
        dialect: Dialect,
        statement: &'static str,
    ) -> sqlx::Result<Self> {
        let mut tx = Self { connection, dialect, open: true };
        raw_sql(statement).execute(&mut *tx.connection).await?;
        Ok(tx)
    }

    pub(super) async fn commit(mut self) -> sqlx::Result<()> {
        raw_sql("COMMIT").execute(&mut *self.connection).await?;
        self.open = false;
        Ok(())
    }

    pub(super) async fn rollback(mut self) -> sqlx::Result<()> {
        raw_sql("ROLLBACK").execute(&mut *self.connection).await?;
        self.open = false;
        Ok(())
    }

    /// Which SQL this connection understands.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Runs an `INSERT` into a table with its own numbers and gives the new row's number.
    ///
    /// # Errors
    /// As the database says.
    pub(crate) async fn insert<'q>(
        &mut self,
        insert: &'static str,
        bind: impl FnOnce(Query<'q, Any, AnyArguments>) -> Query<'q, Any, AnyArguments>,
    ) -> Result<i64> {
        match self.dialect {
            Dialect::Sqlite => {
                let query = bind(sqlx::query(super::dialect::sql(format!("{insert} RETURNING id"))));
                Ok(query.fetch_one(&mut **self).await?.try_get(0)?)
            }
            Dialect::MySql => {
                let done = bind(sqlx::query(insert)).execute(&mut **self).await?;
                done.last_insert_id()
                    .ok_or_else(|| super::CatalogError::invariant("the database gave no number"))
            }
        }
    }
}

impl Deref for Tx {
    type Target = AnyConnection;
    fn deref(&self) -> &AnyConnection {
        &self.connection
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if self.open {
            self.connection.close_on_drop();
        }
    }
}

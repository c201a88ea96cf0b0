//! One transaction on one connection.

use super::{Dialect, Result};
use sqlx::{Any, AnyConnection, Row as _, any::AnyArguments, pool::PoolConnection, query::Query, raw_sql};
use std::ops::{Deref, DerefMut};

/// An open transaction; used as the connection that it is on (`&mut **tx`).
///
/// It ends by the one who began it. If it is dropped before (time ran out, the caller went away), its connection is closed, and with
/// it the transaction: a connection whose last answer nobody has read must not serve the next one.
pub struct Tx {
    connection: Held,
    dialect: Dialect,
}

/// A connection that is closed when it is dropped, unless it was let go before.
struct Held(Option<PoolConnection<Any>>);

impl Tx {
    pub(super) async fn begin(
        connection: PoolConnection<Any>,
        dialect: Dialect,
        statement: &'static str,
    ) -> sqlx::Result<Self> {
        Self::on(connection, dialect).after(statement).await
    }

    /// Itself, after a statement that changes where it stands.
    pub(super) async fn after(mut self, statement: &'static str) -> sqlx::Result<Self> {
        raw_sql(statement).execute(&mut *self).await?;
        Ok(self)
    }

    /// On a connection whose transaction was begun already.
    pub(super) fn on(connection: PoolConnection<Any>, dialect: Dialect) -> Self {
        Self { connection: Held(Some(connection)), dialect }
    }

    pub(super) async fn commit(self) -> sqlx::Result<()> {
        self.ended_by("COMMIT").await.map(drop)
    }

    pub(super) async fn rollback(self) -> sqlx::Result<PoolConnection<Any>> {
        self.ended_by("ROLLBACK").await
    }

    /// Its connection, after a last statement.
    pub(super) async fn ended_by(mut self, statement: &'static str) -> sqlx::Result<PoolConnection<Any>> {
        raw_sql(statement).execute(&mut *self).await?;
        self.let_go().ok_or(sqlx::Error::PoolClosed)
    }

    /// Its connection, with the transaction as it is.
    pub(super) fn let_go(mut self) -> Option<PoolConnection<Any>> {
        self.connection.0.take()
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
        match &self.connection.0 {
            Some(connection) => connection,
            None => unreachable!("only who consumes the transaction takes its connection"),
        }
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        match &mut self.connection.0 {
            Some(connection) => connection,
            None => unreachable!("only who consumes the transaction takes its connection"),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.0 {
            connection.close_on_drop();
        }
    }
}

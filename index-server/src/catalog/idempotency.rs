//! Requests that a client named, so that a repetition gets the first answer.

use super::{Catalog, CatalogError, Committed, Result, Tx, UserName, now_ms, row::Columns};
use sqlx::any::AnyRow;

/// Longest key that a client may choose.
pub const KEY_BYTES_MAX: usize = 255;

/// A named request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Chosen by the client; counts per user.
    pub key: String,
    /// Of what was asked for: the same key with another request is a mistake.
    pub request_hash: [u8; 32],
}

/// What became of a named request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Of what was asked for.
    pub request_hash: [u8; 32],
    /// The first answer.
    pub committed: Committed,
}

impl Catalog {
    /// What the request called `key` of `user` did, if it was done within the last day or so.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn remembered(&self, user: &UserName, key: &str) -> Result<Option<Remembered>> {
        self.read(move |mut tx| async move {
            let found = find(&mut tx, user, key).await;
            (tx, found)
        })
        .await
    }

    /// Forgets the requests and operations from before `before_ms`, at most `limit` of each.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn forget_requests(&self, before_ms: i64, limit: u32) -> Result<u64> {
        self.write(move |mut tx| async move {
            let gone = forget(&mut tx, before_ms, limit).await;
            (tx, gone)
        })
        .await
    }
}

pub(super) async fn find(tx: &mut Tx, user: &UserName, key: &str) -> Result<Option<Remembered>> {
    let row = sqlx::query(
        "SELECT request_hash, response_json FROM idempotency WHERE user_name = ? AND request_key = ?",
    )
    .bind(user.as_str())
    .bind(key.as_bytes())
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| Ok(Remembered { request_hash: row.digest("request_hash")?, committed: committed(&row)? }))
        .transpose()
}

pub(super) fn committed(row: &AnyRow) -> Result<Committed> {
    serde_json::from_slice(&row.bytes("response_json")?)
        .map_err(|error| CatalogError::invariant(error.to_string()))
}

pub(super) async fn insert(tx: &mut Tx, user: &UserName, request: &Idempotency, json: &[u8]) -> Result<()> {
    if request.key.len() > KEY_BYTES_MAX {
        return Err(CatalogError::Conflict("the idempotency key is longer than 255 bytes"));
    }
    sqlx::query(
        "INSERT INTO idempotency (user_name, request_key, request_hash, response_json, created_ms) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(user.as_str())
    .bind(request.key.as_bytes())
    .bind(&request.request_hash[..])
    .bind(json)
    .bind(now_ms())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn forget(tx: &mut Tx, before_ms: i64, limit: u32) -> Result<u64> {
    let mut gone = 0;
    // The inner SELECT is wrapped once more: MySQL takes no LIMIT directly inside IN.
    for delete in [
        "DELETE FROM idempotency WHERE created_ms < ? AND created_ms <= (SELECT MAX(old) FROM \
         (SELECT created_ms AS old FROM idempotency WHERE created_ms < ? ORDER BY created_ms LIMIT ?) AS oldest)",
        "DELETE FROM operations WHERE created_ms < ? AND created_ms <= (SELECT MAX(old) FROM \
         (SELECT created_ms AS old FROM operations WHERE created_ms < ? ORDER BY created_ms LIMIT ?) AS oldest)",
    ] {
        let done = sqlx::query(delete)
            .bind(before_ms)
            .bind(before_ms)
            .bind(i64::from(limit))
            .execute(&mut **tx)
            .await?;
        gone += done.rows_affected();
    }
    Ok(gone)
}

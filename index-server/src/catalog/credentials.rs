//! Sessions and API tokens, known by the hash of their secret alone.

use super::{
    Catalog, CatalogError, CredentialId, Result, Tx, User, UserName, dialect::sql, now_ms, row::Columns,
};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

/// A user with more open sessions loses the oldest; with more tokens, gets no other.
pub const CREDENTIALS_PER_USER_MAX: i64 = 200;
/// Longest label.
const LABEL_BYTES_MAX: usize = 255;

/// What a credential is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialKind {
    /// A browser or a command line that logged in.
    Session,
    /// Made for a program.
    Token,
}

impl CredentialKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Token => "token",
        }
    }
}

/// One session or token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its number.
    pub id: CredentialId,
    /// Session or token.
    pub kind: CredentialKind,
    /// What its user calls it.
    pub label: String,
    /// Unix milliseconds.
    pub created_ms: i64,
    /// Unix milliseconds; none lasts until it is removed.
    pub expires_ms: Option<i64>,
}

impl Catalog {
    /// Adds a session or token. `token_hash` is a hash of its secret.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`] of the user; [`CatalogError::Conflict`]: too many tokens.
    pub async fn create_credential(
        &self,
        user: &UserName,
        kind: CredentialKind,
        label: &str,
        token_hash: &[u8; 32],
        expires_ms: Option<i64>,
    ) -> Result<CredentialId> {
        let label = &label.as_bytes()[..label.floor_char_boundary(LABEL_BYTES_MAX)];
        self.write(move |mut tx| async move {
            let id = create(&mut tx, user, kind, label, token_hash, expires_ms).await;
            (tx, id)
        })
        .await
    }

    /// Whose secret has this hash, unless it has expired at `now_ms`.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn find_credential(
        &self,
        token_hash: &[u8; 32],
        now_ms: i64,
    ) -> Result<Option<(User, Credential)>> {
        self.look(move |mut tx| async move {
            let found = find(&mut tx, token_hash, now_ms).await;
            (tx, found)
        })
        .await
    }

    /// The sessions and tokens of `user`, oldest first.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn credentials(&self, user: &UserName) -> Result<Vec<Credential>> {
        self.read(move |mut tx| async move {
            let select =
                sqlx::query("SELECT * FROM credentials WHERE user_name = ? ORDER BY id").bind(user.as_str());
            let rows = select.fetch_all(&mut *tx).await;
            let all = rows.map_err(Into::into).and_then(|rows| rows.iter().map(credential).collect());
            (tx, all)
        })
        .await
    }

    /// Ends one session or token of `user`.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`].
    pub async fn remove_credential(&self, user: &UserName, id: CredentialId) -> Result<()> {
        let delete = "DELETE FROM credentials WHERE user_name = ? AND id = ?";
        let gone = self
            .write(move |mut tx| async move {
                let done = sqlx::query(delete).bind(user.as_str()).bind(id.0).execute(&mut *tx).await;
                (tx, done.map(|done| done.rows_affected()).map_err(Into::into))
            })
            .await?;
        if gone == 0 { Err(CatalogError::NotFound("credential")) } else { Ok(()) }
    }

    /// Ends all sessions and tokens of `user`; gives how many.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn remove_credentials(&self, user: &UserName) -> Result<u64> {
        self.write(move |mut tx| async move {
            let done = sqlx::query("DELETE FROM credentials WHERE user_name = ?")
                .bind(user.as_str())
                .execute(&mut *tx)
                .await;
            (tx, done.map(|done| done.rows_affected()).map_err(Into::into))
        })
        .await
    }

    /// Removes what has expired at `now_ms`; gives how many.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn purge_credentials(&self, now_ms: i64) -> Result<u64> {
        self.write(move |mut tx| async move {
            let done = sqlx::query("DELETE FROM credentials WHERE expires_ms <= ?")
                .bind(now_ms)
                .execute(&mut *tx)
                .await;
            (tx, done.map(|done| done.rows_affected()).map_err(Into::into))
        })
        .await
    }
}

fn credential(row: &AnyRow) -> Result<Credential> {
    let kind = if row.text("kind")? == "session" { CredentialKind::Session } else { CredentialKind::Token };
    Ok(Credential {
        id: row.number("id")?,
        kind,
        label: row.name("label")?,
        created_ms: row.number("created_ms")?,
        expires_ms: row.maybe_number("expires_ms")?,
    })
}

async fn create(
    tx: &mut Tx,
    user: &UserName,
    kind: CredentialKind,
    label: &[u8],
    token_hash: &[u8; 32],
    expires_ms: Option<i64>,
) -> Result<CredentialId> {
    let lock = tx.dialect().for_update();
    let known = sqlx::query(sql(format!("SELECT name FROM users WHERE name = ?{lock}")))
        .bind(user.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    known.ok_or(CatalogError::NotFound("user"))?;
    make_room(tx, user, kind).await?;
    let (user, kind, hash) = (user.as_str(), kind.as_str(), &token_hash[..]);
    let insert = "INSERT INTO credentials (user_name, kind, label, token_hash, created_ms, expires_ms) VALUES (?, ?, ?, ?, ?, ?)";
    let id = tx
        .insert(insert, |query| {
            query.bind(user).bind(kind).bind(label).bind(hash).bind(now_ms()).bind(expires_ms)
        })
        .await?;
    Ok(CredentialId(id))
}

async fn make_room(tx: &mut Tx, user: &UserName, kind: CredentialKind) -> Result<()> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS held, MIN(id) AS oldest FROM credentials WHERE user_name = ? AND kind = ?",
    )
    .bind(user.as_str())
    .bind(kind.as_str())
    .fetch_one(&mut **tx)
    .await?;
    if row.number::<i64>("held")? < CREDENTIALS_PER_USER_MAX {
        return Ok(());
    }
    if kind == CredentialKind::Token {
        return Err(CatalogError::Conflict("there are too many tokens already"));
    }
    let oldest: Option<i64> = row.maybe_number("oldest")?;
    sqlx::query("DELETE FROM credentials WHERE id = ?").bind(oldest).execute(&mut **tx).await?;
    Ok(())
}

async fn find(tx: &mut Tx, token_hash: &[u8; 32], now_ms: i64) -> Result<Option<(User, Credential)>> {
    // Each request asks this, so it is one statement; whoever is logged out a moment ago is out.
    let row = sqlx::query(
        "SELECT c.id, c.kind, c.label, c.created_ms, c.expires_ms, u.name, u.role, u.password_hash, \
         u.created_ms AS user_created_ms FROM credentials c JOIN users u ON u.name = c.user_name \
         WHERE c.token_hash = ? AND (c.expires_ms IS NULL OR c.expires_ms > ?)",
    )
    .bind(&token_hash[..])
    .bind(now_ms)
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let user = User {
        name: row.user("name")?,
        role: row.parsed("role")?,
        password_hash: row.text("password_hash")?,
        created_ms: row.number("user_created_ms")?,
    };
    Ok(Some((user, credential(&row)?)))
}

//! People.

use super::{Catalog, CatalogError, Result, Tx, UserName, dialect::sql, now_ms, row::Columns};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use std::{fmt, str::FromStr};

/// What a person may do; each role may do all that those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look and download.
    Reader,
    /// Change own files and tags.
    Editor,
    /// Stop and wake nodes.
    Operator,
    /// Everything, users included.
    Admin,
}

/// Not a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role is reader, editor, operator or admin")]
pub struct RoleError;

impl Role {
    /// As text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Editor => "editor",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = RoleError;
    fn from_str(text: &str) -> std::result::Result<Self, RoleError> {
        [Self::Reader, Self::Editor, Self::Operator, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(RoleError)
    }
}

/// A person with a tree.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Unique.
    pub name: UserName,
    /// What they may do.
    pub role: Role,
    /// In PHC form.
    pub password_hash: String,
    /// Unix milliseconds.
    pub created_ms: i64,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

impl Catalog {
    /// Adds a user.
    ///
    /// # Errors
    /// [`CatalogError::Exists`].
    pub async fn create_user(&self, name: &UserName, password_hash: &str, role: Role) -> Result<User> {
        self.write(move |mut tx| async move {
            let user = create(&mut tx, name, password_hash, role).await;
            (tx, user)
        })
        .await
    }

    /// The user called `name`.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`].
    pub async fn user(&self, name: &UserName) -> Result<User> {
        self.read(move |mut tx| async move {
            let user = find(&mut tx, name).await.and_then(|user| user.ok_or(CatalogError::NotFound("user")));
            (tx, user)
        })
        .await
    }

    /// All users, by name.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn users(&self) -> Result<Vec<User>> {
        self.read(move |mut tx| async move {
            let rows = sqlx::query("SELECT * FROM users ORDER BY name").fetch_all(&mut *tx).await;
            let users = rows.map_err(Into::into).and_then(|rows| rows.iter().map(user).collect());
            (tx, users)
        })
        .await
    }

    /// Sets the password and ends all sessions of the user.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`].
    pub async fn set_password(&self, name: &UserName, password_hash: &str) -> Result<()> {
        self.write(move |mut tx| async move {
            let done = set_password(&mut tx, name, password_hash).await;
            (tx, done)
        })
        .await
    }

    /// Changes what the user may do.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`]; [`CatalogError::Conflict`]: the last admin stays one.
    pub async fn set_role(&self, name: &UserName, role: Role) -> Result<()> {
        self.write(move |mut tx| async move {
            let done = set_role(&mut tx, name, role).await;
            (tx, done)
        })
        .await
    }

    /// Removes a user with sessions and tokens.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`]; [`CatalogError::NotEmpty`] while there are files, in the trash too;
    /// [`CatalogError::Conflict`] for the last admin.
    pub async fn remove_user(&self, name: &UserName) -> Result<()> {
        self.write(move |mut tx| async move {
            let done = remove(&mut tx, name).await;
            (tx, done)
        })
        .await
    }
}

/// Reads all columns of `users`.
pub(super) fn user(row: &AnyRow) -> Result<User> {
    Ok(User {
        name: row.user("name")?,
        role: row.parsed("role")?,
        password_hash: row.text("password_hash")?,
        created_ms: row.number("created_ms")?,
    })
}

async fn find(tx: &mut Tx, name: &UserName) -> Result<Option<User>> {
    let row = sqlx::query("SELECT * FROM users WHERE name = ?")
        .bind(name.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|row| user(&row)).transpose()
}

async fn create(tx: &mut Tx, name: &UserName, password_hash: &str, role: Role) -> Result<User> {
    if find(tx, name).await?.is_some() {
        return Err(CatalogError::Exists("the user"));
    }
    let created_ms = now_ms();
    sqlx::query("INSERT INTO users (name, role, password_hash, created_ms) VALUES (?, ?, ?, ?)")
        .bind(name.as_str())
        .bind(role.as_str())
        .bind(password_hash)
        .bind(created_ms)
        .execute(&mut **tx)
        .await?;
    Ok(User { name: name.clone(), role, password_hash: password_hash.to_owned(), created_ms })
}

async fn set_password(tx: &mut Tx, name: &UserName, password_hash: &str) -> Result<()> {
    let done = sqlx::query("UPDATE users SET password_hash = ? WHERE name = ?")
        .bind(password_hash)
        .bind(name.as_str())
        .execute(&mut **tx)
        .await?;
    if done.rows_affected() == 0 {
        return Err(CatalogError::NotFound("user"));
    }
    sqlx::query("DELETE FROM credentials WHERE user_name = ? AND kind = 'session'")
        .bind(name.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Locks all admins, in order, so that two who demote each other cannot both succeed. Refuses if `name` is the only one.
async fn keep_an_admin(tx: &mut Tx, name: &UserName) -> Result<()> {
    let lock = tx.dialect().for_update();
    let rows = sqlx::query(sql(format!("SELECT name, role FROM users ORDER BY name{lock}")))
        .fetch_all(&mut **tx)
        .await?;
    let mut others = 0;
    let mut found = None;
    for row in &rows {
        let (user, role): (UserName, Role) = (row.user("name")?, row.parsed("role")?);
        if user == *name {
            found = Some(role);
        } else if role == Role::Admin {
            others += 1;
        }
    }
    match found {
        None => Err(CatalogError::NotFound("user")),
        Some(Role::Admin) if others == 0 => Err(CatalogError::Conflict("the last admin must stay")),
        Some(_) => Ok(()),
    }
}

async fn set_role(tx: &mut Tx, name: &UserName, role: Role) -> Result<()> {
    if role == Role::Admin {
        find(tx, name).await?.ok_or(CatalogError::NotFound("user"))?;
    } else {
        keep_an_admin(tx, name).await?;
    }
    sqlx::query("UPDATE users SET role = ? WHERE name = ?")
        .bind(role.as_str())
        .bind(name.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn remove(tx: &mut Tx, name: &UserName) -> Result<()> {
    keep_an_admin(tx, name).await?;
    let entry = sqlx::query("SELECT id FROM entries WHERE owner = ? LIMIT 1")
        .bind(name.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    if entry.is_some() {
        return Err(CatalogError::NotEmpty("the user's tree"));
    }
    for delete in [
        "DELETE FROM credentials WHERE user_name = ?",
        "DELETE FROM idempotency WHERE user_name = ?",
        "DELETE FROM users WHERE name = ?",
    ] {
        sqlx::query(delete).bind(name.as_str()).execute(&mut **tx).await?;
    }
    Ok(())
}

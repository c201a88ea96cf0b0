//! What is decided once for a cluster: its id, its policy.

use super::{Catalog, CatalogError, Result, Tx, dialect::sql, row::Columns};

impl Catalog {
    /// The setting called `name`, if it was made.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn setting(&self, name: &str) -> Result<Option<String>> {
        self.read(move |mut tx| async move {
            let value = find(&mut tx, name).await;
            (tx, value)
        })
        .await
    }

    /// Makes the setting `value` if it was not made before; gives the one that stands. Whoever comes first decides.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn setting_or(&self, name: &str, value: &str) -> Result<String> {
        self.write(move |mut tx| async move {
            let value = find_or_insert(&mut tx, name, value).await;
            (tx, value)
        })
        .await
    }
}

async fn find(tx: &mut Tx, name: &str) -> Result<Option<String>> {
    let row =
        sqlx::query("SELECT value FROM settings WHERE name = ?").bind(name).fetch_optional(&mut **tx).await?;
    row.map(|row| row.text("value")).transpose()
}

async fn find_or_insert(tx: &mut Tx, name: &str, value: &str) -> Result<String> {
    let keep = tx.dialect().or_keep("name", "name");
    sqlx::query(sql(format!("INSERT INTO settings (name, value) VALUES (?, ?){keep}")))
        .bind(name)
        .bind(value)
        .execute(&mut **tx)
        .await?;
    find(tx, name).await?.ok_or_else(|| CatalogError::invariant("a setting vanished"))
}

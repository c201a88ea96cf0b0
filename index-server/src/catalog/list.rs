//! What is in a folder, page by page.

use super::{
    Catalog, CatalogError, Entry, LogicalPath, Page, Result, Tx, UserName,
    dialect::sql,
    page_limit,
    row::Columns,
    tree::{ENTRY_COLUMNS, FILE, FOLDER, below, entry, folder},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

impl Catalog {
    /// What is in the folder `path`: folders first, then files, each in the order of their names' bytes.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`], [`CatalogError::NotAFolder`], [`CatalogError::InvalidCursor`].
    pub async fn list(
        &self,
        owner: &UserName,
        path: &LogicalPath,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Entry>> {
        let after = cursor.map(Cursor::parse).transpose()?;
        let after = after.as_ref();
        self.read(move |mut tx| async move {
            let page = page(&mut tx, owner, path, after, page_limit(limit)).await;
            (tx, page)
        })
        .await
    }
}

/// Where a page of a folder ended.
struct Cursor {
    kind: i64,
    name: Vec<u8>,
}

impl Cursor {
    fn parse(text: &str) -> Result<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CatalogError::InvalidCursor)?;
        match bytes.split_first() {
            Some((b'0', name)) => Ok(Self { kind: FOLDER, name: name.to_vec() }),
            Some((b'1', name)) => Ok(Self { kind: FILE, name: name.to_vec() }),
            _ => Err(CatalogError::InvalidCursor),
        }
    }

    fn text(kind: i64, name: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("{kind}{name}"))
    }
}

async fn page(
    tx: &mut Tx,
    owner: &UserName,
    path: &LogicalPath,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Page<Entry>> {
    let parent = folder(tx, owner, path).await?;
    let mut rows = Vec::new();
    let wanted = i64::from(limit) + 1; // One more tells whether there is a next page.
    let by_index = tx.dialect().by_index("entries_in_order");
    for kind in [FOLDER, FILE] {
        // Each kind by itself is a range of the index; a comparison of (kind, name) pairs would not be.
        let after = match after {
            Some(cursor) if cursor.kind > kind => continue,
            Some(cursor) if cursor.kind == kind => cursor.name.as_slice(),
            _ => b"",
        };
        let missing = wanted - rows.len() as i64;
        rows.extend(
            sqlx::query(sql(format!(
                "SELECT {ENTRY_COLUMNS} FROM entries e{by_index} LEFT JOIN contents c ON c.id = e.content \
                 WHERE e.owner = ? AND e.parent = ? AND e.kind = ? AND e.name > ? ORDER BY e.name LIMIT ?"
            )))
            .bind(owner.as_str())
            .bind(parent)
            .bind(kind)
            .bind(after)
            .bind(missing)
            .fetch_all(&mut **tx)
            .await?,
        );
    }
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = match rows.last().filter(|_| more) {
        Some(row) => Some(Cursor::text(row.number("kind")?, &row.name("name")?)),
        None => None,
    };
    let items = rows.iter().map(|row| entry(row, below(path, &row.name("name")?)?)).collect::<Result<_>>()?;
    Ok(Page { items, next })
}

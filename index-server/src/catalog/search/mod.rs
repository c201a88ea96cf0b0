//! Search: a query's tree becomes one `SELECT` with bound values, the same for both databases.
//!
//! Found files are in the order of their names' bytes, then of their numbers. What lies in the trash is never found, and a tag that
//! a person rejected does not match.

mod condition;
mod lead;
mod paths;
mod statement;
mod terms;

use super::{
    Catalog, CatalogError, Entry, EntryId, Page, Result, TagState, Tagging, Tx, UserName, page_limit,
    row::Columns,
    taggings,
    tree::{ENTRY_COLUMNS, entry},
};
use crate::query::Query;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sqlx::any::AnyRow;
use statement::Statement;

/// Whose files are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerScope {
    /// Those of one user; the files of others do not exist.
    One(UserName),
    /// All there are, for an administrator.
    All,
}

impl OwnerScope {
    /// The one user.
    pub fn user(&self) -> Option<&UserName> {
        match self {
            Self::One(user) => Some(user),
            Self::All => None,
        }
    }
}

/// A file that a query is true of.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The file.
    pub entry: Entry,
    /// Its tags, surest first, without the rejected ones.
    pub tags: Vec<Tagging>,
}

/// A name as case-insensitive search compares it. Character by character, so that a part of a name folds to a part of the folded name.
pub(super) fn folded(name: &str) -> Vec<u8> {
    name.chars().flat_map(char::to_lowercase).collect::<String>().into_bytes()
}

impl Catalog {
    /// The files that `query` is true of, piece by piece.
    ///
    /// # Errors
    /// [`CatalogError::InvalidCursor`], [`CatalogError::Unavailable`].
    pub async fn search(
        &self,
        scope: &OwnerScope,
        query: &Query,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Found>> {
        let after = cursor.map(Cursor::parse).transpose()?;
        let after = after.as_ref();
        self.read(move |mut tx| async move {
            let page = page(&mut tx, scope, query, after, page_limit(limit)).await;
            (tx, page)
        })
        .await
    }

    /// The numbers of the first files that [`Catalog::search`] finds.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn search_ids(&self, scope: &OwnerScope, query: &Query, limit: u32) -> Result<Vec<EntryId>> {
        self.read(move |mut tx| async move {
            let ids = ids(&mut tx, scope, query, page_limit(limit)).await;
            (tx, ids)
        })
        .await
    }
}

async fn ids(tx: &mut Tx, scope: &OwnerScope, query: &Query, limit: u32) -> Result<Vec<EntryId>> {
    let statement = Statement::new(tx, scope, query, None).await?;
    let rows = statement.fetch(tx, "e.id", i64::from(limit)).await?;
    rows.iter().map(|row| row.number("id")).collect()
}

async fn page(
    tx: &mut Tx,
    scope: &OwnerScope,
    query: &Query,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Page<Found>> {
    let statement = Statement::new(tx, scope, query, after).await?;
    // One more tells whether there is a next page.
    let mut rows = statement.fetch(tx, ENTRY_COLUMNS, i64::from(limit) + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(Cursor::of).transpose()?.map(|cursor| cursor.text());
    Ok(Page { items: found(tx, &rows).await?, next })
}

/// Adds to each row its path and its tags.
async fn found(tx: &mut Tx, rows: &[AnyRow]) -> Result<Vec<Found>> {
    let paths = paths::of_rows(tx, rows).await?;
    let entries: Vec<Entry> =
        rows.iter().zip(paths).map(|(row, path)| entry(row, path)).collect::<Result<_>>()?;
    let ids: Vec<EntryId> = entries.iter().map(|entry| entry.id).collect();
    let mut taggings = taggings::taggings(tx, &ids).await?;
    let with_tags = |entry: Entry| {
        let mut tags = taggings.remove(&entry.id).unwrap_or_default();
        tags.retain(|tagging| tagging.state != TagState::Rejected);
        Found { entry, tags }
    };
    Ok(entries.into_iter().map(with_tags).collect())
}

/// Where a page ended.
struct Cursor {
    id: i64,
    name: Vec<u8>,
}

impl Cursor {
    fn of(row: &AnyRow) -> Result<Self> {
        Ok(Self { id: row.number("id")?, name: row.bytes("name")? })
    }

    fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode([&self.id.to_be_bytes()[..], &self.name].concat())
    }

    fn parse(text: &str) -> Result<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CatalogError::InvalidCursor)?;
        let (id, name) = bytes.split_first_chunk().ok_or(CatalogError::InvalidCursor)?;
        Ok(Self { id: i64::from_be_bytes(*id), name: name.to_vec() })
    }
}

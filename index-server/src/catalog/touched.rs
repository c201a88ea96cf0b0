//! Whom the loss of some groups would touch.

use super::{
    Catalog, Result, Tx,
    dialect::{sql, values},
    row::Columns,
};
use sqlx::any::AnyRow;

/// Who is told how many files something touches needs the order of magnitude; counting further would keep the database busy.
pub const FILES_COUNTED_MAX: u32 = 100_000;
/// No refusal names more than this.
const NAMES_MAX: i64 = 10;
/// Beyond this many groups the answer is "most of them", and a list of marks gets too long.
const GROUPS_MAX: usize = 4096;

/// Files with an extent in certain groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// How many, at most as many as were looked at.
    pub files: u64,
    /// Whose, those with most files first; at most 10.
    pub owners: Vec<String>,
    /// Their most frequent tags; at most 10.
    pub tags: Vec<String>,
}

impl Catalog {
    /// The files that have an extent in one of `groups`. Looks at `limit` files at most.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn files_touched(&self, groups: &[u32], limit: u32) -> Result<Touched> {
        if groups.is_empty() {
            return Ok(Touched::default());
        }
        let groups = &groups[..groups.len().min(GROUPS_MAX)];
        self.read(move |mut tx| async move {
            let touched = touched(&mut tx, groups, limit).await;
            (tx, touched)
        })
        .await
    }
}

async fn touched(tx: &mut Tx, groups: &[u32], limit: u32) -> Result<Touched> {
    let files = format!(
        "(SELECT DISTINCT content FROM extents WHERE group_id IN {} LIMIT ?) f",
        values(groups.len(), 1)
    );
    let counted = rows(tx, format!("SELECT COUNT(*) AS files FROM {files}"), groups, limit, None).await?;
    let owners = rows(
        tx,
        format!(
            "SELECT e.owner, COUNT(*) AS files FROM {files} CROSS JOIN entries e ON e.content = f.content \
             GROUP BY e.owner ORDER BY files DESC, e.owner LIMIT ?"
        ),
        groups,
        limit,
        Some(NAMES_MAX),
    )
    .await?;
    let tags = rows(
        tx,
        format!(
            "SELECT t.name, COUNT(*) AS files FROM {files} CROSS JOIN entries e ON e.content = f.content \
             CROSS JOIN taggings g ON g.entry = e.id AND g.state <> 2 CROSS JOIN tags t ON t.id = g.tag \
             GROUP BY t.id, t.name ORDER BY files DESC, t.name LIMIT ?"
        ),
        groups,
        limit,
        Some(NAMES_MAX),
    )
    .await?;
    Ok(Touched {
        files: counted.first().map_or(Ok(0), |row| row.number("files"))?,
        owners: owners.iter().map(|row| row.text("owner")).collect::<Result<_>>()?,
        tags: tags.iter().map(|row| row.name("name")).collect::<Result<_>>()?,
    })
}

async fn rows(
    tx: &mut Tx,
    select: String,
    groups: &[u32],
    limit: u32,
    names: Option<i64>,
) -> Result<Vec<AnyRow>> {
    let mut query = sqlx::query(sql(select));
    for group in groups {
        query = query.bind(i64::from(*group));
    }
    query = query.bind(i64::from(limit));
    if let Some(names) = names {
        query = query.bind(names);
    }
    Ok(query.fetch_all(&mut **tx).await?)
}

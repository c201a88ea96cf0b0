//! The paths of many files at once: one query per level of the tree, not one per folder.

use super::super::{
    CatalogError, LogicalPath, PATH_DEPTH_MAX, Result, Tx,
    dialect::{sql, values},
    row::Columns,
    tree::ROOT,
};
use sqlx::any::AnyRow;
use std::collections::{BTreeSet, HashMap};

/// A folder's parent and name.
type Folders = HashMap<i64, (i64, String)>;

/// The path of each row, which has the columns `parent` and `name` and lies in no trash.
pub(super) async fn of_rows(tx: &mut Tx, rows: &[AnyRow]) -> Result<Vec<LogicalPath>> {
    let parents = rows.iter().map(|row| row.number("parent")).collect::<Result<_>>()?;
    let folders = folders_above(tx, parents).await?;
    rows.iter().map(|row| path(&folders, row.number("parent")?, row.name("name")?)).collect()
}

/// All folders on the ways from `level` up to the root.
async fn folders_above(tx: &mut Tx, mut level: BTreeSet<i64>) -> Result<Folders> {
    let mut folders = Folders::new();
    for _ in 0..PATH_DEPTH_MAX {
        level.retain(|id| *id > ROOT && !folders.contains_key(id));
        if level.is_empty() {
            break;
        }
        let mut query = sqlx::query(sql(format!(
            "SELECT id, parent, name FROM entries WHERE id IN {}",
            values(level.len(), 1)
        )));
        for id in &level {
            query = query.bind(*id);
        }
        level.clear();
        for row in &query.fetch_all(&mut **tx).await? {
            let parent = row.number("parent")?;
            folders.insert(row.number("id")?, (parent, row.name("name")?));
            level.insert(parent);
        }
    }
    Ok(folders)
}

fn path(folders: &Folders, parent: i64, name: String) -> Result<LogicalPath> {
    let mut names = vec![name.as_str()];
    let mut next = parent;
    while next != ROOT {
        let (parent, name) = folders
            .get(&next)
            .filter(|_| names.len() <= PATH_DEPTH_MAX)
            .ok_or_else(|| CatalogError::invariant(format!("the way up from folder {next} has no end")))?;
        names.push(name);
        next = *parent;
    }
    names.reverse();
    format!("/{}", names.join("/")).parse().map_err(|error| CatalogError::invariant(format!("{error}")))
}

//! The `SELECT` of a query.

use super::super::{
    CatalogError, LogicalPath, Result, Tx, UserName,
    dialect::values,
    piece::{Piece, Value},
    row::Columns,
    tree::{FILE, FOLDER, Spot, find},
};
use super::{Cursor, OwnerScope, condition::Condition};
use crate::query::{Expression, Folder, Query, Term};
use sqlx::any::AnyRow;

/// Each folder is a value to bind; a path that so many users have is not worth more.
const FOLDERS_MAX: usize = 10_000;

/// Folders scope way up ends in the trash: what lies in them is not found.
const TRASHED: &str = "gone (id, owner) AS (\
    SELECT e.id, e.owner FROM trash t JOIN entries e ON e.id = t.entry WHERE e.kind = 0 \
    UNION ALL \
    SELECT e.id, e.owner FROM gone g JOIN entries e ON e.owner = g.owner AND e.parent = g.id AND e.kind = 0)";

/// A query's folders by number; of an administrator's search, one per user who has the path.
pub(super) struct Below<'q> {
    pub(super) folder: &'q Folder,
    ids: Vec<i64>,
}

/// Everything of the `SELECT` but its columns and its limit.
pub(super) struct Statement {
    with: Condition,
    condition: Condition,
}

impl Statement {
    /// Looks up the folders that the query names, on the same snapshot that the statement will run on.
    pub(super) async fn new(
        tx: &mut Tx,
        scope: &OwnerScope,
        query: &Query,
        after: Option<&Cursor>,
    ) -> Result<Self> {
        let folders = below(tx, scope, query.expression.as_ref()).await?;
        Ok(Self { with: with(&folders), condition: condition(scope, query, &folders, after) })
    }

    /// Runs it.
    pub(super) async fn fetch(&self, tx: &mut Tx, columns: &str, limit: i64) -> Result<Vec<AnyRow>> {
        let statement = Piece::constant("WITH RECURSIVE ")
            .and_then(self.with.clone())
            .and_then(Piece::constant(&format!(
                " SELECT {columns} FROM entries e JOIN contents c ON c.id = e.content WHERE "
            )))
            .and_then(self.condition.clone())
            .and_then(Piece::one(" ORDER BY e.name, e.id LIMIT ?", limit.into()));
        statement.fetch(tx).await
    }
}

/// The tables that the condition refers to: `gone`, and one `below_N` per folder.
fn with(folders: &[Below<'_>]) -> Condition {
    let mut with = Condition::constant(TRASHED);
    for (index, below) in folders.iter().enumerate().filter(|(_, below)| !below.ids.is_empty()) {
        with.text.push_str(&format!(
            ", below_{index} (id, owner) AS (\
               SELECT id, owner FROM entries WHERE id IN {} \
               UNION ALL \
               SELECT e.id, e.owner FROM below_{index} b \
               JOIN entries e ON e.owner = b.owner AND e.parent = b.id AND e.kind = 0)",
            values(below.ids.len(), 1)
        ));
        with.values.extend(below.ids.iter().map(|id| Value::Number(*id)));
    }
    with
}

fn condition(scope: &OwnerScope, query: &Query, folders: &[Below<'_>], after: Option<&Cursor>) -> Condition {
    let mut all = vec![];
    if let Some(user) = scope.user() {
        all.push(Condition::one("e.owner = ?", Value::Text(user.to_string())));
    }
    all.push(Condition::one("e.kind = ?", Value::Number(FILE)));
    all.push(Condition::constant("e.parent >= 0"));
    all.push(Condition::constant("e.parent NOT IN (SELECT id FROM gone)"));
    if let Some(expression) = &query.expression {
        all.push(Condition::of(expression, folders));
    }
    if let Some(Cursor { id, name }) = after {
        // The first half is a range of an index, which the comparison of pairs is not everywhere.
        let values = [Value::Bytes(name.clone()), Value::Bytes(name.clone()), Value::Number(*id)];
        all.push(Condition::many("e.name >= ? AND (e.name, e.id) > (?, ?)", values));
    }
    Condition::join(all, " AND ")
}

impl Below<'_> {
    /// What is true of a file in the folder, which is the `index`-th of the query.
    pub(super) fn condition(&self, index: usize) -> Condition {
        if self.folder.segments().is_empty() {
            return Condition::constant("1 = 1");
        }
        if self.ids.is_empty() {
            return Condition::constant("1 = 0");
        }
        Condition::constant(&format!("e.parent IN (SELECT id FROM below_{index})"))
    }
}

/// Finds the folders of all `path:` terms.
async fn below<'q>(tx: &mut Tx, scope: &OwnerScope, query: Option<&'q Expression>) -> Result<Vec<Below<'q>>> {
    let mut folders: Vec<&Folder> = Vec::new();
    if let Some(expression) = query {
        collect(expression, &mut folders);
    }
    let mut found = Vec::with_capacity(folders.len());
    let mut total = 0;
    for folder in folders {
        let ids = ids_of(tx, scope, folder).await?;
        total += ids.len();
        if total > FOLDERS_MAX {
            return Err(CatalogError::Conflict("too many users have these folders: search one user's files"));
        }
        found.push(Below { folder, ids });
    }
    Ok(found)
}

fn collect<'q>(expression: &'q Expression, folders: &mut Vec<&'q Folder>) {
    match expression {
        Expression::Term(Term::Below(folder)) if !folders.contains(&folder) => folders.push(folder),
        Expression::Term(_) => {}
        Expression::Not(inner) => collect(inner, folders),
        Expression::And(parts) | Expression::Or(parts) => {
            parts.iter().for_each(|part| collect(part, folders));
        }
    }
}

async fn ids_of(tx: &mut Tx, scope: &OwnerScope, folder: &Folder) -> Result<Vec<i64>> {
    // What cannot be a path is the path of nothing; the root needs no numbers.
    let Some(path) = folder.to_string().parse::<LogicalPath>().ok().filter(|path| !path.is_root()) else {
        return Ok(Vec::new());
    };
    let owners = match scope.user() {
        Some(user) => vec![user.clone()],
        None => users_with(tx, path.segments().next().unwrap_or_default()).await?,
    };
    let mut ids = Vec::new();
    for owner in owners {
        if let Some(Spot { id, kind: FOLDER }) = find(tx, &owner, &path).await? {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// Who has something of this name in the root.
async fn users_with(tx: &mut Tx, name: &str) -> Result<Vec<UserName>> {
    let rows = sqlx::query(
        "SELECT u.name FROM users u JOIN entries e ON e.owner = u.name AND e.parent = 0 AND e.name = ?",
    )
    .bind(name.as_bytes())
    .fetch_all(&mut **tx)
    .await?;
    rows.iter().map(|row| row.user("name")).collect()
}

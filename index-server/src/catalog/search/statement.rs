//! The `SELECT` of a query.
//!
//! Two ways lead to the files. If all matches must carry a tag that not too many files carry, the statement begins with that tag's
//! files and sorts what is left of them. Else it walks the owner's names in order and stops at the end of the page, which is soon
//! when much matches. Left to themselves both databases would read all files of a frequent tag and sort them.

use super::super::{
    OwnerScope, Result, Tx,
    dialect::values,
    piece::{Piece, Value},
    row::Columns,
    tree::FILE,
};
use super::{Cursor, condition::Condition, terms::Known};
use crate::query::{Expression, Query};
use sqlx::any::AnyRow;

/// More files than this are not sorted for a page.
const DRIVEN_FILES_MAX: i64 = 100_000;
/// With so few files no other tag needs to be looked at.
const FEW_FILES: i64 = 1_000;

/// Folders whose way up ends in the trash: what lies in them is not found.
const TRASHED: &str = "gone (id, owner) AS (\
    SELECT e.id, e.owner FROM trash t CROSS JOIN entries e ON e.id = t.entry WHERE e.kind = 0 \
    UNION ALL \
    SELECT e.id, e.owner FROM gone g CROSS JOIN entries e \
    ON e.owner = g.owner AND e.parent = g.id AND e.kind = 0)";

/// Everything of the `SELECT` but its columns and its limit.
pub(super) struct Statement {
    with: Piece,
    source: Piece,
    condition: Piece,
}

impl Statement {
    /// Looks up what the query names, on the same snapshot that the statement will run on.
    pub(super) async fn new(
        tx: &mut Tx,
        scope: &OwnerScope,
        query: &Query,
        after: Option<&Cursor>,
    ) -> Result<Self> {
        let known = Known::of(tx, scope, query.expression.as_ref()).await?;
        let tags =
            rarest(tx, query.expression.as_ref().map_or_else(Vec::new, |all| leading(all, &known))).await?;
        Ok(Self {
            with: Piece::constant(TRASHED).and_then(known.tables()),
            source: source(tags.as_deref()),
            condition: condition(scope, query, &known, after),
        })
    }

    /// Runs it.
    pub(super) async fn fetch(&self, tx: &mut Tx, columns: &str, limit: i64) -> Result<Vec<AnyRow>> {
        let statement = Piece::constant("WITH RECURSIVE ")
            .and_then(self.with.clone())
            .and_then(Piece::constant(&format!(" SELECT {columns} FROM (SELECT e.id FROM ")))
            .and_then(self.source.clone())
            .and_then(Piece::constant(" WHERE "))
            .and_then(self.condition.clone())
            .and_then(Piece::one(
                " ORDER BY e.name, e.id LIMIT ?) page JOIN entries e ON e.id = page.id \
                 JOIN contents c ON c.id = e.content ORDER BY e.name, e.id",
                limit.into(),
            ));
        statement.fetch(tx).await
    }
}

/// All entries, or those that carry one of the tags. `CROSS JOIN` keeps SQLite from turning the order round.
fn source(tags: Option<&[i64]>) -> Piece {
    let Some(tags) = tags else { return Piece::constant("entries e") };
    let text = format!(
        "(SELECT DISTINCT g.entry FROM taggings g WHERE g.tag IN {} AND g.state <> 2) d \
         CROSS JOIN entries e ON e.id = d.entry",
        values(tags.len(), 1)
    );
    Piece::many(&text, tags.iter().map(|tag| Value::Number(*tag)))
}

fn condition(scope: &OwnerScope, query: &Query, known: &Known<'_>, after: Option<&Cursor>) -> Piece {
    let mut all = Vec::new();
    if let Some(user) = scope.user() {
        all.push(Condition::one("e.owner = ?", Value::Text(user.to_string())));
    }
    all.push(Condition::one("e.kind = ?", Value::Number(FILE)));
    // With its sign the column leads to no index: each of them would give files out of order.
    all.push(Condition::constant("+e.parent >= 0"));
    all.push(Condition::constant("+e.parent NOT IN (SELECT id FROM gone)"));
    if let Some(expression) = &query.expression {
        all.push(Condition::of(expression, known));
    }
    if let Some(Cursor { id, name }) = after {
        // The first half is a range of an index, which the comparison of pairs is not everywhere.
        let values = [Value::Bytes(name.clone()), Value::Bytes(name.clone()), Value::Number(*id)];
        all.push(Condition::many("e.name >= ? AND (e.name, e.id) > (?, ?)", values));
    }
    Condition::join(all, " AND ")
}

/// Sets of tags; of each set, every file that matches carries one.
fn leading(expression: &Expression, known: &Known<'_>) -> Vec<Vec<i64>> {
    match expression {
        Expression::Term(term) => known.tags_demanded(term).map(<[i64]>::to_vec).into_iter().collect(),
        Expression::Not(_) => Vec::new(),
        Expression::And(parts) => parts.iter().flat_map(|part| leading(part, known)).collect(),
        Expression::Or(parts) => {
            let first = |part| leading(part, known).into_iter().next();
            let union: Option<Vec<Vec<i64>>> = parts.iter().map(first).collect();
            union.map(|sets| sets.concat()).into_iter().collect()
        }
    }
}

/// The set that fewest files carry, unless all are carried by many.
async fn rarest(tx: &mut Tx, sets: Vec<Vec<i64>>) -> Result<Option<Vec<i64>>> {
    let mut best = None;
    let mut fewest = DRIVEN_FILES_MAX;
    for set in sets.into_iter().filter(|set| !set.is_empty()) {
        let text = format!(
            "SELECT COUNT(*) AS files FROM (SELECT 1 FROM taggings WHERE tag IN {} LIMIT ?) counted",
            values(set.len(), 1)
        );
        let bound = set.iter().copied().chain([fewest]).map(Value::Number);
        let rows = Piece::many(&text, bound).fetch(tx).await?;
        let files = rows.first().map_or(Ok(fewest), |row| row.number::<i64>("files"))?;
        if files < fewest {
            (best, fewest) = (Some(set), files);
        }
        if fewest < FEW_FILES {
            break;
        }
    }
    Ok(best)
}

//! The `SELECT` of a query.
//!
//! Two ways lead to the files. If all matches are among not too many files (those of a tag, of a folder, of a size), the statement
//! begins with these and sorts what is left of them. Else it walks the owner's names in order and stops at the end of the page,
//! which is soon when much matches. Left to themselves both databases would read all files of a frequent tag and sort them.

use super::super::{
    OwnerScope, Result, Tx,
    piece::{Piece, Value},
    tree::FILE,
};
use super::{Cursor, condition::Condition, lead, terms::Known};
use crate::query::Query;
use sqlx::any::AnyRow;

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
        let lead = lead::best(tx, query.expression.as_ref(), &known).await?;
        Ok(Self {
            with: known.tables(),
            source: lead.map_or_else(|| Piece::constant("entries e"), files_of),
            condition: condition(scope, query, &known, after),
        })
    }

    /// Runs it.
    pub(super) async fn fetch(&self, tx: &mut Tx, columns: &str, limit: i64) -> Result<Vec<AnyRow>> {
        let statement = Piece::default()
            .and_then(self.with.clone())
            .and_then(Piece::constant(&format!("SELECT {columns} FROM (SELECT e.id FROM ")))
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

/// The files that a lead leads to, each once. `CROSS JOIN` keeps SQLite from turning the order round.
fn files_of(lead: Piece) -> Piece {
    Piece::constant("(SELECT DISTINCT entry FROM (")
        .and_then(lead)
        .and_then(Piece::constant(") led) d CROSS JOIN entries e ON e.id = d.entry"))
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

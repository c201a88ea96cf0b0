//! Where a search begins: the condition that leads to the fewest files, if there is one that leads to few.

use super::super::{
    Result, Tx,
    dialect::values,
    piece::{Piece, Value},
    row::Columns,
};
use super::{condition::Condition, terms::Known};
use crate::query::{Expression, Term};

/// More files than this are not collected and sorted for a page.
const FILES_MAX: i64 = 200_000;
/// The same where all files that the way leads to match: then a page is also soon full on the walk along the names.
const MATCHES_MAX: i64 = 10_000;
/// With so few files no other way needs to be looked at.
const FEW_FILES: i64 = 1_000;

/// A `SELECT` of `entry`, in which every file that matches is met.
type Lead = Piece;

/// The way over the fewest files, unless all ways are long.
pub(super) async fn best(tx: &mut Tx, query: Option<&Expression>, known: &Known<'_>) -> Result<Option<Lead>> {
    let Some(query) = query else { return Ok(None) };
    let (mut best, mut fewest) = (None, if is_all_there_is(query) { MATCHES_MAX } else { FILES_MAX });
    for lead in leads(query, known) {
        let count = known
            .tables()
            .and_then(Piece::constant("SELECT COUNT(*) AS files FROM ("))
            .and_then(lead.clone())
            .and_then(Piece::one(" LIMIT ?) counted", fewest.into()));
        let rows = count.fetch(tx).await?;
        let files = rows.first().map_or(Ok(fewest), |row| row.number("files"))?;
        if files < fewest {
            (best, fewest) = (Some(lead), files);
        }
        if fewest < FEW_FILES {
            break;
        }
    }
    Ok(best)
}

/// Whether no other condition takes files away again.
fn is_all_there_is(query: &Expression) -> bool {
    match query {
        Expression::Term(_) => true,
        Expression::Or(parts) => parts.iter().all(is_all_there_is),
        Expression::Not(_) | Expression::And(_) => false,
    }
}

/// All ways. What is not, or is only true of a part of a name, leads nowhere.
fn leads(expression: &Expression, known: &Known<'_>) -> Vec<Lead> {
    match expression {
        Expression::Term(term) => of_term(term, known).into_iter().collect(),
        Expression::Not(_) => Vec::new(),
        Expression::And(parts) => parts.iter().flat_map(|part| leads(part, known)).collect(),
        Expression::Or(parts) => {
            let first = |part| leads(part, known).into_iter().next();
            let all: Option<Vec<Lead>> = parts.iter().map(first).collect();
            all.map(|leads| Piece::joined(leads, " UNION ALL ")).into_iter().collect()
        }
    }
}

fn of_term(term: &Term, known: &Known<'_>) -> Option<Lead> {
    match term {
        Term::Tag(_) | Term::KindTag { .. } => {
            let tags = known.ids(term);
            let text = format!(
                "SELECT g.entry FROM taggings g WHERE g.tag IN {} AND g.state <> 2",
                values(tags.len(), 1)
            );
            (!tags.is_empty()).then(|| Piece::many(&text, tags.iter().map(|tag| Value::Number(*tag))))
        }
        Term::Below(_) => known.table(term).map(|table| {
            Piece::constant(&format!(
                "SELECT f.id AS entry FROM {table} b CROSS JOIN entries f \
                 ON f.owner = b.owner AND f.parent = b.id AND f.kind = 1"
            ))
        }),
        Term::Size(range) => {
            let files =
                "SELECT f.id AS entry FROM contents s CROSS JOIN entries f ON f.content = s.id WHERE ";
            Some(Piece::constant(files).and_then(Condition::size("s.size", range)))
        }
        Term::Word(_) | Term::Name(_) | Term::Owner(_) | Term::Date(_) => None,
    }
}

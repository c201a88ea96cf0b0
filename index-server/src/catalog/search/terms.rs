//! What the terms of a query are called in the database: numbers of tags and folders, looked up before the search itself.

use super::super::{
    CatalogError, LogicalPath, OwnerScope, Result, Tx, UserName,
    dialect::values,
    piece::{Piece, Value},
    row::Columns,
    tree::{FOLDER, Spot, find},
};
use super::condition::Condition;
use crate::query::{Expression, Folder, Term};

/// One name has far fewer kinds.
const KINDS_MAX: i64 = 256;
/// Each folder is a value to bind; a path that so many users have is not worth more.
const FOLDERS_MAX: usize = 10_000;

/// Folders whose way up ends in the trash: what lies in them is not found.
const TRASHED: &str = "gone (id, owner) AS (\
    SELECT e.id, e.owner FROM trash t CROSS JOIN entries e ON e.id = t.entry WHERE e.kind = 0 \
    UNION ALL \
    SELECT e.id, e.owner FROM gone g CROSS JOIN entries e \
    ON e.owner = g.owner AND e.parent = g.id AND e.kind = 0)";

/// The terms of a query, each once, with the numbers that belong to it.
#[derive(Default)]
pub(super) struct Known<'q> {
    terms: Vec<(&'q Term, Vec<i64>)>,
}

impl<'q> Known<'q> {
    /// Looks up all terms of the query.
    pub(super) async fn of(tx: &mut Tx, scope: &OwnerScope, query: Option<&'q Expression>) -> Result<Self> {
        let mut terms = Vec::new();
        if let Some(expression) = query {
            collect(expression, &mut terms);
        }
        let mut known = Self { terms: Vec::with_capacity(terms.len()) };
        let mut folders = 0;
        for term in terms {
            let ids = match term {
                Term::Word(name) | Term::Tag(name) => tag_ids(tx, None, name).await?,
                Term::KindTag { kind, name } => tag_ids(tx, Some(kind), name).await?,
                Term::Below(folder) => folder_ids(tx, scope, folder).await?,
                Term::Name(_) | Term::Owner(_) | Term::Size(_) | Term::Date(_) => Vec::new(),
            };
            folders += if matches!(term, Term::Below(_)) { ids.len() } else { 0 };
            if folders > FOLDERS_MAX {
                return Err(CatalogError::Conflict(
                    "too many users have these folders: search one user's files",
                ));
            }
            known.terms.push((term, ids));
        }
        Ok(known)
    }

    /// The numbers of a term's tags or folders.
    pub(super) fn ids(&self, term: &Term) -> &[i64] {
        self.place(term).1
    }

    /// The name of the table of a term's folders and those below; none for the root, or if there is none.
    pub(super) fn table(&self, term: &Term) -> Option<String> {
        let (place, ids) = self.place(term);
        (!ids.is_empty()).then(|| format!("below_{place}"))
    }

    /// True of a file that carries a tag of the term.
    pub(super) fn tagged(&self, term: &Term) -> Condition {
        let tags = self.ids(term);
        if tags.is_empty() {
            return Condition::nothing();
        }
        let list = Piece::many(&values(tags.len(), 1), tags.iter().map(|tag| Value::Number(*tag)));
        Condition::tagged(list)
    }

    /// True of a file somewhere below the folder.
    pub(super) fn below(&self, term: &Term, folder: &Folder) -> Condition {
        if folder.segments().is_empty() {
            return Condition::constant("1 = 1");
        }
        // With its sign the column leads to no index, which would give files out of order.
        self.table(term).map_or_else(Condition::nothing, |table| {
            Condition::constant(&format!("+e.parent IN (SELECT id FROM {table})"))
        })
    }

    /// The front of a statement: the table `gone`, and of each folder a table with it and those below it.
    pub(super) fn tables(&self) -> Piece {
        let folders = self.terms.iter().enumerate().filter(|(_, (term, _))| matches!(term, Term::Below(_)));
        let table = |(place, (_, ids)): (usize, &(&Term, Vec<i64>))| {
            let text = format!(
                ", below_{place} (id, owner) AS (\
                   SELECT id, owner FROM entries WHERE id IN {} \
                   UNION ALL \
                   SELECT e.id, e.owner FROM below_{place} b CROSS JOIN entries e \
                   ON e.owner = b.owner AND e.parent = b.id AND e.kind = 0)",
                values(ids.len(), 1)
            );
            Piece::many(&text, ids.iter().map(|id| Value::Number(*id)))
        };
        let tables = Piece::joined(folders.filter(|(_, (_, ids))| !ids.is_empty()).map(table), "");
        Piece::constant(&format!("WITH RECURSIVE {TRASHED}")).and_then(tables).and_then(Piece::constant(" "))
    }

    fn place(&self, term: &Term) -> (usize, &[i64]) {
        let found = self.terms.iter().enumerate().find(|(_, (known, _))| *known == term);
        found.map_or((0, &[]), |(place, (_, ids))| (place, ids))
    }
}

fn collect<'q>(expression: &'q Expression, terms: &mut Vec<&'q Term>) {
    match expression {
        Expression::Term(term) if terms.contains(&term) => {}
        Expression::Term(term) => terms.push(term),
        Expression::Not(inner) => collect(inner, terms),
        Expression::And(parts) | Expression::Or(parts) => parts.iter().for_each(|part| collect(part, terms)),
    }
}

/// The tags of this name in its one spelling, which is how the catalog keeps it.
async fn tag_ids(tx: &mut Tx, kind: Option<&str>, name: &str) -> Result<Vec<i64>> {
    let Some(name) = asterism_tagger::normalise(name) else { return Ok(Vec::new()) };
    let kind = kind.map(|kind| Piece::one(" AND kind = ?", Value::Text(kind.to_owned())));
    let select = Piece::one("SELECT id FROM tags WHERE name = ?", Value::Bytes(name.into_bytes()))
        .and_then(kind.unwrap_or_default())
        .and_then(Piece::one(" ORDER BY kind LIMIT ?", KINDS_MAX.into()));
    select.fetch(tx).await?.iter().map(|row| row.number("id")).collect()
}

/// The folder, or each user's folder of this path.
async fn folder_ids(tx: &mut Tx, scope: &OwnerScope, folder: &Folder) -> Result<Vec<i64>> {
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
    let select =
        "SELECT u.name FROM users u JOIN entries e ON e.owner = u.name AND e.parent = 0 AND e.name = ?";
    let rows = Piece::one(select, Value::Bytes(name.as_bytes().to_vec())).fetch(tx).await?;
    rows.iter().map(|row| row.user("name")).collect()
}

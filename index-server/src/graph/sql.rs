//! The tag graph in tables beside the catalog: `graph_files` and `graph_edges`. A tag is there while an edge leads to it.

use super::{
    Counts, EntryId, OwnerScope, Projection, Result, Tag,
    store::{
        Beside, CANDIDATES_MAX, EDGES_MAX, FILES_PER_TAG_MAX, FileVertex, SAMPLE_MAX, Store, TagKey, Tagged,
    },
};
use crate::catalog::{self, CatalogError, Columns, Database, Piece, Tagging, Tx, Value, sql, values};
use sqlx::any::AnyRow;

/// SQLite joins at most 500 `SELECT`s into one; shorter statements are also sooner prepared.
const ARMS_MAX: usize = 100;
/// Rows of one `INSERT`.
const ROWS_MAX: usize = 100;
/// Files of one transaction: SQLite has one pen, and the catalog writes with it too.
const FILES_PER_WRITE: usize = 64;
/// Files that leave in one transaction when all go.
const CLEARED_PER_WRITE: i64 = 1000;

/// The tag graph of a cluster without a graph database.
#[derive(Clone)]
pub struct SqlGraph {
    database: Database,
}

impl SqlGraph {
    /// The graph that lies in `database`, beside the catalog.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// The rows of a statement, on one snapshot.
    async fn rows(&self, statement: Piece) -> Result<Vec<AnyRow>> {
        let statement = &statement;
        let rows = self.database.read(move |mut tx| async move {
            let rows = statement.fetch(&mut tx).await;
            (tx, rows)
        });
        Ok(rows.await?)
    }

    async fn number(&self, statement: Piece) -> Result<u64> {
        let rows = self.rows(statement).await?;
        Ok(rows.first().map_or(Ok(0), |row| row.number("counted"))?)
    }
}

impl Store for SqlGraph {
    async fn replace(&self, files: &[Projection]) -> Result<()> {
        for files in files.chunks(FILES_PER_WRITE) {
            let written = self.database.write(move |mut tx| async move {
                let written = replace(&mut tx, files).await;
                (tx, written)
            });
            written.await?;
        }
        Ok(())
    }

    async fn remove(&self, entry: EntryId) -> Result<()> {
        let removed = self.database.write(move |mut tx| async move {
            let removed = remove(&mut tx, entry).await;
            (tx, removed)
        });
        Ok(removed.await?)
    }

    async fn files(&self, scope: &OwnerScope, entries: &[EntryId]) -> Result<Vec<FileVertex>> {
        let select = Piece::constant("SELECT entry, name, path, size FROM graph_files WHERE ");
        let rows = self.rows(select.and_then(owned(scope)).and_then(is_one_of(entries))).await?;
        let vertex = |row: &AnyRow| {
            Ok(FileVertex {
                entry: row.number("entry")?,
                name: row.name("name")?,
                path: row.name("path")?,
                size: row.number("size")?,
            })
        };
        Ok(rows.iter().map(vertex).collect::<catalog::Result<_>>()?)
    }

    async fn edges(&self, scope: &OwnerScope, entries: &[EntryId]) -> Result<Vec<Tagged>> {
        let select = Piece::constant("SELECT entry, kind, name, score FROM graph_edges WHERE ")
            .and_then(owned(scope))
            .and_then(is_one_of(entries))
            .and_then(limit(EDGES_MAX));
        let rows = self.rows(select).await?;
        let edge = |row: &AnyRow| {
            Ok(Tagged {
                entry: row.number("entry")?,
                kind: row.text("kind")?,
                name: row.name("name")?,
                score: row.real("score")?,
            })
        };
        Ok(rows.iter().map(edge).collect::<catalog::Result<_>>()?)
    }

    async fn tag_counts(&self, scope: &OwnerScope, tags: &[TagKey<'_>]) -> Result<Vec<u64>> {
        let mut counts = vec![0; tags.len()];
        for (chunk, tags) in tags.chunks(ARMS_MAX).enumerate() {
            let arm = |(index, tag): (usize, &TagKey<'_>)| {
                let place = chunk * ARMS_MAX + index;
                Piece::constant(&format!(
                    "SELECT {place} AS place, COUNT(*) AS files FROM graph_edges WHERE "
                ))
                .and_then(owned(scope))
                .and_then(is_tag(*tag))
            };
            let arms = tags.iter().enumerate().map(arm);
            for row in self.rows(Piece::joined(arms, " UNION ALL ")).await? {
                if let Some(count) = counts.get_mut(row.number::<usize>("place")?) {
                    *count = row.number("files")?;
                }
            }
        }
        Ok(counts)
    }

    async fn file_count(&self, scope: &OwnerScope) -> Result<u64> {
        let select = Piece::constant("SELECT COUNT(*) AS counted FROM graph_files WHERE ");
        self.number(select.and_then(owned(scope)).and_then(Piece::constant("1 = 1"))).await
    }

    async fn beside(&self, scope: &OwnerScope, kind: Option<&str>, name: &str) -> Result<Vec<Beside>> {
        let kind = kind.map(|kind| Piece::one(" AND kind = ?", Value::Text(kind.to_owned())));
        let select = Piece::constant(
            "SELECT o.kind, o.name, COUNT(*) AS files FROM (SELECT DISTINCT entry FROM graph_edges WHERE ",
        )
        .and_then(owned(scope))
        .and_then(Piece::one("name = ?", Value::Bytes(name.as_bytes().to_vec())))
        .and_then(kind.unwrap_or_default())
        .and_then(limit(SAMPLE_MAX))
        .and_then(Piece::constant(
            ") b JOIN graph_edges o ON o.entry = b.entry GROUP BY o.kind, o.name \
             ORDER BY files DESC, o.kind, o.name",
        ))
        .and_then(limit(CANDIDATES_MAX));
        let rows = self.rows(select).await?;
        let beside = |row: &AnyRow| {
            Ok(Beside { kind: row.text("kind")?, name: row.name("name")?, files: row.number("files")? })
        };
        Ok(rows.iter().map(beside).collect::<catalog::Result<_>>()?)
    }

    async fn sharing(&self, scope: &OwnerScope, tags: &[TagKey<'_>]) -> Result<Vec<EntryId>> {
        let arm = |tag: &TagKey<'_>| {
            Piece::constant("SELECT entry FROM (SELECT entry FROM graph_edges WHERE ")
                .and_then(owned(scope))
                .and_then(is_tag(*tag))
                .and_then(Piece::constant(" ORDER BY entry DESC"))
                .and_then(limit(FILES_PER_TAG_MAX))
                .and_then(Piece::constant(") one_tag"))
        };
        let select = Piece::constant("SELECT entry, COUNT(*) AS tags FROM (")
            .and_then(Piece::joined(tags.iter().map(arm), " UNION ALL "))
            .and_then(Piece::constant(") all_tags GROUP BY entry ORDER BY tags DESC, entry DESC"))
            .and_then(limit(CANDIDATES_MAX));
        ids(&self.rows(select).await?)
    }

    async fn carrying(&self, scope: &OwnerScope, tags: &[Tag], most: usize) -> Result<Vec<EntryId>> {
        let Some((first, others)) = tags.split_first() else { return Ok(Vec::new()) };
        let other = |tag: &Tag| {
            Piece::constant(" AND EXISTS (SELECT 1 FROM graph_edges o WHERE o.entry = b.entry AND ")
                .and_then(is_tag((tag.kind(), tag.name())))
                .and_then(Piece::constant(")"))
        };
        let select = Piece::constant("SELECT b.entry FROM graph_edges b WHERE ")
            .and_then(owned(scope))
            .and_then(is_tag((first.kind(), first.name())))
            .and_then(Piece::joined(others.iter().map(other), ""))
            .and_then(Piece::constant(" ORDER BY b.entry DESC"))
            .and_then(limit(most));
        ids(&self.rows(select).await?)
    }

    async fn totals(&self) -> Result<Counts> {
        let count = |of: &str| Piece::constant(&format!("SELECT COUNT(*) AS counted FROM {of}"));
        Ok(Counts {
            files: self.number(count("graph_files")).await?,
            tags: self.number(count("(SELECT DISTINCT owner, name, kind FROM graph_edges) tags")).await?,
            edges: self.number(count("graph_edges")).await?,
        })
    }

    async fn ids_after(&self, after: i64, most: usize) -> Result<Vec<EntryId>> {
        let select = Piece::one("SELECT entry FROM graph_files WHERE entry > ? ORDER BY entry", after.into());
        ids(&self.rows(select.and_then(limit(most))).await?)
    }

    async fn remove_all(&self) -> Result<()> {
        loop {
            let cleared = self.database.write(move |mut tx| async move {
                let more = clear_some(&mut tx).await;
                (tx, more)
            });
            if !cleared.await? {
                return Ok(());
            }
        }
    }

    async fn check(&self) -> Result<()> {
        self.rows(Piece::constant("SELECT 1 AS counted")).await.map(drop)
    }
}

/// True of what belongs to the scope; ends with an AND.
fn owned(scope: &OwnerScope) -> Piece {
    match scope.user() {
        Some(user) => Piece::one("owner = ? AND ", Value::Text(user.to_string())),
        None => Piece::default(),
    }
}

fn is_tag((kind, name): TagKey<'_>) -> Piece {
    let values = [Value::Bytes(name.as_bytes().to_vec()), Value::Text(kind.to_owned())];
    Piece::many("name = ? AND kind = ?", values)
}

fn is_one_of(entries: &[EntryId]) -> Piece {
    let ids = entries.iter().map(|entry| Value::Number(entry.0));
    match entries {
        [] => Piece::constant("1 = 0"),
        _ => Piece::many(&format!("entry IN {}", values(entries.len(), 1)), ids),
    }
}

fn limit(rows: usize) -> Piece {
    Piece::one(" LIMIT ?", Value::Number(i64::try_from(rows).unwrap_or(i64::MAX)))
}

fn ids(rows: &[AnyRow]) -> Result<Vec<EntryId>> {
    Ok(rows.iter().map(|row| row.number("entry")).collect::<catalog::Result<_>>()?)
}

/// Each of the files once; a handful of statements for all of them.
async fn replace(tx: &mut Tx, files: &[Projection]) -> catalog::Result<()> {
    for files in files.chunks(ROWS_MAX) {
        let list = values(files.len(), 1);
        let mut delete = sqlx::query(sql(format!("DELETE FROM graph_edges WHERE entry IN {list}")));
        for file in files {
            delete = delete.bind(file.entry.0);
        }
        delete.execute(&mut **tx).await?;
        let overwrite = tx.dialect().or_set("entry", &["owner", "name", "path", "size"]);
        let mut insert = sqlx::query(sql(format!(
            "INSERT INTO graph_files (entry, owner, name, path, size) VALUES {}{overwrite}",
            values(5, files.len())
        )));
        for file in files {
            let size = i64::try_from(file.size).map_err(|_| CatalogError::invariant("a size beyond 2^63"))?;
            insert = insert
                .bind(file.entry.0)
                .bind(file.owner.as_str())
                .bind(file.name.as_bytes())
                .bind(file.path.as_str().as_bytes())
                .bind(size);
        }
        insert.execute(&mut **tx).await?;
    }
    let edges: Vec<(&Projection, &Tagging)> =
        files.iter().flat_map(|file| file.tags.iter().map(move |tagging| (file, tagging))).collect();
    for edges in edges.chunks(ROWS_MAX) {
        let mut insert = sqlx::query(sql(format!(
            "INSERT INTO graph_edges (entry, kind, name, owner, score) VALUES {}",
            values(5, edges.len())
        )));
        for (file, tagging) in edges {
            insert = insert
                .bind(file.entry.0)
                .bind(tagging.tag.kind())
                .bind(tagging.tag.name().as_bytes())
                .bind(file.owner.as_str())
                .bind(tagging.score);
        }
        insert.execute(&mut **tx).await?;
    }
    Ok(())
}

async fn remove(tx: &mut Tx, entry: EntryId) -> catalog::Result<()> {
    sqlx::query("DELETE FROM graph_edges WHERE entry = ?").bind(entry.0).execute(&mut **tx).await?;
    sqlx::query("DELETE FROM graph_files WHERE entry = ?").bind(entry.0).execute(&mut **tx).await?;
    Ok(())
}

/// Takes out the files with the lowest numbers; true if there may be more.
async fn clear_some(tx: &mut Tx) -> catalog::Result<bool> {
    let lowest = "(SELECT entry FROM graph_files ORDER BY entry LIMIT ?) lowest";
    let last = Piece::one(&format!("SELECT MAX(entry) AS entry FROM {lowest}"), CLEARED_PER_WRITE.into());
    let rows = last.fetch(tx).await?;
    let Some(last) = rows.first().map_or(Ok(None), |row| row.maybe_number::<i64>("entry"))? else {
        return Ok(false);
    };
    for table in ["graph_edges", "graph_files"] {
        sqlx::query(sql(format!("DELETE FROM {table} WHERE entry <= ?")))
            .bind(last)
            .execute(&mut **tx)
            .await?;
    }
    Ok(true)
}

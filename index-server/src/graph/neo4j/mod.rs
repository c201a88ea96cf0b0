//! The tag graph in a Neo4j server (version 5).

mod address;
mod cypher;
mod session;
mod values;

use super::{
    Counts, EntryId, GraphError, OwnerScope, Projection, Result, Tag,
    store::{
        Beside, CANDIDATES_MAX, EDGES_MAX, FILES_PER_TAG_MAX, FileVertex, SAMPLE_MAX, Store, TagKey, Tagged,
    },
};
use address::Address;
use neo4rs::{BoltType, Query, Row};
use session::Session;
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use values::{column, edge_rows, file_rows, ids, keys, number, owner, pairs, size, text};

/// Files of one transaction.
const FILES_PER_WRITE: usize = 256;
/// Files or edges that leave in one transaction when all go.
const CLEARED_PER_WRITE: usize = 10_000;
/// Somebody may wipe the server while we run: its constraints are looked after again after this time.
const SCHEMA_TRUSTED: Duration = Duration::from_secs(60);
/// Who asks whether the graph is there wants to know now.
const PING_DEADLINE: Duration = Duration::from_secs(3);

/// The tag graph of a cluster with a Neo4j server.
pub struct Neo4jGraph {
    session: Session,
    schema_made: Mutex<Option<Instant>>,
}

impl Neo4jGraph {
    /// The graph at `bolt://USER:PASSWORD@HOST:PORT`. Nothing is asked of the server yet: it may be down now and come later.
    ///
    /// # Errors
    /// [`GraphError::Invalid`]: the address has another form.
    pub fn new(url: &str) -> Result<Self> {
        Ok(Self { session: Session::new(Address::parse(url)?), schema_made: Mutex::default() })
    }

    async fn rows(&self, query: Query) -> Result<Vec<Row>> {
        self.session.run(&[query]).await
    }

    async fn counted(&self, query: Query) -> Result<u64> {
        number(self.rows(query).await?.first(), "counted")
    }

    /// Without its constraints the server would look at every vertex for each file, and might make a tag twice.
    async fn make_schema(&self) -> Result<()> {
        let made = || self.schema_made.lock().unwrap_or_else(PoisonError::into_inner);
        if made().is_some_and(|at| at.elapsed() < SCHEMA_TRUSTED) {
            return Ok(());
        }
        for statement in cypher::SCHEMA {
            self.rows(Query::from(*statement)).await?;
        }
        *made() = Some(Instant::now());
        Ok(())
    }

    async fn clear_with(&self, statement: &str) -> Result<()> {
        let clear = || Query::from(statement).param("limit", size(CLEARED_PER_WRITE));
        while self.counted(clear()).await? > 0 {}
        Ok(())
    }
}

impl Store for Neo4jGraph {
    async fn replace(&self, files: &[Projection]) -> Result<()> {
        self.make_schema().await?;
        for files in files.chunks(FILES_PER_WRITE) {
            let statements = [
                Query::from(cypher::SET_FILES).param("files", file_rows(files)),
                Query::from(cypher::SET_EDGES).param("edges", edge_rows(files)),
                Query::from(cypher::DROP_EDGES).param("files", file_rows(files)),
            ];
            self.session.run(&statements).await?;
        }
        Ok(())
    }

    async fn remove(&self, entry: EntryId) -> Result<()> {
        self.rows(Query::from(cypher::REMOVE).param("id", entry.0)).await.map(drop)
    }

    async fn files(&self, scope: &OwnerScope, entries: &[EntryId]) -> Result<Vec<FileVertex>> {
        let query = Query::from(cypher::FILES).param("owner", owner(scope)).param("ids", ids(entries));
        let vertex = |row: &Row| {
            Ok(FileVertex {
                entry: EntryId(column(row, "id")?),
                name: column(row, "name")?,
                path: column(row, "path")?,
                size: number(Some(row), "size")?,
            })
        };
        self.rows(query).await?.iter().map(vertex).collect()
    }

    async fn edges(&self, scope: &OwnerScope, entries: &[EntryId]) -> Result<Vec<Tagged>> {
        let query = Query::from(cypher::EDGES)
            .param("owner", owner(scope))
            .param("ids", ids(entries))
            .param("limit", size(EDGES_MAX));
        let edge = |row: &Row| {
            Ok(Tagged {
                entry: EntryId(column(row, "id")?),
                kind: column(row, "kind")?,
                name: column(row, "name")?,
                score: column(row, "score")?,
            })
        };
        self.rows(query).await?.iter().map(edge).collect()
    }

    async fn tag_counts(&self, scope: &OwnerScope, tags: &[TagKey<'_>]) -> Result<Vec<u64>> {
        let query = Query::from(cypher::TAG_COUNTS).param("owner", owner(scope)).param("tags", keys(tags));
        let mut counts = vec![0; tags.len()];
        for row in &self.rows(query).await? {
            let place = usize::try_from(number(Some(row), "place")?).unwrap_or(usize::MAX);
            if let Some(count) = counts.get_mut(place) {
                *count = number(Some(row), "files")?;
            }
        }
        Ok(counts)
    }

    async fn file_count(&self, scope: &OwnerScope) -> Result<u64> {
        self.counted(match scope {
            OwnerScope::One(_) => Query::from(cypher::FILE_COUNT).param("owner", owner(scope)),
            OwnerScope::All => Query::from(cypher::COUNT_FILES),
        })
        .await
    }

    async fn beside(&self, scope: &OwnerScope, kind: Option<&str>, name: &str) -> Result<Vec<Beside>> {
        let query = Query::from(cypher::BESIDE)
            .param("owner", owner(scope))
            .param("kind", kind.map_or_else(values::null, text))
            .param("name", name)
            .param("sample", size(SAMPLE_MAX))
            .param("limit", size(CANDIDATES_MAX));
        let beside = |row: &Row| {
            Ok(Beside {
                kind: column(row, "kind")?,
                name: column(row, "name")?,
                files: number(Some(row), "files")?,
            })
        };
        self.rows(query).await?.iter().map(beside).collect()
    }

    async fn sharing(&self, scope: &OwnerScope, tags: &[TagKey<'_>]) -> Result<Vec<EntryId>> {
        let query = Query::from(cypher::SHARING)
            .param("owner", owner(scope))
            .param("tags", keys(tags))
            .param("files_per_tag", size(FILES_PER_TAG_MAX))
            .param("limit", size(CANDIDATES_MAX));
        entries(&self.rows(query).await?)
    }

    async fn carrying(&self, scope: &OwnerScope, tags: &[Tag], most: usize) -> Result<Vec<EntryId>> {
        let Some((first, others)) = tags.split_first() else { return Ok(Vec::new()) };
        let query = Query::from(cypher::CARRYING)
            .param("owner", owner(scope))
            .param("kind", first.kind())
            .param("name", first.name())
            .param("others", pairs(others))
            .param("limit", size(most));
        entries(&self.rows(query).await?)
    }

    async fn totals(&self) -> Result<Counts> {
        Ok(Counts {
            files: self.counted(Query::from(cypher::COUNT_FILES)).await?,
            tags: self.counted(Query::from(cypher::COUNT_TAGS)).await?,
            edges: self.counted(Query::from(cypher::COUNT_EDGES)).await?,
        })
    }

    async fn ids_after(&self, after: i64, most: usize) -> Result<Vec<EntryId>> {
        let query = Query::from(cypher::IDS_AFTER).param("after", after).param("limit", size(most));
        entries(&self.rows(query).await?)
    }

    async fn remove_all(&self) -> Result<()> {
        for statement in [cypher::CLEAR_EDGES, cypher::CLEAR_FILES, cypher::CLEAR_TAGS] {
            self.clear_with(statement).await?;
        }
        Ok(())
    }

    async fn check(&self) -> Result<()> {
        self.session.run_within(PING_DEADLINE, &[Query::from(cypher::PING)]).await.map(drop)
    }
}

fn entries(rows: &[Row]) -> Result<Vec<EntryId>> {
    rows.iter().map(|row| column(row, "id").map(EntryId)).collect()
}

//! The tag graph: files and tags as vertices, taggings as edges. Derived from the catalog: it can be down, wiped and made again.
//!
//! [`TagGraph`] is the port. Its answers are worked out once, in [`answers`] and [`picture`], from the few things that the two
//! adapters fetch: [`SqlGraph`] from tables beside the catalog, [`Neo4jGraph`] from a Neo4j server.

mod answers;
#[cfg(test)]
mod contract;
mod error;
mod neo4j;
mod picture;
mod sql;
mod store;

pub use crate::catalog::{EntryId, OwnerScope, Projection, Tag};
pub use error::GraphError;
pub use neo4j::Neo4jGraph;
pub use picture::{Edge, Graph, Vertex};
pub use sql::SqlGraph;

use futures::future::BoxFuture;
use std::collections::BTreeMap;
use store::Store;

/// The tag graph's result.
pub type Result<T> = std::result::Result<T, GraphError>;

/// No answer names more files or tags.
pub const LIMIT_MAX: u32 = 1000;

/// A tag that often stands beside another.
#[derive(Clone, Debug, PartialEq)]
pub struct RelatedTag {
    /// What sort of thing it names.
    pub kind: String,
    /// In lower case.
    pub name: String,
    /// How many files carry it.
    pub files: u64,
    /// Of the files that carry one of the two tags, the part that carries both (Jaccard 1901): 0 to 1.
    pub score: f64,
}

/// A file that shares tags with another.
#[derive(Clone, Debug, PartialEq)]
pub struct SimilarFile {
    /// The file.
    pub entry: EntryId,
    /// Where it is.
    pub path: String,
    /// The last part of the path.
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// How much of what tells the first file from others this one shares: 0 to 1. A tag weighs `ln(1 + files / files with it)`,
    /// so that rare ones count more (Spärck Jones 1972).
    pub score: f64,
    /// Names of the shared tags, the weightiest first.
    pub shared: Vec<String>,
}

/// A file as the graph shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Where it is.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// Kind and name of its tags, in order.
    pub tags: Vec<(String, String)>,
}

/// What there is, of all owners together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Vertices of files.
    pub files: u64,
    /// Vertices of tags; one per owner who has files with it.
    pub tags: u64,
    /// Taggings.
    pub edges: u64,
}

/// The tag graph, as the rest of the index server sees it.
///
/// Every call ends in time, with [`GraphError::Unavailable`] when the graph cannot be asked. What belongs to other owners than the
/// scope's does not exist for a call, not even in a count. `limit` is brought into `1..=LIMIT_MAX`.
pub trait TagGraph: Send + Sync {
    /// Replaces the file's vertex and edges; repeating a call changes nothing. Tags that no file carries any more vanish.
    fn set_file<'a>(&'a self, file: &'a Projection) -> BoxFuture<'a, Result<()>> {
        self.set_files(std::slice::from_ref(file))
    }

    /// The same for several files, each of them once, in one go or in pieces.
    fn set_files<'a>(&'a self, files: &'a [Projection]) -> BoxFuture<'a, Result<()>>;

    /// Takes the file out; one that is not there is no error.
    fn remove_file(&self, entry: EntryId) -> BoxFuture<'_, Result<()>>;

    /// Tags beside the tag of this name (and kind, if given) on the same files, nearest first.
    fn related<'a>(
        &'a self,
        scope: &'a OwnerScope,
        kind: Option<&'a str>,
        name: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<RelatedTag>>>;

    /// Files that share tags with this one, nearest first; none if it is not there.
    fn similar<'a>(
        &'a self,
        scope: &'a OwnerScope,
        entry: EntryId,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<SimilarFile>>>;

    /// The first `limit` of these files, with at most as many tags: those that most of the files carry.
    fn neighbourhood<'a>(
        &'a self,
        scope: &'a OwnerScope,
        entries: &'a [EntryId],
        limit: u32,
    ) -> BoxFuture<'a, Result<Graph>>;

    /// Files that carry every one of `tags`, newest first; none for no tags.
    fn files_with<'a>(
        &'a self,
        scope: &'a OwnerScope,
        tags: &'a [Tag],
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<EntryId>>>;

    /// These files as they are shown; those that are not there are left out.
    fn shown<'a>(&'a self, entries: &'a [EntryId]) -> BoxFuture<'a, Result<BTreeMap<EntryId, Shown>>>;

    /// How much there is.
    fn counts(&self) -> BoxFuture<'_, Result<Counts>>;

    /// The numbers of all files, piece by piece in order.
    fn file_ids(&self, after: Option<EntryId>, limit: u32) -> BoxFuture<'_, Result<Vec<EntryId>>>;

    /// Takes everything out.
    fn clear(&self) -> BoxFuture<'_, Result<()>>;

    /// Whether the graph answers, soon.
    fn ping(&self) -> BoxFuture<'_, Result<()>>;
}

impl<S: Store> TagGraph for S {
    fn set_files<'a>(&'a self, files: &'a [Projection]) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.replace(files))
    }

    fn remove_file(&self, entry: EntryId) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.remove(entry))
    }

    fn related<'a>(
        &'a self,
        scope: &'a OwnerScope,
        kind: Option<&'a str>,
        name: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<RelatedTag>>> {
        Box::pin(answers::related(self, scope, kind, name, bounded(limit)))
    }

    fn similar<'a>(
        &'a self,
        scope: &'a OwnerScope,
        entry: EntryId,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<SimilarFile>>> {
        Box::pin(answers::similar(self, scope, entry, bounded(limit)))
    }

    fn neighbourhood<'a>(
        &'a self,
        scope: &'a OwnerScope,
        entries: &'a [EntryId],
        limit: u32,
    ) -> BoxFuture<'a, Result<Graph>> {
        Box::pin(picture::neighbourhood(self, scope, entries, bounded(limit)))
    }

    fn files_with<'a>(
        &'a self,
        scope: &'a OwnerScope,
        tags: &'a [Tag],
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<EntryId>>> {
        Box::pin(answers::files_with(self, scope, tags, bounded(limit)))
    }

    fn shown<'a>(&'a self, entries: &'a [EntryId]) -> BoxFuture<'a, Result<BTreeMap<EntryId, Shown>>> {
        Box::pin(answers::shown(self, entries))
    }

    fn counts(&self) -> BoxFuture<'_, Result<Counts>> {
        Box::pin(self.totals())
    }

    fn file_ids(&self, after: Option<EntryId>, limit: u32) -> BoxFuture<'_, Result<Vec<EntryId>>> {
        Box::pin(self.ids_after(after.map_or(i64::MIN, |entry| entry.0), bounded(limit)))
    }

    fn clear(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.remove_all())
    }

    fn ping(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.check())
    }
}

fn bounded(limit: u32) -> usize {
    limit.clamp(1, LIMIT_MAX) as usize
}

//! What an adapter must be able to fetch and keep. The answers made of it are the same for all.

use super::{Counts, EntryId, OwnerScope, Projection, Result, Tag};

/// So many files of a tag stand for all of them when tags beside it are counted.
pub(super) const SAMPLE_MAX: usize = 10_000;
/// So many tags beside a tag, or files beside a file, are looked at more closely.
pub(super) const CANDIDATES_MAX: usize = 512;
/// So many files of one tag are taken as candidates for similar files.
pub(super) const FILES_PER_TAG_MAX: usize = 1000;
/// So many edges of the files of one call are read.
pub(super) const EDGES_MAX: usize = 50_000;

/// The vertex of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileVertex {
    pub(super) entry: EntryId,
    pub(super) name: String,
    pub(super) path: String,
    pub(super) size: u64,
}

/// A tagging.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tagged {
    pub(super) entry: EntryId,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) score: f64,
}

/// How often a tag stands beside another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Beside {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) files: u64,
}

/// A tag's kind and name.
pub(super) type TagKey<'a> = (&'a str, &'a str);

/// An adapter. Ids and tags of one call are at most [`super::LIMIT_MAX`].
pub(super) trait Store: Send + Sync {
    /// See [`super::TagGraph::set_files`].
    fn replace(&self, files: &[Projection]) -> impl Future<Output = Result<()>> + Send;

    /// See [`super::TagGraph::remove_file`].
    fn remove(&self, entry: EntryId) -> impl Future<Output = Result<()>> + Send;

    /// Those of the files that are there, in any order.
    fn files(
        &self,
        scope: &OwnerScope,
        entries: &[EntryId],
    ) -> impl Future<Output = Result<Vec<FileVertex>>> + Send;

    /// The edges of these files, in any order, at most [`EDGES_MAX`].
    fn edges(
        &self,
        scope: &OwnerScope,
        entries: &[EntryId],
    ) -> impl Future<Output = Result<Vec<Tagged>>> + Send;

    /// How many files carry each of the tags, in the order of the tags.
    fn tag_counts(
        &self,
        scope: &OwnerScope,
        tags: &[TagKey<'_>],
    ) -> impl Future<Output = Result<Vec<u64>>> + Send;

    /// How many files there are.
    fn file_count(&self, scope: &OwnerScope) -> impl Future<Output = Result<u64>> + Send;

    /// The [`CANDIDATES_MAX`] tags that most of the files with a tag of this name carry, itself included, counted over a sample of
    /// at most [`SAMPLE_MAX`] of these files.
    fn beside(
        &self,
        scope: &OwnerScope,
        kind: Option<&str>,
        name: &str,
    ) -> impl Future<Output = Result<Vec<Beside>>> + Send;

    /// The [`CANDIDATES_MAX`] files that carry most of these tags, among [`FILES_PER_TAG_MAX`] files of each.
    fn sharing(
        &self,
        scope: &OwnerScope,
        tags: &[TagKey<'_>],
    ) -> impl Future<Output = Result<Vec<EntryId>>> + Send;

    /// The newest files that carry the first tag and all others; there is a first one.
    fn carrying(
        &self,
        scope: &OwnerScope,
        tags: &[Tag],
        limit: usize,
    ) -> impl Future<Output = Result<Vec<EntryId>>> + Send;

    /// See [`super::TagGraph::counts`].
    fn totals(&self) -> impl Future<Output = Result<Counts>> + Send;

    /// The numbers above `after` in order.
    fn ids_after(&self, after: i64, limit: usize) -> impl Future<Output = Result<Vec<EntryId>>> + Send;

    /// See [`super::TagGraph::clear`].
    fn remove_all(&self) -> impl Future<Output = Result<()>> + Send;

    /// See [`super::TagGraph::ping`].
    fn check(&self) -> impl Future<Output = Result<()>> + Send;
}

//! Related tags and similar files: what to fetch, and how near things are.

use super::{
    EntryId, OwnerScope, RelatedTag, Result, Shown, SimilarFile, Tag,
    store::{Beside, EDGES_MAX, FileVertex, SAMPLE_MAX, Store, TagKey, Tagged},
};
use crate::catalog::TAGS_PER_FILE_MAX;
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, HashMap},
};

/// The rarest tags of a file lead to the files like it; the common ones only weigh.
const LEADING_TAGS_MAX: usize = 24;

/// See [`super::TagGraph::related`].
pub(super) async fn related<S: Store>(
    store: &S,
    scope: &OwnerScope,
    kind: Option<&str>,
    name: &str,
    limit: usize,
) -> Result<Vec<RelatedTag>> {
    let beside = store.beside(scope, kind, name).await?;
    let keys: Vec<TagKey<'_>> = beside.iter().map(|tag| (tag.kind.as_str(), tag.name.as_str())).collect();
    let counts = store.tag_counts(scope, &keys).await?;
    let is_base = |tag: &Beside| tag.name == name && kind.is_none_or(|kind| kind == tag.kind);
    let (mut base_files, mut others) = (0, Vec::new());
    for (tag, files) in beside.into_iter().zip(counts) {
        if is_base(&tag) {
            base_files += files; // A file that carries the name in two kinds counts twice.
        } else {
            others.push((tag, files));
        }
    }
    let mut related: Vec<RelatedTag> = others
        .into_iter()
        .map(|(tag, files)| RelatedTag {
            score: jaccard(tag.files, base_files, files),
            kind: tag.kind,
            name: tag.name,
            files,
        })
        .collect();
    related.sort_by(|a, b| {
        descending(a.score, b.score).then_with(|| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)))
    });
    related.truncate(limit);
    Ok(related)
}

/// The part that both share of what either has; `shared` was counted over a sample when there are more base files than that.
fn jaccard(shared: u64, base: u64, other: u64) -> f64 {
    let sampled = base.min(SAMPLE_MAX as u64).max(1);
    let shared = shared as f64 * (base.max(1) as f64 / sampled as f64);
    let either = (base + other) as f64 - shared;
    if either > 0.0 { (shared / either).clamp(0.0, 1.0) } else { 0.0 }
}

/// See [`super::TagGraph::similar`].
pub(super) async fn similar<S: Store>(
    store: &S,
    scope: &OwnerScope,
    entry: EntryId,
    limit: usize,
) -> Result<Vec<SimilarFile>> {
    let own = store.edges(scope, &[entry]).await?;
    if own.is_empty() {
        return Ok(Vec::new());
    }
    let weights = weigh(store, scope, &own).await?;
    let leading: Vec<TagKey<'_>> = weights.heaviest().take(LEADING_TAGS_MAX).collect();
    let mut candidates = store.sharing(scope, &leading).await?;
    candidates.retain(|candidate| *candidate != entry);
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let mut ranked = weights.rank(&store.edges(scope, &candidates).await?);
    ranked.truncate(limit);
    let ids: Vec<EntryId> = ranked.iter().map(|near| near.entry).collect();
    let vertices = store.files(scope, &ids).await?;
    let mut vertices: HashMap<_, _> = vertices.into_iter().map(|vertex| (vertex.entry, vertex)).collect();
    let described = ranked.into_iter().filter_map(|near| {
        let vertex = vertices.remove(&near.entry)?; // It may be gone by now.
        let (path, name, size) = (vertex.path, vertex.name, vertex.size);
        Some(SimilarFile { entry: near.entry, path, name, size, score: near.score, shared: near.shared })
    });
    Ok(described.collect())
}

async fn weigh<'t, S: Store>(store: &S, scope: &OwnerScope, own: &'t [Tagged]) -> Result<Weights<'t>> {
    let keys: Vec<TagKey<'t>> = own.iter().map(|edge| (edge.kind.as_str(), edge.name.as_str())).collect();
    let counts = store.tag_counts(scope, &keys).await?;
    Ok(Weights::new(store.file_count(scope).await?, keys.into_iter().zip(counts)))
}

/// A file near another.
#[derive(Debug, PartialEq)]
struct Near {
    entry: EntryId,
    score: f64,
    shared: Vec<String>,
}

/// The tags of a file by how much they tell, the heaviest first.
struct Weights<'t> {
    tags: Vec<(TagKey<'t>, f64)>,
}

impl<'t> Weights<'t> {
    /// From the number of all files and of those with each tag.
    fn new(files: u64, tags: impl IntoIterator<Item = (TagKey<'t>, u64)>) -> Self {
        let weight = |carrying: u64| (1.0 + files as f64 / carrying.max(1) as f64).ln();
        let mut tags: Vec<_> = tags.into_iter().map(|(tag, carrying)| (tag, weight(carrying))).collect();
        tags.sort_by(|a, b| descending(a.1, b.1).then_with(|| a.0.cmp(&b.0)));
        Self { tags }
    }

    fn heaviest(&self) -> impl Iterator<Item = TagKey<'t>> {
        self.tags.iter().map(|(tag, _)| *tag)
    }

    /// The files that share a tag, nearest and newest first.
    fn rank(&self, edges: &[Tagged]) -> Vec<Near> {
        let mut carried: HashMap<EntryId, BTreeSet<TagKey<'_>>> = HashMap::new();
        for edge in edges {
            carried.entry(edge.entry).or_default().insert((&edge.kind, &edge.name));
        }
        let total: f64 = self.tags.iter().map(|(_, weight)| weight).sum();
        let mut ranked: Vec<Near> = carried
            .into_iter()
            .filter_map(|(entry, carried)| {
                let shared: Vec<_> = self.tags.iter().filter(|(tag, _)| carried.contains(tag)).collect();
                let score = shared.iter().map(|(_, weight)| weight).sum::<f64>() / total;
                let shared: Vec<_> = shared.iter().map(|((_, name), _)| (*name).to_owned()).collect();
                (!shared.is_empty()).then_some(Near { entry, score, shared })
            })
            .collect();
        ranked.sort_by(|a, b| descending(a.score, b.score).then_with(|| b.entry.cmp(&a.entry)));
        ranked
    }
}

/// See [`super::TagGraph::files_with`].
pub(super) async fn files_with<S: Store>(
    store: &S,
    scope: &OwnerScope,
    tags: &[Tag],
    limit: usize,
) -> Result<Vec<EntryId>> {
    let mut tags: Vec<Tag> = tags.to_vec();
    tags.sort();
    tags.dedup();
    if tags.is_empty() {
        return Ok(Vec::new());
    }
    if tags.len() > TAGS_TOGETHER_MAX {
        return Err(super::GraphError::Invalid("no file is looked for by so many tags at once"));
    }
    // The rarest leads: its files are looked at one by one.
    let keys: Vec<TagKey<'_>> = tags.iter().map(|tag| (tag.kind(), tag.name())).collect();
    let counts = store.tag_counts(scope, &keys).await?;
    let rarest = (0..tags.len()).min_by_key(|index| counts.get(*index)).unwrap_or(0);
    tags.swap(0, rarest);
    store.carrying(scope, &tags, limit).await
}

/// As many as a query has terms.
const TAGS_TOGETHER_MAX: usize = 64;

fn descending(a: f64, b: f64) -> Ordering {
    b.total_cmp(&a)
}

/// Files as they are shown. So many at a time that no edge is left out.
pub(super) async fn shown(store: &impl Store, entries: &[EntryId]) -> Result<BTreeMap<EntryId, Shown>> {
    let mut all = BTreeMap::new();
    for some in entries.chunks(EDGES_MAX / TAGS_PER_FILE_MAX as usize) {
        for FileVertex { entry, path, size, .. } in store.files(&OwnerScope::All, some).await? {
            all.insert(entry, Shown { path, size, tags: Vec::new() });
        }
        for Tagged { entry, kind, name, .. } in store.edges(&OwnerScope::All, some).await? {
            if let Some(file) = all.get_mut(&entry) {
                file.tags.push((kind, name));
            }
        }
    }
    all.values_mut().for_each(|file| file.tags.sort());
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_jaccard(shared: u64, base: u64, other: u64, expected: f64) {
        let score = jaccard(shared, base, other);
        assert!((score - expected).abs() < 1e-9, "{shared} of {base} and {other}: {score}");
    }

    #[test]
    fn nearness_is_the_part_that_both_share() {
        check_jaccard(3, 3, 3, 1.0);
        check_jaccard(1, 2, 3, 0.25);
        check_jaccard(0, 5, 5, 0.0);
        check_jaccard(0, 0, 0, 0.0);
        check_jaccard(5_000, 20_000, 10_000, 0.5); // Half of a sample of half of the base.
    }

    fn edge(entry: i64, name: &str) -> Tagged {
        Tagged { entry: EntryId(entry), kind: "user".to_owned(), name: name.to_owned(), score: 1.0 }
    }

    #[test]
    fn a_rare_tag_in_common_is_nearer_than_a_frequent_one() {
        let weights = Weights::new(100, [(("user", "rare"), 2), (("user", "frequent"), 90)]);
        let ranked =
            weights.rank(&[edge(1, "frequent"), edge(2, "rare"), edge(3, "other"), edge(4, "frequent")]);
        let order: Vec<_> = ranked.iter().map(|near| near.entry.0).collect();
        assert_eq!(order, [2, 4, 1]);
        assert!(ranked[0].score > 0.8 && ranked[0].score < 1.0);
        assert_eq!(ranked[0].shared, ["rare"]);
    }

    #[test]
    fn a_file_with_all_the_tags_is_as_near_as_can_be() {
        let weights = Weights::new(3, [(("user", "a"), 3), (("user", "b"), 2)]);
        let ranked = weights.rank(&[edge(7, "a"), edge(7, "b"), edge(7, "c")]);
        assert_eq!(ranked, [Near { entry: EntryId(7), score: 1.0, shared: vec!["b".into(), "a".into()] }]);
    }
}

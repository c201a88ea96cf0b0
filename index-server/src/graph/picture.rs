//! A piece of the graph for people to look at: some files, their tags, and what joins them.

use super::{
    EntryId, OwnerScope, Result,
    store::{EDGES_MAX, FileVertex, Store, TagKey, Tagged},
};
use serde::Serialize;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
};
use utoipa::ToSchema;

/// More lines per file than this are a ball of wool.
const EDGES_PER_FILE: usize = 20;

/// A bounded part of the tag graph.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Graph {
    /// Files in the order in which they were asked for, then tags, the most connected first.
    pub nodes: Vec<Vertex>,
    /// The surest first.
    pub edges: Vec<Edge>,
    /// Files, tags or edges were left out.
    pub truncated: bool,
}

/// A file or a tag.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Vertex {
    /// A file.
    File {
        /// `file:` and its number.
        id: String,
        /// Its name.
        label: String,
        /// Where it is.
        path: String,
        /// In bytes.
        size: u64,
    },
    /// A tag.
    Tag {
        /// `tag:`, kind, `:`, name.
        id: String,
        /// Its name.
        label: String,
        /// What sort of thing it names.
        kind: String,
        /// How many files carry it, also those not shown.
        files: u64,
    },
}

/// A tagging.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Edge {
    /// The file.
    pub source: String,
    /// The tag.
    pub target: String,
    /// How sure the tag is, from 0 to 1.
    pub score: f64,
}

/// See [`super::TagGraph::neighbourhood`].
pub(super) async fn neighbourhood<S: Store>(
    store: &S,
    scope: &OwnerScope,
    entries: &[EntryId],
    limit: usize,
) -> Result<Graph> {
    let mut seen = HashSet::new();
    let mut wanted: Vec<EntryId> = entries.iter().copied().filter(|entry| seen.insert(*entry)).collect();
    let cut = wanted.len() > limit;
    wanted.truncate(limit);
    if wanted.is_empty() {
        return Ok(Graph::default());
    }
    let mut files = store.files(scope, &wanted).await?;
    let place = |entry: EntryId| wanted.iter().position(|wanted| *wanted == entry);
    files.sort_by_cached_key(|file| place(file.entry));
    let edges = store.edges(scope, &wanted).await?;
    let (tags, left_out) = most_connected(&edges, limit);
    let counts = if tags.is_empty() { Vec::new() } else { store.tag_counts(scope, &tags).await? };
    let mut graph = draw(files, &edges, tags.into_iter().zip(counts));
    graph.truncated |= cut || left_out || edges.len() == EDGES_MAX;
    Ok(graph)
}

/// The tags with most edges, and whether others were left out.
fn most_connected(edges: &[Tagged], limit: usize) -> (Vec<TagKey<'_>>, bool) {
    let mut degrees: BTreeMap<TagKey<'_>, usize> = BTreeMap::new();
    for edge in edges {
        *degrees.entry((&edge.kind, &edge.name)).or_default() += 1;
    }
    let mut tags: Vec<_> = degrees.into_iter().collect();
    tags.sort_by_key(|(_, degree)| Reverse(*degree)); // Stable: equal ones stay in the order of their names.
    let left_out = tags.len() > limit;
    (tags.into_iter().take(limit).map(|(tag, _)| tag).collect(), left_out)
}

fn draw<'t>(
    files: Vec<FileVertex>,
    edges: &[Tagged],
    tags: impl Iterator<Item = (TagKey<'t>, u64)>,
) -> Graph {
    let edges_max = files.len() * EDGES_PER_FILE;
    let shown: HashSet<EntryId> = files.iter().map(|file| file.entry).collect();
    let mut nodes: Vec<Vertex> = files.into_iter().map(file_vertex).collect();
    let mut tags_shown = HashSet::new();
    for ((kind, name), files) in tags {
        tags_shown.insert((kind, name));
        let (kind, label) = (kind.to_owned(), name.to_owned());
        nodes.push(Vertex::Tag { id: tag_id(&kind, &label), label, kind, files });
    }
    let is_shown = |edge: &&Tagged| {
        shown.contains(&edge.entry) && tags_shown.contains(&(edge.kind.as_str(), edge.name.as_str()))
    };
    let mut edges: Vec<&Tagged> = edges.iter().filter(is_shown).collect();
    edges.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then_with(|| (a.entry, &a.kind, &a.name).cmp(&(b.entry, &b.kind, &b.name)))
    });
    let truncated = edges.len() > edges_max;
    edges.truncate(edges_max);
    let edges = edges.into_iter().map(|edge| Edge {
        source: file_id(edge.entry),
        target: tag_id(&edge.kind, &edge.name),
        score: edge.score,
    });
    Graph { nodes, edges: edges.collect(), truncated }
}

fn file_vertex(file: FileVertex) -> Vertex {
    Vertex::File { id: file_id(file.entry), label: file.name, path: file.path, size: file.size }
}

fn file_id(entry: EntryId) -> String {
    format!("file:{entry}")
}

fn tag_id(kind: &str, name: &str) -> String {
    format!("tag:{kind}:{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(entry: i64, name: &str, score: f64) -> Tagged {
        Tagged { entry: EntryId(entry), kind: "user".to_owned(), name: name.to_owned(), score }
    }

    fn file(entry: i64) -> FileVertex {
        let name = format!("{entry}.txt");
        FileVertex { entry: EntryId(entry), path: format!("/{name}"), name, size: 1 }
    }

    #[test]
    fn the_tags_of_most_files_are_shown() {
        let edges = [edge(1, "b", 1.0), edge(1, "a", 1.0), edge(2, "b", 1.0), edge(2, "c", 1.0)];
        assert_eq!(most_connected(&edges, 2), (vec![("user", "b"), ("user", "a")], true));
        assert!(!most_connected(&edges, 3).1);
    }

    #[test]
    fn edges_lead_only_between_what_is_shown() {
        let edges = [edge(1, "b", 0.5), edge(1, "a", 1.0), edge(2, "b", 0.9), edge(3, "b", 1.0)];
        let graph = draw(vec![file(1), file(2)], &edges, [(("user", "b"), 9)].into_iter());
        let lines: Vec<_> =
            graph.edges.iter().map(|edge| (edge.source.as_str(), edge.target.as_str())).collect();
        assert_eq!(lines, [("file:2", "tag:user:b"), ("file:1", "tag:user:b")]);
        assert!(!graph.truncated);
    }

    #[test]
    fn too_many_edges_are_cut_to_the_surest() {
        let names: Vec<String> = (0..30).map(|number| format!("{number:02}")).collect();
        let edges: Vec<_> =
            names.iter().enumerate().map(|(i, name)| edge(1, name, i as f64 / 100.0)).collect();
        let tags = names.iter().map(|name| (("user", name.as_str()), 1));
        let graph = draw(vec![file(1)], &edges, tags);
        assert!(graph.truncated);
        assert_eq!(graph.edges.len(), EDGES_PER_FILE);
        assert_eq!(graph.edges[0].target, "tag:user:29");
    }

    #[test]
    fn vertices_are_told_apart_by_type() {
        let graph = draw(vec![file(1)], &[edge(1, "x", 1.0)], [(("user", "x"), 1)].into_iter());
        let json = serde_json::to_value(&graph).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "nodes": [
                    {"type": "file", "id": "file:1", "label": "1.txt", "path": "/1.txt", "size": 1},
                    {"type": "tag", "id": "tag:user:x", "label": "x", "kind": "user", "files": 1},
                ],
                "edges": [{"source": "file:1", "target": "tag:user:x", "score": 1.0}],
                "truncated": false,
            })
        );
    }
}

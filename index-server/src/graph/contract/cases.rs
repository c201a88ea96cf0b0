//! What every tag graph promises.

use super::*;
use futures::future::{BoxFuture, join_all};

/// A promise, checked on an empty graph.
type Case = (&'static str, for<'g> fn(&'g dyn TagGraph) -> BoxFuture<'g, ()>);

/// Names cases by their functions.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        pub(super) const CASES: &[Case] = &[$((stringify!($case), |graph| Box::pin($case(graph)))),*];
    };
}

cases![
    a_file_is_found_by_all_of_its_tags,
    repeating_a_call_changes_nothing,
    a_replaced_file_leaves_nothing_behind,
    tags_without_files_vanish,
    related_tags_stand_on_the_same_files,
    similar_files_share_rare_tags,
    a_neighbourhood_shows_files_and_their_tags,
    owners_do_not_see_each_other,
    hostile_names_are_only_names,
    ids_come_in_order_and_all_of_them,
    writers_at_the_same_time_lose_nothing,
    thousands_of_files_give_bounded_answers,
];

async fn a_file_is_found_by_all_of_its_tags(graph: &dyn TagGraph) {
    graph.ping().await.unwrap();
    set(graph, &[file(1, &ada(), "/1", &["a", "b"]), file(2, &ada(), "/2", &["b", "format:c"])]).await;
    assert_eq!(carrying(graph, &ada(), "b").await, [2, 1]);
    assert_eq!(carrying(graph, &ada(), "c").await, [0_i64; 0], "another kind is another tag");
    let both = [tag("user", "b"), tag("user", "a"), tag("user", "b")];
    assert_eq!(graph.files_with(&ada(), &both, 10).await.unwrap(), [EntryId(1)]);
    let across = [tag("user", "b"), tag("format", "c")];
    assert_eq!(graph.files_with(&ada(), &across, 10).await.unwrap(), [EntryId(2)]);
    assert_eq!(graph.files_with(&ada(), &[tag("user", "a"), tag("format", "c")], 10).await.unwrap(), []);
    assert_eq!(graph.files_with(&ada(), &[tag("user", "b")], 1).await.unwrap(), [EntryId(2)]);
    assert_eq!(graph.files_with(&ada(), &[], 10).await.unwrap(), []);
    assert_eq!(graph.counts().await.unwrap(), Counts { files: 2, tags: 3, edges: 4 });
}

async fn repeating_a_call_changes_nothing(graph: &dyn TagGraph) {
    let files = [file(1, &ada(), "/1", &["a", "b"]), file(2, &ada(), "/2", &["b"])];
    set(graph, &files).await;
    let before = graph.neighbourhood(&ada(), &[EntryId(1), EntryId(2)], 10).await.unwrap();
    for _ in 0..2 {
        set(graph, &files).await;
        graph.set_file(&files[0]).await.unwrap();
    }
    assert_eq!(graph.neighbourhood(&ada(), &[EntryId(1), EntryId(2)], 10).await.unwrap(), before);
    assert_eq!(graph.counts().await.unwrap(), Counts { files: 2, tags: 2, edges: 3 });
    graph.remove_file(EntryId(1)).await.unwrap();
    graph.remove_file(EntryId(1)).await.unwrap();
    assert_eq!(graph.counts().await.unwrap(), Counts { files: 1, tags: 1, edges: 1 });
}

async fn a_replaced_file_leaves_nothing_behind(graph: &dyn TagGraph) {
    set(graph, &[file(1, &ada(), "/old/name", &["old", "both"]), file(2, &ada(), "/2", &["both"])]).await;
    let mut moved = file(1, &ada(), "/new/name 2", &["both", "new"]);
    moved.size = u64::from(u32::MAX) + 1;
    moved.tags[0].score = 0.25;
    graph.set_file(&moved).await.unwrap();
    assert_eq!(carrying(graph, &ada(), "old").await, [0_i64; 0]);
    assert_eq!(carrying(graph, &ada(), "both").await, [2, 1]);
    let picture = graph.neighbourhood(&ada(), &[EntryId(1)], 10).await.unwrap();
    let (label, path) = ("name 2".to_owned(), "/new/name 2".to_owned());
    assert_eq!(picture.nodes[0], Vertex::File { id: "file:1".to_owned(), label, path, size: moved.size });
    let scores: Vec<_> = picture.edges.iter().map(|edge| (edge.target.as_str(), edge.score)).collect();
    assert_eq!(scores, [("tag:user:new", 0.5), ("tag:user:both", 0.25)]);
    set(graph, &[file(1, &ada(), "/new/name 2", &[])]).await;
    assert_eq!(graph.counts().await.unwrap(), Counts { files: 2, tags: 1, edges: 1 });
}

async fn tags_without_files_vanish(graph: &dyn TagGraph) {
    set(graph, &[file(1, &ada(), "/1", &["mine", "ours"]), file(2, &ada(), "/2", &["ours"])]).await;
    graph.remove_file(EntryId(1)).await.unwrap();
    assert_eq!(graph.counts().await.unwrap().tags, 1);
    set(graph, &[file(2, &ada(), "/2", &["other"])]).await;
    assert_eq!(graph.counts().await.unwrap(), Counts { files: 1, tags: 1, edges: 1 });
    set(graph, &[file(2, &bob(), "/2", &["other"])]).await;
    assert_eq!(carrying(graph, &ada(), "other").await, [0_i64; 0]);
    assert_eq!(
        graph.counts().await.unwrap(),
        Counts { files: 1, tags: 1, edges: 1 },
        "it has another owner now"
    );
}

async fn related_tags_stand_on_the_same_files(graph: &dyn TagGraph) {
    let files = [
        file(1, &ada(), "/1", &["beach", "sea", "format:jpeg"]),
        file(2, &ada(), "/2", &["beach", "sea", "format:jpeg"]),
        file(3, &ada(), "/3", &["beach", "format:jpeg"]),
        file(4, &ada(), "/4", &["city", "format:jpeg"]),
        file(5, &ada(), "/5", &["keyword:beach", "sand"]),
    ];
    set(graph, &files).await;
    let related = graph.related(&ada(), Some("user"), "beach", 10).await.unwrap();
    let rows: Vec<_> = related.iter().map(|tag| (tag.kind.as_str(), tag.name.as_str(), tag.files)).collect();
    assert_eq!(rows, [("format", "jpeg", 4), ("user", "sea", 2)]);
    assert!(
        (related[0].score - 0.75).abs() < 1e-9 && (related[1].score - 2.0 / 3.0).abs() < 1e-9,
        "{related:?}"
    );
    assert_eq!(graph.related(&ada(), Some("user"), "beach", 1).await.unwrap(), related[..1]);
    let any_kind = graph.related(&ada(), None, "beach", 10).await.unwrap();
    let names: Vec<_> = any_kind.iter().map(|tag| tag.name.as_str()).collect();
    assert_eq!(names, ["jpeg", "sea", "sand"]);
    assert_eq!(graph.related(&ada(), None, "nothing", 10).await.unwrap(), []);
}

async fn similar_files_share_rare_tags(graph: &dyn TagGraph) {
    let files = [
        file(1, &ada(), "/1", &["format:jpeg", "eclipse", "sun"]),
        file(2, &ada(), "/two", &["format:jpeg", "eclipse"]),
        file(3, &ada(), "/3", &["format:jpeg"]),
        file(4, &ada(), "/4", &["format:jpeg", "sun", "eclipse", "more"]),
        file(5, &ada(), "/5", &["other"]),
    ];
    set(graph, &files).await;
    let similar = graph.similar(&ada(), EntryId(1), 10).await.unwrap();
    assert_eq!(similar.iter().map(|near| near.entry.0).collect::<Vec<_>>(), [4, 2, 3]);
    assert_eq!(similar[0].score, 1.0);
    assert_eq!((similar[1].path.as_str(), similar[1].name.as_str(), similar[1].size), ("/two", "two", 7));
    assert_eq!(similar[1].shared, ["eclipse", "jpeg"]);
    assert!(similar[1].score > similar[2].score && similar[2].score > 0.0);
    assert_eq!(graph.similar(&ada(), EntryId(1), 1).await.unwrap().len(), 1);
    assert_eq!(graph.similar(&ada(), EntryId(5), 10).await.unwrap(), []);
    assert_eq!(graph.similar(&ada(), EntryId(99), 10).await.unwrap(), []);
}

async fn a_neighbourhood_shows_files_and_their_tags(graph: &dyn TagGraph) {
    let files = [
        file(1, &ada(), "/1", &["all", "one"]),
        file(2, &ada(), "/2", &["all", "two", "few"]),
        file(3, &ada(), "/3", &["all", "few"]),
        file(4, &ada(), "/4", &["all"]),
    ];
    set(graph, &files).await;
    let ids = [3, 1, 2, 99, 1].map(EntryId);
    let picture = graph.neighbourhood(&ada(), &ids, 10).await.unwrap();
    assert_eq!(shown(&picture), ["/3", "/1", "/2", "all 4", "few 2", "one 1", "two 1"]);
    assert_eq!(picture.edges.len(), 7);
    assert!(!picture.truncated);
    let picture = graph.neighbourhood(&ada(), &ids, 2).await.unwrap();
    assert_eq!(shown(&picture), ["/3", "/1", "all 4", "few 2"]);
    assert_eq!(picture.edges.len(), 3);
    assert!(picture.truncated);
    assert_eq!(graph.neighbourhood(&ada(), &[], 10).await.unwrap(), Graph::default());
}

/// Files by path, tags by name and count.
fn shown(picture: &Graph) -> Vec<String> {
    let text = |vertex: &Vertex| match vertex {
        Vertex::File { path, .. } => path.clone(),
        Vertex::Tag { label, files, .. } => format!("{label} {files}"),
    };
    picture.nodes.iter().map(text).collect()
}

async fn owners_do_not_see_each_other(graph: &dyn TagGraph) {
    let files = [
        file(1, &ada(), "/1", &["shared", "secret"]),
        file(2, &bob(), "/2", &["shared", "open"]),
        file(3, &bob(), "/3", &["shared"]),
    ];
    set(graph, &files).await;
    assert_eq!(carrying(graph, &bob(), "shared").await, [3, 2]);
    assert_eq!(carrying(graph, &bob(), "secret").await, [0_i64; 0]);
    assert_eq!(carrying(graph, &OwnerScope::All, "shared").await, [3, 2, 1]);
    let related = async |scope: &OwnerScope| {
        let related = graph.related(scope, None, "shared", 10).await.unwrap();
        related
            .into_iter()
            .map(|tag| format!("{} {} {:.2}", tag.name, tag.files, tag.score))
            .collect::<Vec<_>>()
    };
    assert_eq!(related(&bob()).await, ["open 1 0.50"]);
    assert_eq!(related(&ada()).await, ["secret 1 1.00"]);
    assert_eq!(related(&OwnerScope::All).await, ["open 1 0.33", "secret 1 0.33"]);
    assert_eq!(graph.similar(&bob(), EntryId(1), 10).await.unwrap(), [], "the file of another is not there");
    let near = graph.similar(&bob(), EntryId(2), 10).await.unwrap();
    assert_eq!(near.iter().map(|near| near.entry.0).collect::<Vec<_>>(), [3]);
    assert_eq!(graph.similar(&OwnerScope::All, EntryId(2), 10).await.unwrap().len(), 2);
    let ids = [1, 2, 3].map(EntryId);
    let picture = graph.neighbourhood(&ada(), &ids, 10).await.unwrap();
    assert_eq!(shown(&picture), ["/1", "secret 1", "shared 1"]);
    let picture = graph.neighbourhood(&OwnerScope::All, &ids, 10).await.unwrap();
    assert_eq!(shown(&picture), ["/1", "/2", "/3", "shared 3", "open 1", "secret 1"]);
}

async fn hostile_names_are_only_names(graph: &dyn TagGraph) {
    let names = [
        "'",
        "\"",
        "`",
        "\\",
        "\\'",
        "'}) DETACH DELETE file //",
        "`}) MATCH (n) DETACH DELETE n",
        "$owner",
        "{id: 1}",
        "'; DROP TABLE graph_files; --",
        "%",
        "_",
        "😀",
        "海滩",
        "a\u{301}",
        "\u{202e}x",
        "null",
        "true",
        "1",
        "${x}",
        "<b>",
        &"长".repeat(21),
    ];
    let files: Vec<_> = (1..)
        .zip(names)
        .map(|(entry, name)| {
            file(entry, &ada(), &format!("/{}", name.replace('/', "∕")), &[&format!("user:{name}")])
        })
        .collect();
    set(graph, &files).await;
    let ids: Vec<_> = files.iter().map(|file| file.entry).collect();
    let picture = graph.neighbourhood(&ada(), &ids, 100).await.unwrap();
    let expected: Vec<_> = files.iter().map(|file| String::from(file.path.clone())).collect();
    assert_eq!(shown(&picture)[..names.len()], expected[..]);
    for file in &files {
        let name = file.tags[0].tag.name();
        assert_eq!(carrying(graph, &ada(), name).await, [file.entry.0], "{name}");
        assert_eq!(graph.related(&ada(), Some(name), name, 10).await.unwrap(), [], "{name}");
    }
    let distinct = graph.counts().await.unwrap();
    assert_eq!((distinct.files, distinct.tags), (names.len() as u64, names.len() as u64));
}

async fn ids_come_in_order_and_all_of_them(graph: &dyn TagGraph) {
    let mut files: Vec<_> = (1..=25).map(|id| file(id * 3, &ada(), &format!("/{id}"), &["x"])).collect();
    files.reverse();
    set(graph, &files).await;
    let (mut met, mut after) = (Vec::new(), None);
    loop {
        let piece = graph.file_ids(after, 10).await.unwrap();
        assert!(piece.len() <= 10);
        let Some(last) = piece.last() else { break };
        after = Some(*last);
        met.extend(piece.iter().map(|entry| entry.0));
    }
    assert_eq!(met, (1..=25).map(|id| id * 3).collect::<Vec<_>>());
}

async fn writers_at_the_same_time_lose_nothing(graph: &dyn TagGraph) {
    let write = async |writer: i64| {
        for round in 0..6_i64 {
            let tags = [format!("t{}", (writer + round) % 3), format!("t{}", (writer + round + 1) % 3)];
            let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
            graph.set_file(&file(writer, &ada(), &format!("/{writer}"), &tags)).await.unwrap();
            if round % 3 == 1 {
                graph.remove_file(EntryId(writer)).await.unwrap();
            }
        }
    };
    join_all((0..8).map(write)).await;
    assert_eq!(graph.counts().await.unwrap(), Counts { files: 8, tags: 3, edges: 16 });
    let mut carried = 0;
    for name in ["t0", "t1", "t2"] {
        carried += carrying(graph, &ada(), name).await.len();
    }
    assert_eq!(carried, 16);
}

async fn thousands_of_files_give_bounded_answers(graph: &dyn TagGraph) {
    let files: Vec<_> = (1..=2000_i64)
        .map(|id| {
            let tags: Vec<String> =
                (0..10_i64).map(|place| format!("t{}", id * (place + 1) % (10 << place))).collect();
            let kinds = [
                "user", "keyword", "person", "place", "date", "camera", "type", "format", "language",
                "colour",
            ];
            let tags: Vec<String> =
                kinds.iter().zip(tags).map(|(kind, tag)| format!("{kind}:{tag}")).collect();
            let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
            file(id, &ada(), &format!("/f/{id}"), &tags)
        })
        .collect();
    set(graph, &files).await;
    let counts = graph.counts().await.unwrap();
    assert_eq!((counts.files, counts.edges), (2000, 20_000));
    let ids: Vec<_> = files.iter().map(|file| file.entry).collect();
    let picture = graph.neighbourhood(&ada(), &ids, 100).await.unwrap();
    let files_shown = picture.nodes.iter().filter(|node| matches!(node, Vertex::File { .. })).count();
    assert_eq!((files_shown, picture.nodes.len()), (100, 200));
    assert!(picture.truncated && picture.edges.len() <= 2000);
    assert_eq!(graph.neighbourhood(&ada(), &ids, u32::MAX).await.unwrap().nodes.len(), 2000);
    assert_eq!(graph.similar(&ada(), EntryId(1000), 20).await.unwrap().len(), 20);
    assert_eq!(graph.related(&ada(), Some("user"), "t0", 20).await.unwrap().len(), 20);
    assert_eq!(carrying(graph, &ada(), "t0").await.len(), 100);
    assert_eq!(graph.file_ids(None, u32::MAX).await.unwrap().len(), LIMIT_MAX as usize);
}

//! One suite of promises, kept by every tag graph.

mod cases;
mod outage;

use super::*;
use crate::catalog::{Catalog, LogicalPath, TagState, Tagging, UserName};
use asterism_e2e::servers::{Mariadb, Neo4j};
use cases::CASES;

fn ada() -> OwnerScope {
    OwnerScope::One("ada".parse().unwrap())
}

fn bob() -> OwnerScope {
    OwnerScope::One("bob".parse().unwrap())
}

fn tag(kind: &str, name: &str) -> Tag {
    Tag::new(kind, name).unwrap()
}

/// A file with tags of kind `user`, or of the kind before a colon.
fn file(entry: i64, owner: &OwnerScope, path: &str, tags: &[&str]) -> Projection {
    let owner: UserName = owner.user().unwrap().clone();
    let path: LogicalPath = path.parse().unwrap();
    let tagging = |text: &&str| {
        let (kind, name) = text.split_once(':').unwrap_or(("user", text));
        Tagging {
            tag: tag(kind, name),
            source: "test".to_owned(),
            version: String::new(),
            score: 0.5,
            evidence: String::new(),
            state: TagState::Suggested,
            by_user: None,
        }
    };
    Projection {
        entry: EntryId(entry),
        owner,
        name: path.name().unwrap().to_owned(),
        path,
        size: 7,
        tags: tags.iter().map(tagging).collect(),
    }
}

async fn set(graph: &dyn TagGraph, files: &[Projection]) {
    graph.set_files(files).await.unwrap();
}

async fn carrying(graph: &dyn TagGraph, scope: &OwnerScope, name: &str) -> Vec<i64> {
    let found = graph.files_with(scope, &[tag("user", name)], 100).await.unwrap();
    found.into_iter().map(|entry| entry.0).collect()
}

/// Runs every case on an empty graph.
async fn keep_the_contract(graph: &dyn TagGraph) {
    for (name, case) in CASES {
        graph.clear().await.unwrap();
        assert_eq!(graph.counts().await.unwrap(), Counts::default(), "{name}");
        let begin = std::time::Instant::now();
        case(graph).await;
        println!("{name}: {:?}", begin.elapsed());
    }
}

#[tokio::test]
async fn the_graph_in_sqlite_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&format!("sqlite://{}/graph.db", folder.path().display())).await.unwrap();
    keep_the_contract(&SqlGraph::new(catalog.database().clone())).await;
}

#[tokio::test]
async fn the_graph_in_mariadb_keeps_the_contract() {
    let server = Mariadb::start().await.unwrap();
    let catalog = Catalog::open(&server.database("graph").unwrap()).await.unwrap();
    keep_the_contract(&SqlGraph::new(catalog.database().clone())).await;
}

#[tokio::test]
async fn the_graph_in_neo4j_keeps_the_contract() {
    let mut server = Neo4j::start().await.unwrap();
    let graph = Neo4jGraph::new(&server.url()).unwrap();
    keep_the_contract(&graph).await;
    outage::a_wrong_password_is_told_at_once(&server).await;
    outage::a_call_given_up_leaves_no_answer_behind(&graph).await;
    outage::a_killed_server_comes_back_complete(&mut server, &graph).await;
}

#[tokio::test]
async fn a_server_that_is_away_or_silent_is_told_soon() {
    outage::nobody_listens().await;
    outage::somebody_listens_and_says_nothing().await;
}

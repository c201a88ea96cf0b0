//! A Neo4j server that refuses, dies and returns.

use super::*;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// Far below the minute that the driver would go on for.
const SOON: Duration = Duration::from_secs(10);

pub(super) async fn nobody_listens() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let graph = Neo4jGraph::new(&format!("bolt://neo4j:x@127.0.0.1:{port}")).unwrap();
    check_unavailable(|| graph.ping()).await;
    let file = file(1, &ada(), "/1", &["x"]);
    check_unavailable(|| graph.set_file(&file)).await;
}

/// As a server does that is stopped, or whose machine hangs.
pub(super) async fn somebody_listens_and_says_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("bolt://neo4j:x@{}", silent.local_addr().unwrap());
    let graph = Neo4jGraph::new(&url).unwrap();
    check_unavailable(|| graph.ping()).await;
    let file = file(1, &ada(), "/1", &["x"]);
    check_unavailable(|| graph.set_file(&file)).await;
    check_unavailable(|| graph.remove_file(EntryId(1))).await;
}

pub(super) async fn a_wrong_password_is_told_at_once(server: &Neo4j) {
    let (before, host) = server.url().rsplit_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let password = before.rsplit_once(':').unwrap().1.to_owned();
    let graph = Neo4jGraph::new(&format!("bolt://neo4j:not-{password}@{host}")).unwrap();
    let begin = Instant::now();
    let error = graph.ping().await.unwrap_err();
    assert!(begin.elapsed() < SOON);
    assert!(error.is_unavailable());
    assert!(error.to_string().contains("refuses the user or the password"), "{error}");
    assert!(!error.to_string().contains(&password), "{error}");
}

/// A call that is dropped halfway must not leave its answer to the next one.
pub(super) async fn a_call_given_up_leaves_no_answer_behind(graph: &Neo4jGraph) {
    graph.clear().await.unwrap();
    let files: Vec<_> = (1..=500).map(|id| file(id, &ada(), &format!("/{id}"), &["x"])).collect();
    set(graph, &files).await;
    for micros in (0..4000).step_by(40) {
        let given_up = graph.file_ids(None, 500);
        tokio::time::timeout(Duration::from_micros(micros), given_up).await.ok();
        assert_eq!(graph.counts().await.unwrap(), Counts { files: 500, tags: 1, edges: 500 });
    }
}

pub(super) async fn a_killed_server_comes_back_complete(server: &mut Neo4j, graph: &Neo4jGraph) {
    graph.clear().await.unwrap();
    let files: Vec<_> = (1..=50).map(|id| file(id, &ada(), &format!("/{id}"), &["x", "y"])).collect();
    set(graph, &files[..20]).await;
    server.kill();
    for file in &files[20..23] {
        check_unavailable(|| graph.set_file(file)).await;
    }
    check_unavailable(|| graph.remove_file(EntryId(1))).await;
    check_unavailable(|| graph.ping()).await;
    let scope = ada();
    check_unavailable(async || graph.related(&scope, None, "x", 10).await.map(drop)).await;
    server.start_again().await.unwrap();
    set(graph, &files).await;
    assert_eq!(graph.counts().await.unwrap(), Counts { files: 50, tags: 2, edges: 100 });
    assert_eq!(carrying(graph, &ada(), "y").await.len(), 50);
}

async fn check_unavailable<F: Future<Output = Result<()>>>(call: impl FnOnce() -> F) {
    let begin = Instant::now();
    let error = call().await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    assert!(begin.elapsed() < SOON, "{:?}: {error}", begin.elapsed());
}

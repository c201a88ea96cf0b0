use super::*;
use crate::{
    catalog::{Role, Topic},
    graph::SqlGraph,
    test_bed::{ClusterBed, noise},
    workers::{repair::Repair, tests::project},
};
use std::time::Duration;

struct Bed {
    cluster: ClusterBed,
    graph: Arc<dyn TagGraph>,
    worker: FsckWorker,
}

async fn bed() -> Bed {
    let cluster = ClusterBed::start().await;
    cluster.user("ada", Role::Editor).await;
    let graph: Arc<dyn TagGraph> = Arc::new(SqlGraph::new(cluster.catalog.database().clone()));
    for number in 0..3 {
        cluster.store("ada", &format!("/{number}"), noise(100_000, number)).await;
    }
    project(&cluster.catalog, &graph).await;
    let worker = FsckWorker {
        extents: cluster.extents.clone(),
        graph: Arc::clone(&graph),
        fsck: Fsck::default(),
        allowance: Allowance::default(),
        state: WorkerState::new("fsck"),
    };
    Bed { cluster, graph, worker }
}

impl Bed {
    async fn run(&self, repair: bool) -> FsckReport {
        assert!(self.worker.fsck.ask(Asked { repair, force: false }));
        assert_eq!(self.worker.fsck.report().state, "waiting");
        self.worker.pass().await.unwrap();
        self.worker.fsck.report()
    }

    /// Expects these numbers found and repaired, and nothing else.
    async fn finds(&self, repair: bool, expected: &[(&str, u64, u64)]) {
        let report = self.run(repair).await;
        assert_eq!((report.state, &report.error), ("done", &None));
        let found: Vec<_> = report
            .differences
            .iter()
            .filter(|one| one.count > 0)
            .map(|one| (one.kind, one.count, one.repaired))
            .collect();
        assert_eq!(found, expected, "{report:?}");
        assert!(report.differences.iter().all(|one| one.examples.is_empty() == (one.count == 0)));
    }

    async fn sql(&self, statement: &'static str) {
        let database = self.cluster.catalog.database();
        let done = database.write(move |mut tx| async move {
            let done = sqlx::query(statement).execute(&mut *tx).await;
            (tx, done.map_err(Into::into))
        });
        done.await.unwrap();
    }
}

#[tokio::test]
async fn a_sound_cluster_has_no_differences_and_who_is_away_is_named() {
    let bed = bed().await;
    bed.finds(false, &[]).await;
    let report = bed.worker.fsck.report();
    assert_eq!((report.shards, report.files, report.unchecked_nodes.len()), (18, 3, 0));
    bed.cluster.bury(2).await;
    bed.finds(false, &[]).await;
    assert_eq!(bed.worker.fsck.report().unchecked_nodes, ["n3"]);
}

#[tokio::test]
async fn missing_shards_are_told_and_come_back_from_aside_or_are_rebuilt() {
    let bed = bed().await;
    let extent = bed.cluster.extents_of("ada", "/0").await.remove(0);
    let shards = &bed.cluster.shards;
    let other = bed.cluster.extents_of("ada", "/1").await.remove(0);
    let aside = vec![extent.key(1)];
    use asterism_cluster::Shards;
    assert_eq!(shards.aside(extent.nodes[1], AsideAct::SetAside, aside, 0).await.unwrap(), [Aside::Done]);
    shards.delete(other.nodes[2], vec![other.key(2)], 0).await.unwrap();
    bed.finds(false, &[("missing_shards", 2, 0)]).await;
    assert_eq!(bed.cluster.catalog.short_count().await.unwrap(), 0, "nothing was touched");
    bed.finds(true, &[("missing_shards", 2, 2)]).await;
    assert_eq!((shards.census(&extent), shards.census(&other)), (6, 5));
    let repair =
        Repair::new(bed.cluster.extents.clone(), WorkerState::new("repair"), Duration::from_secs(60));
    while repair.pass().await.unwrap() {}
    assert_eq!(shards.census(&other), 6);
    bed.finds(false, &[]).await;
}

#[tokio::test]
async fn what_nothing_names_is_told_and_never_removed() {
    let bed = bed().await;
    let body = futures::stream::iter([Ok::<_, std::convert::Infallible>(noise(100_000, 9).into())]);
    drop(bed.cluster.extents.store(body, u64::MAX).await.unwrap());
    bed.finds(true, &[("unnamed_shards", 6, 0)]).await;
    assert_eq!(bed.cluster.shard_count(), 24);
}

#[tokio::test]
async fn a_row_that_its_shards_contradict_is_put_right() {
    let bed = bed().await;
    bed.sql("UPDATE extents SET cell_bytes = 4096, bytes = 99999 WHERE bytes = 100000").await;
    bed.finds(false, &[("different_shards", 18, 0), ("incomplete_files", 3, 0)]).await;
    // Files are looked at after the rows were put right.
    bed.finds(true, &[("different_shards", 18, 18)]).await;
    bed.finds(false, &[]).await;
}

#[tokio::test]
async fn the_graph_shows_the_files_again() {
    let bed = bed().await;
    let catalog = &bed.cluster.catalog;
    let files = catalog.files_after(None, 10).await.unwrap();
    bed.graph.remove_file(files[0]).await.unwrap();
    let mut other = catalog.projection(files[1]).await.unwrap().unwrap();
    other.size += 1;
    bed.graph.set_file(&other).await.unwrap();
    let mut stranger = catalog.projection(files[2]).await.unwrap().unwrap();
    stranger.entry = EntryId(9_999);
    bed.graph.set_file(&stranger).await.unwrap();
    let found = [("files_not_in_graph", 1), ("files_only_in_graph", 1), ("files_other_in_graph", 1)];
    bed.finds(false, &found.map(|(kind, count)| (kind, count, 0))).await;
    bed.finds(true, &found.map(|(kind, count)| (kind, count, count))).await;
    bed.finds(false, &[]).await;
    // What is on its way is no difference.
    bed.cluster.store("ada", "/new", noise(100, 5)).await;
    assert!(catalog.outbox_count(Topic::Graph).await.unwrap().0 > 0);
    bed.finds(false, &[]).await;
}

#[tokio::test]
async fn one_comparison_at_a_time() {
    let bed = bed().await;
    assert!(bed.worker.fsck.ask(Asked::default()));
    assert!(!bed.worker.fsck.ask(Asked::default()));
    bed.worker.pass().await.unwrap();
    assert!(bed.worker.fsck.ask(Asked::default()));
}

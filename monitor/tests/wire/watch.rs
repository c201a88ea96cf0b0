//! Seeing what becomes of nodes.

use crate::bed::{Bed, eventually};
use asterism_monitor::{Monitor, database, timeline::Timeline};
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_dead_node_is_offline_and_comes_back() {
    let bed = Bed::new(2).await;
    let monitor = bed.monitor().await;
    bed.nodes[0].kill().await;
    monitor.wait_for("n1", "offline").await;
    assert_eq!(monitor.state("n2").await, "online");
    let cause = monitor.cause("n1", "offline").await;
    assert!(cause.contains("the process is dead"), "{cause}");
    bed.nodes[0].start().await;
    monitor.wait_for("n1", "online").await;
}

#[tokio::test]
async fn a_hanging_node_is_told_from_a_dead_one() {
    let bed = Bed::new(1).await;
    let monitor = bed.monitor().await;
    bed.nodes[0].hangs.store(true, Ordering::Relaxed);
    monitor.wait_for("n1", "offline").await;
    let cause = monitor.cause("n1", "offline").await;
    assert!(cause.contains("no answer in time"), "{cause}");
}

#[tokio::test]
async fn a_node_that_only_the_index_server_misses_is_suspect() {
    let bed = Bed::new(1).await;
    let monitor = bed.monitor().await;
    bed.nodes[0].mute.store(true, Ordering::Relaxed);
    monitor.wait_for("n1", "suspect").await;
    let cause = monitor.cause("n1", "suspect").await;
    assert!(cause.contains("but it answers the monitor's probe"), "{cause}");
}

#[tokio::test]
async fn a_node_that_only_the_monitor_misses_is_suspect() {
    let bed = Bed::new(1).await;
    let monitor = bed.monitor().await;
    let id = bed.nodes[0].id;
    // Its address leads nowhere from here, and its heartbeats go on.
    bed.index.members().nodes.get_mut(&id).unwrap().address = "127.0.0.1:1".into();
    monitor.wait_for("n1", "suspect").await;
    let cause = monitor.cause("n1", "suspect").await;
    assert!(cause.contains("unreachable from the monitor"), "{cause}");
}

#[tokio::test]
async fn a_dead_index_server_takes_no_node_with_it() {
    let mut bed = Bed::new(2).await;
    let monitor = bed.monitor().await;
    bed.stop_index().await;
    bed.nodes[0].kill().await;
    monitor.wait_for("n1", "offline").await;
    assert_eq!(monitor.state("n2").await, "online");
    bed.start_index().await;
    bed.nodes[0].start().await;
    monitor.wait_for("n1", "online").await;
    assert_eq!(monitor.steps("n2").await.len(), 2, "{:?}", monitor.steps("n2").await);
}

#[tokio::test]
async fn an_index_server_of_another_cluster_is_not_believed() {
    let bed = Bed::new(1).await;
    let monitor = bed.monitor().await;
    {
        let mut members = bed.index.members();
        members.cluster = "00000000-0000-0000-0000-000000000000".into();
        members.nodes.clear();
    }
    eventually("it is noticed", async || {
        let ready = crate::pages::get(monitor.http_address, "/readyz").await;
        ready.1.contains("another cluster")
    })
    .await;
    assert_eq!(monitor.state("n1").await, "online");
}

#[tokio::test]
async fn a_new_node_needs_no_configuration_and_a_removed_one_leaves() {
    let bed = Bed::new(2).await;
    let monitor = bed.monitor().await;
    bed.index.members().nodes.remove(&bed.nodes[1].id);
    eventually("n2 has left", async || monitor.states().await.len() == 1).await;
    eventually("that is written down", async || {
        monitor.steps("n2").await.last().is_some_and(|step| step == "online -> retired")
    })
    .await;
}

#[tokio::test]
async fn the_log_goes_on_over_restarts() {
    let bed = Bed::new(1).await;
    let monitor = bed.monitor().await;
    eventually("two rows", async || monitor.timeline().await.len() == 2).await;
    monitor.stop().await;
    let monitor = bed.monitor().await;
    bed.nodes[0].kill().await;
    monitor.wait_for("n1", "offline").await;
    eventually("it is written down", async || monitor.steps("n1").await.last().unwrap().ends_with("offline"))
        .await;
    assert_eq!(monitor.steps("n1").await[..2], [" -> joining", "joining -> online"]);
    monitor.stop().await;
    let timeline = Timeline::new(database::open(&bed.data_dir()).await.unwrap());
    assert!(timeline.verify().await.unwrap() >= 3);
}

#[tokio::test]
async fn a_monitor_that_cannot_start_says_why() {
    let bed = Bed::new(0).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = bed.config("");
    config.listen = taken.local_addr().unwrap();
    let error = Monitor::bind(&config).await.err().unwrap();
    assert!(format!("{error:#}").contains("cannot listen on"), "{error:#}");
    let _first = Monitor::bind(&bed.config("")).await.unwrap();
    let error = Monitor::bind(&bed.config("")).await.err().unwrap();
    assert!(format!("{error:#}").contains("in use by another monitor"), "{error:#}");
    let mut config = bed.config("");
    config.data_dir = "/proc/nowhere".into();
    let error = Monitor::bind(&config).await.err().unwrap();
    assert!(format!("{error:#}").contains("cannot make the data directory"), "{error:#}");
}

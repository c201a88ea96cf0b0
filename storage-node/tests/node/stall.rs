//! A peer that stops in the middle, but stays connected, holds nothing for long.

use crate::{
    bed::{Bed, Client, counts, eventually},
    sample::{Sample, put},
};
use asterism_erasure::{CELL_BYTES_MAX, Policy};
use asterism_proto::{
    NodeId, Role, ShardError, ShardErrorKind,
    storage::{GetRequest, PutRequest},
};
use asterism_service::grpc::{self, Target};
use asterism_storage_node::{
    metrics::{NodeMetrics, StoreMetrics},
    rpc::{self, ShardService},
    store::{Limits, Owner, Store},
};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::service::Routes;

const PATIENCE: Duration = Duration::from_millis(300);

/// A service with less patience than a real node's.
async fn impatient(bed: &Bed, tasks: &TaskTracker, stop: &CancellationToken) -> Client {
    let identity = bed.identity(Role::StorageNode);
    let owner = Owner { cluster: bed.cluster(), node: NodeId::from_bytes(*identity.peer().id.as_bytes()) };
    let limits = Limits { capacity_bytes: None, reserve_bytes: 0 };
    let store = Store::open(&bed.path().join("n1"), owner, limits, StoreMetrics::default()).unwrap();
    let service = ShardService::new(store, "n1".into(), NodeMetrics::default(), tasks.clone());
    let routes = Routes::new(rpc::bounded(service.with_stall_timeout(PATIENCE)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let target = Target::Process(Role::StorageNode, identity.peer().id);
    let stop = stop.clone();
    tokio::spawn(async move { grpc::serve(listener, &identity, routes, stop).await });
    Client::new(grpc::channel(&address, &bed.identity(Role::IndexServer), target).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_stalls_is_given_up_and_leaves_nothing() {
    let bed = Bed::new();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let _stop = stop.clone().drop_guard();
    let client = impatient(&bed, &tasks, &stop).await;
    let sample = Sample::new(bed.cluster(), Policy::new(1, 0).unwrap(), CELL_BYTES_MAX, 8 << 20);
    let (sender, receiver) = tokio::sync::mpsc::channel::<PutRequest>(64);
    for message in sample.messages().into_iter().take(20) {
        sender.send(message).await.unwrap();
    }
    let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let error = ShardError::from(client.clone().put(stream).await.unwrap_err());
    assert_eq!(error.kind, ShardErrorKind::Unavailable);
    assert!(error.message.contains("too long"), "{error}");
    eventually("nothing is left", async || counts(&bed.path().join("n1")) == (0, 0, 0)).await;
    drop(sender);
    put(&client, &sample).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_takes_nothing_is_given_up() {
    let bed = Bed::new();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let _stop = stop.clone().drop_guard();
    let client = impatient(&bed, &tasks, &stop).await;
    let sample = Sample::new(bed.cluster(), Policy::new(1, 0).unwrap(), CELL_BYTES_MAX, 64 << 20);
    put(&client, &sample).await.unwrap();
    let request = GetRequest { key: Some(sample.key()), first_cell: 0, cell_count: 0 };
    let mut stream = client.clone().get(request).await.unwrap().into_inner();
    assert_eq!(tasks.len(), 1);
    eventually("the sender has given up", async || tasks.is_empty()).await;
    // What is left in the pipe comes, but never a clean end.
    let mut cells = 0;
    let broken = loop {
        match stream.message().await {
            Ok(Some(message)) => cells += message.cells.len(),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broken, "a short body ended cleanly after {cells} of {} cells", sample.cells.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_leaves_ends_the_sender() {
    let bed = Bed::new();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let _stop = stop.clone().drop_guard();
    let client = impatient(&bed, &tasks, &stop).await;
    let sample = Sample::new(bed.cluster(), Policy::new(1, 0).unwrap(), CELL_BYTES_MAX, 64 << 20);
    put(&client, &sample).await.unwrap();
    let request = GetRequest { key: Some(sample.key()), first_cell: 0, cell_count: 0 };
    drop(client.clone().get(request).await.unwrap());
    eventually("the sender has ended", async || tasks.is_empty()).await;
}

//! One suite of promises, kept by every database that the catalog runs on.

mod batch;
mod broken_commit;
mod cluster;
mod commits;
mod files;
mod mariadb;
mod mysql;
mod names;
mod orphans;
mod people;
mod places;
mod races;
mod search;
mod sqlite;
mod tags;
mod trash;
mod tree;
mod work;

use super::*;
use asterism_proto::{ExtentId, NodeId};
use futures::{StreamExt, future::BoxFuture, stream};
use std::time::Duration;

/// A promise, checked on a catalog of its own.
type Case = (&'static str, fn(Catalog) -> BoxFuture<'static, ()>);

/// Names cases by their functions.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        pub(super) const CASES: &[super::Case] = &[$((stringify!($case), |catalog| Box::pin($case(catalog)))),*];
    };
}
use cases;

fn all_cases() -> impl Iterator<Item = Case> {
    [
        tree::CASES,
        names::CASES,
        files::CASES,
        commits::CASES,
        races::CASES,
        trash::CASES,
        people::CASES,
        cluster::CASES,
        places::CASES,
        orphans::CASES,
        tags::CASES,
        search::CASES,
        work::CASES,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Far longer than any case takes on a busy machine: one that never ends is a broken promise too.
const CASE_DEADLINE: Duration = Duration::from_secs(120);

/// Runs every case, each on a catalog from `open`; all are run before any failure is told.
async fn keep_the_contract<F: Future<Output = Catalog>>(open: impl Fn(usize) -> F) {
    let run = |(number, (name, case)): (usize, Case)| {
        let opened = open(number);
        async move {
            let catalog = opened.await;
            let mut task = tokio::spawn(case(catalog.clone()));
            let kept = tokio::time::timeout(CASE_DEADLINE, &mut task).await;
            task.abort();
            catalog.database().close().await;
            (!matches!(kept, Ok(Ok(())))).then_some(name)
        }
    };
    let failed: Vec<_> = stream::iter(all_cases().enumerate())
        .map(run)
        .buffer_unordered(4)
        .filter_map(async |name| name)
        .collect()
        .await;
    assert!(failed.is_empty(), "broken promises: {failed:?}");
}

fn path(text: &str) -> LogicalPath {
    text.parse().unwrap()
}

fn user(name: &str) -> UserName {
    name.parse().unwrap()
}

/// A user with an empty tree.
async fn ada(catalog: &Catalog) -> UserName {
    catalog.create_user(&user("ada"), "$argon2id$x", Role::Admin).await.unwrap().name
}

/// The width of the groups that [`cluster_of`] makes.
const WIDTH: usize = 6;

/// Nodes `n0`, `n1`…, and groups 0..4 of `WIDTH` members each, turned by one from group to group.
async fn cluster_of(catalog: &Catalog, nodes: usize) -> Vec<NodeId> {
    let ids: Vec<_> = (0..nodes).map(|_| NodeId::random()).collect();
    for (number, id) in ids.iter().enumerate() {
        catalog.upsert_node(&node(*id, &format!("n{number}"))).await.unwrap();
    }
    let members = |group: usize| (0..WIDTH).map(|position| ids[(group + position) % nodes]).collect();
    let groups: Vec<_> = (0..4).map(|group| Group { id: group as u32, members: members(group) }).collect();
    catalog.create_groups(&groups).await.unwrap();
    ids
}

fn node(id: NodeId, name: &str) -> NodeRow {
    NodeRow {
        id,
        name: name.parse().unwrap(),
        address: "127.0.0.1:8500".to_owned(),
        metrics_address: "127.0.0.1:8600".to_owned(),
        zone: "z1".to_owned(),
        capacity: 1 << 40,
        intent: Intent::Up,
        joined_ms: 1,
    }
}

/// An empty file: no extents, no nodes needed.
fn empty(owner: &UserName, at: &str) -> NewFile {
    NewFile {
        owner: owner.clone(),
        path: path(at),
        size: 0,
        blake3: *blake3::hash(at.as_bytes()).as_bytes(),
        media_type: "text/plain".to_owned(),
        extents: Vec::new(),
        replace: Replace::Never,
        idempotency: None,
        create_parents: false,
    }
}

/// A file of one extent for each of `groups`, 1,000 bytes each, coded 4+2.
fn stored(owner: &UserName, at: &str, groups: &[u32]) -> NewFile {
    let extents = (0u32..).zip(groups).map(|(seq, group)| NewExtent {
        id: ExtentId::random(),
        seq,
        file_offset: u64::from(seq) * 1000,
        bytes: 1000,
        group: *group,
        data: 4,
        parity: 2,
        cell_bytes: 4096,
        short_slots: Vec::new(),
        nodes: Vec::new(),
    });
    NewFile { size: 1000 * groups.len() as u64, extents: extents.collect(), ..empty(owner, at) }
}

async fn put(catalog: &Catalog, file: &NewFile) -> Entry {
    catalog.commit_file(file).await.unwrap().entry
}

/// The paths in a folder, all pages of it.
async fn listed(catalog: &Catalog, owner: &UserName, folder: &str) -> Vec<String> {
    let (mut paths, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = catalog.list(owner, &path(folder), cursor.as_deref(), 100).await.unwrap();
        paths.extend(page.items.iter().map(|entry| entry.path.to_string()));
        cursor = page.next;
        if cursor.is_none() {
            return paths;
        }
    }
}

/// Expects an error of this shape.
macro_rules! refused {
    ($call:expr, $error:pat) => {
        match $call {
            Err($error) => {}
            other => panic!("expected {}, got {other:?}", stringify!($error)),
        }
    };
}
use refused;

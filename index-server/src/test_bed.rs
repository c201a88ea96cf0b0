//! A cluster for tests in one process: a real catalog in a directory of its own, six storage nodes in memory, 4+2, 16 groups.

use crate::{
    catalog::{Catalog, Entry, Group, Intent, NewExtent, NewFile, NodeRow, Replace, Role, UserName},
    damage::Damage,
    files::{self, Extents, Running},
    members::Members,
};
use asterism_cluster::{
    Extent, Shards,
    memory::{Fault, MemoryShards},
    placement::{self, Candidate},
};
use asterism_erasure::Policy;
use asterism_proto::{ClusterId, NodeId, index::HeartbeatRequest};
use bytes::Bytes;
use futures::stream;
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;

pub(crate) const NODES: usize = 6;
pub(crate) const GROUPS: u32 = 16;
/// What a node has room for unless a test says otherwise.
pub(crate) const FREE_BYTES: u64 = 1 << 40;
/// Often enough that nobody becomes suspect on a busy machine.
const HEARTBEAT: Duration = Duration::from_millis(300);

/// The cluster; it ends with the test.
pub(crate) struct ClusterBed {
    pub(crate) catalog: Catalog,
    pub(crate) members: Members,
    pub(crate) shards: MemoryShards,
    pub(crate) extents: Extents,
    pub(crate) nodes: Vec<NodeId>,
    heard: Arc<Mutex<BTreeMap<NodeId, u64>>>,
    heart: JoinHandle<()>,
    pub(crate) directory: TempDir,
}

impl Drop for ClusterBed {
    fn drop(&mut self) {
        self.heart.abort();
    }
}

impl ClusterBed {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("catalog.db").display());
        let catalog = Catalog::open(&url).await.unwrap();
        let policy: Policy = "4+2".parse().unwrap();
        let nodes: Vec<NodeId> = (1..=NODES).map(|number| NodeId::from_bytes([number as u8; 16])).collect();
        for (number, id) in nodes.iter().enumerate() {
            catalog.upsert_node(&row(*id, number + 1)).await.unwrap();
        }
        let candidates: Vec<Candidate> =
            nodes.iter().map(|id| Candidate { id: *id, zone: "z1".into(), weight: 1 }).collect();
        let plan = placement::plan(&candidates, policy, GROUPS).unwrap();
        let groups: Vec<Group> = (0..).zip(plan).map(|(id, members)| Group { id, members }).collect();
        catalog.create_groups(&groups).await.unwrap();
        let members = Members::default();
        members.set_rows(catalog.nodes().await.unwrap());
        members.set_groups(groups);
        let shards = MemoryShards::default();
        let extents = Extents {
            cluster: ClusterId::from_bytes([9; 16]),
            policy,
            catalog: catalog.clone(),
            members: members.clone(),
            shards: Arc::new(shards.clone()) as Arc<dyn Shards>,
            epoch: Arc::default(),
            hedge: Arc::default(),
            repair: Arc::default(),
            stripes: files::stripes(policy),
            fresh: Arc::default(),
            running: Running::default(),
            damage: Damage::default(),
        };
        let heard = Arc::<Mutex<BTreeMap<NodeId, u64>>>::default();
        let heart = tokio::spawn(beat(members.clone(), Arc::clone(&heard)));
        let bed = Self { catalog, members, shards, extents, nodes, heard, heart, directory };
        (0..NODES).for_each(|node| bed.has_room(node, FREE_BYTES));
        bed
    }

    /// One more node, of which nothing is in the groups yet.
    pub(crate) async fn join(&mut self, number: usize, zone: &str) -> NodeId {
        let id = NodeId::from_bytes([number as u8; 16]);
        let node = NodeRow { zone: zone.into(), ..row(id, number) };
        self.catalog.upsert_node(&node).await.unwrap();
        self.nodes.push(id);
        self.members.set_rows(self.catalog.nodes().await.unwrap());
        self.has_room(self.nodes.len() - 1, FREE_BYTES);
        id
    }

    /// Moves until every node has its share.
    pub(crate) async fn settle(&self) {
        crate::workers::tests::settle(&self.extents).await;
    }

    /// A user who cannot log in by password.
    pub(crate) async fn user(&self, name: &str, role: Role) -> UserName {
        self.catalog.create_user(&name.parse().unwrap(), "$argon2id$none", role).await.unwrap().name
    }

    /// A node dies: it answers nothing and is not heard any more, though nobody has noticed yet.
    pub(crate) fn kill(&self, node: usize) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.nodes[node]);
        self.shards.set_fault(self.nodes[node], Fault::Down);
    }

    /// A node is dead for so long that everybody knows.
    pub(crate) async fn bury(&self, node: usize) {
        self.kill(node);
        let rows = self.catalog.nodes().await.unwrap();
        // A node that goes and comes as a row has not been heard since.
        self.members.set_rows(rows.iter().filter(|row| row.id != self.nodes[node]).cloned().collect());
        self.members.set_rows(rows);
    }

    /// A node is back, with what it had.
    pub(crate) fn revive(&self, node: usize) {
        self.shards.set_fault(self.nodes[node], Fault::None);
        self.members.answered(self.nodes[node]);
        self.has_room(node, FREE_BYTES);
    }

    /// A node says how much room it has, and goes on saying so.
    pub(crate) fn has_room(&self, node: usize, free_bytes: u64) {
        self.is_heard(node, free_bytes);
        self.members.caught_up(self.nodes[node]);
    }

    /// A node is back and has to catch up first.
    pub(crate) fn comes_back(&self, node: usize) {
        self.shards.set_fault(self.nodes[node], Fault::None);
        self.members.answered(self.nodes[node]);
        self.is_heard(node, FREE_BYTES);
    }

    fn is_heard(&self, node: usize, free_bytes: u64) {
        let id = self.nodes[node];
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).insert(id, free_bytes);
        assert!(self.members.hear(id, says(free_bytes)));
    }

    /// Stores a file without the edge.
    pub(crate) async fn store(&self, owner: &str, path: &str, content: Vec<u8>) -> Entry {
        let body = stream::iter([Ok::<_, Infallible>(Bytes::from(content))]);
        let stored = self.extents.store(body, u64::MAX).await.unwrap();
        self.commit(owner, path, stored.size, stored.blake3, stored.extents.clone()).await
    }

    /// Makes extents a file.
    pub(crate) async fn commit(
        &self,
        owner: &str,
        path: &str,
        size: u64,
        blake3: [u8; 32],
        extents: Vec<NewExtent>,
    ) -> Entry {
        let file = NewFile {
            owner: owner.parse().unwrap(),
            path: path.parse().unwrap(),
            size,
            blake3,
            media_type: "application/octet-stream".into(),
            extents,
            replace: Replace::Any,
            idempotency: None,
            create_parents: true,
        };
        self.catalog.commit_file(&file).await.unwrap().entry
    }

    /// A new extent as it lies on the nodes.
    pub(crate) fn placed(&self, extent: &NewExtent) -> Extent {
        Extent {
            cluster: self.extents.cluster,
            id: extent.id,
            policy: Policy::new(usize::from(extent.data), usize::from(extent.parity)).unwrap(),
            cell_bytes: extent.cell_bytes as usize,
            nodes: extent.nodes.clone(),
        }
    }

    /// Shards that all nodes have set aside.
    pub(crate) fn aside_count(&self) -> usize {
        self.nodes.iter().map(|node| self.shards.aside_count(*node)).sum()
    }

    /// Shards on all nodes.
    pub(crate) fn shard_count(&self) -> usize {
        self.nodes.iter().map(|node| self.shards.count(*node)).sum()
    }

    /// The extents of a file as they lie on the nodes.
    pub(crate) async fn extents_of(&self, owner: &str, path: &str) -> Vec<Extent> {
        let entry = self.catalog.stat(&owner.parse().unwrap(), &path.parse().unwrap()).await.unwrap();
        let rows = self.catalog.extents(entry.content.unwrap().id, 0..u64::MAX).await.unwrap();
        rows.iter().map(|row| self.extents.extent(row).unwrap()).collect()
    }
}

fn row(id: NodeId, number: usize) -> NodeRow {
    NodeRow {
        id,
        name: format!("n{number}").parse().unwrap(),
        address: format!("127.0.0.1:{}", 9000 + number),
        metrics_address: format!("127.0.0.1:{}", 9100 + number),
        zone: "z1".into(),
        capacity: FREE_BYTES,
        intent: Intent::Up,
        joined_ms: 1,
    }
}

/// A heartbeat.
pub(crate) fn says(free_bytes: u64) -> HeartbeatRequest {
    HeartbeatRequest { free_bytes, capacity_bytes: FREE_BYTES, pid: 7, cores: 2, ..Default::default() }
}

async fn beat(members: Members, heard: Arc<Mutex<BTreeMap<NodeId, u64>>>) {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        let heard = heard.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (node, free_bytes) in heard {
            members.hear(node, says(free_bytes));
        }
    }
}

/// Bytes that no compression or repetition makes look right by chance: equal for equal seeds.
pub(crate) fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    let mut noise = vec![0; bytes];
    hasher.finalize_xof().fill(&mut noise);
    noise
}

//! What a node takes in and gives out, beside what the same disk does without it:
//! `cargo bench -p asterism-storage-node [-- DIR]`.
//!
//! Shards of 16 MiB and of 4 KiB at concurrency 8: files written and synced by hand, the store alone, the whole node over
//! gRPC with mutual TLS. The rows are measured in turn, three times over; the best of each is shown.

use asterism_erasure::{CELL_BYTES_MAX, Layout, Policy, cell_checksum};
use asterism_proto::{
    ClusterId, ExtentId, NodeId, Role,
    storage::{self, GetRequest, PutFinish, PutRequest, shard_store_client::ShardStoreClient},
};
use asterism_service::{
    Authority,
    grpc::{self, Target, channel},
};
use asterism_storage_node::{
    metrics::{NodeMetrics, StoreMetrics},
    rpc::{self, ShardService},
    shard::{Cell, ShardHead, ShardKey},
    store::{Limits, Owner, Store},
    wire,
};
use futures::{StreamExt, TryStreamExt, stream};
use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{service::Routes, transport::Channel};
use uuid::Uuid;

const CONCURRENCY: usize = 8;
const ROUNDS: usize = 3;
/// Name, bytes of a shard, shards in a round.
const SHAPES: [(&str, u64, usize); 2] = [("16 MiB", 16 << 20, 24), ("4 KiB", 4 << 10, 1000)];
const POLICY: Option<Policy> = Policy::new(1, 0);

type Client = ShardStoreClient<Channel>;

/// A shard that is ready to be sent.
#[derive(Clone)]
struct Ready {
    head: ShardHead,
    cells: Vec<Cell>,
    bytes: u64,
}

/// What is measured in one directory.
struct Bench {
    directory: PathBuf,
    cluster: ClusterId,
    store: Store,
    client: Client,
}

fn main() -> anyhow::Result<()> {
    let chosen = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let parent = chosen.map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(parent)?;
    tokio::runtime::Runtime::new()?.block_on(run(directory.path()))
}

async fn run(directory: &Path) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let bench = start(directory, &stop).await?;
    for (name, bytes, count) in SHAPES {
        let mut best = [Duration::MAX; 4];
        for _ in 0..ROUNDS {
            let took = round(&bench, bytes, count).await?;
            best = std::array::from_fn(|row| best[row].min(took[row]));
        }
        for (row, took) in ["raw write + fsync", "store put", "node put", "node get"].iter().zip(best) {
            let seconds = took.as_secs_f64();
            writeln!(
                std::io::stdout(),
                "{name:>7}  {row:<18} {:>8.1} MB/s {:>9.0} /s",
                (bytes * count as u64) as f64 / 1e6 / seconds,
                count as f64 / seconds
            )?;
        }
    }
    Ok(())
}

async fn start(directory: &Path, stop: &CancellationToken) -> anyhow::Result<Bench> {
    let authority = Authority::create(directory, ClusterId::random())?;
    let identity = authority.issue(Role::StorageNode, Uuid::new_v4())?;
    let owner =
        Owner { cluster: authority.cluster(), node: NodeId::from_bytes(*identity.peer().id.as_bytes()) };
    let limits = Limits { capacity_bytes: None, reserve_bytes: 0 };
    let store = Store::open(&directory.join("node"), owner, limits, StoreMetrics::default())?;
    let service =
        ShardService::new(store.clone(), "bench".into(), NodeMetrics::default(), TaskTracker::new());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let target = Target::Process(Role::StorageNode, identity.peer().id);
    let (routes, stop) = (Routes::new(rpc::bounded(service)), stop.clone());
    tokio::spawn(async move { grpc::serve(listener, &identity, routes, stop).await });
    let caller = authority.issue(Role::IndexServer, Uuid::new_v4())?;
    let client = Client::new(channel(&address, &caller, target)?);
    Ok(Bench { directory: directory.to_owned(), cluster: owner.cluster, store, client })
}

/// The time of each row, and nothing left on the disk.
async fn round(bench: &Bench, bytes: u64, count: usize) -> anyhow::Result<[Duration; 4]> {
    let shards =
        |count| (0..count).map(|_| prepare(bench.cluster, bytes)).collect::<anyhow::Result<Vec<_>>>();
    let (for_store, for_node) = (shards(count)?, shards(count)?);
    let raw = timed((0..count).map(|index| write_raw(&bench.directory, index, bytes))).await?;
    let store = timed(for_store.iter().map(|shard| put_store(&bench.store, shard))).await?;
    let node = timed(for_node.iter().map(|shard| put_node(&bench.client, bench.cluster, shard))).await?;
    let get = timed(for_node.iter().map(|shard| get_node(&bench.client, shard))).await?;
    let keys: Vec<ShardKey> = for_store.iter().chain(&for_node).map(|shard| shard.head.key()).collect();
    for part in keys.chunks(wire::KEYS_MAX) {
        bench.store.delete(part.to_vec(), 1).await?;
    }
    Ok([raw, store, node, get])
}

async fn timed<F: Future<Output = anyhow::Result<()>>>(
    work: impl Iterator<Item = F>,
) -> anyhow::Result<Duration> {
    let begin = Instant::now();
    stream::iter(work).buffer_unordered(CONCURRENCY).try_collect::<()>().await?;
    Ok(begin.elapsed())
}

fn prepare(cluster: ClusterId, bytes: u64) -> anyhow::Result<Ready> {
    let policy = POLICY.ok_or_else(|| anyhow::anyhow!("no such policy"))?;
    let key = ShardKey::new(ExtentId::random(), 0).ok_or_else(|| anyhow::anyhow!("no such key"))?;
    let head = ShardHead::new(key, policy, CELL_BYTES_MAX, 1)?;
    let (layout, identity) = (Layout::new(policy, CELL_BYTES_MAX, bytes)?, head.identity(cluster));
    let full = bytes::Bytes::from(vec![7; CELL_BYTES_MAX]);
    let cells = (0..layout.cells()).map(|index| {
        let data = full.slice(..layout.cell_bytes(index));
        Cell { checksum: cell_checksum(&identity, index, &data), data }
    });
    Ok(Ready { head, cells: cells.collect(), bytes })
}

async fn write_raw(directory: &Path, index: usize, bytes: u64) -> anyhow::Result<()> {
    let path = directory.join(format!("raw-{index}"));
    let written = tokio::task::spawn_blocking(move || {
        let mut file = File::create(&path)?;
        let part = vec![7; (bytes as usize).min(1 << 20)];
        for _ in 0..bytes / part.len() as u64 {
            file.write_all(&part)?;
        }
        file.sync_data()?;
        std::fs::remove_file(path)
    });
    Ok(written.await??)
}

async fn put_store(store: &Store, shard: &Ready) -> anyhow::Result<()> {
    let mut writer = store.put(shard.head).await?;
    for cell in &shard.cells {
        writer.push(cell).await?;
    }
    writer.finish(shard.bytes).await?;
    Ok(())
}

async fn put_node(client: &Client, cluster: ClusterId, shard: &Ready) -> anyhow::Result<()> {
    let whole = shard.head.complete(shard.bytes)?;
    let header = PutRequest { header: Some(wire::header_of(&whole, cluster)), ..Default::default() };
    let cells = shard
        .cells
        .clone()
        .into_iter()
        .map(|cell| PutRequest { cells: vec![storage::Cell::from(cell)], ..Default::default() });
    let finish = PutFinish { extent_bytes: shard.bytes };
    let finish = PutRequest { finish: Some(finish), ..Default::default() };
    let messages: Vec<PutRequest> = [header].into_iter().chain(cells).chain([finish]).collect();
    client.clone().put(stream::iter(messages)).await?;
    Ok(())
}

async fn get_node(client: &Client, shard: &Ready) -> anyhow::Result<()> {
    let key = shard.head.key();
    let key = storage::ShardKey { extent: key.extent().as_bytes().to_vec(), slot: u32::from(key.slot()) };
    let request = GetRequest { key: Some(key), first_cell: 0, cell_count: 0 };
    let mut messages = client.clone().get(request).await?.into_inner();
    let mut cells = 0;
    while let Some(message) = messages.message().await? {
        cells += message.cells.len();
    }
    anyhow::ensure!(cells == shard.cells.len(), "a shard came back short");
    Ok(())
}

//! What a node takes in and gives out, beside what the same disk does without it:
//! `cargo bench -p asterism-storage-node [-- DIR]`.
//!
//! Shards of 16 MiB and of 4 KiB from some writers at once: files written past the page cache and synced by hand, the store alone,
//! the whole node over gRPC with mutual TLS (the caller's time is counted, too). The rows are measured in turn, three times over;
//! the best of each is shown. Then a store of a million shards is opened.

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
    disk::{Access, BLOCK_BYTES, Disk, Folder, RealDisk},
    metrics::{NodeMetrics, StoreMetrics},
    rpc::{self, ShardService},
    shard::{Cell, ShardHead, ShardKey},
    store::{Limits, Owner, Store},
    wire,
};
use futures::{StreamExt, TryStreamExt, stream};
use std::{
    ffi::OsString,
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{service::Routes, transport::Channel};
use uuid::Uuid;

const ROUNDS: usize = 3;
/// What is measured: name, bytes of a shard, shards in a round, writers at one time, whether over gRPC too.
const SHAPES: [(&str, u64, usize, usize, bool); 4] = [
    ("16 MiB x 8", 16 << 20, 24, 8, true),
    ("4 KiB x 1", 4 << 10, 300, 1, false),
    ("4 KiB x 8", 4 << 10, 2000, 8, true),
    ("4 KiB x 32", 4 << 10, 4000, 32, false),
];
/// Shards in a store that is opened.
const OPENED: usize = 1_000_000;
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

/// Time on the clock and of the processors.
#[derive(Clone, Copy)]
struct Took {
    elapsed: Duration,
    processor: Duration,
}

impl Took {
    const NEVER: Self = Self { elapsed: Duration::MAX, processor: Duration::MAX };

    fn best(self, other: Self) -> Self {
        if self.elapsed < other.elapsed { self } else { other }
    }
}

async fn run(directory: &Path) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let bench = start(directory, &stop).await?;
    for (name, bytes, count, writers, over_grpc) in SHAPES {
        let mut best = [Took::NEVER; 4];
        for _ in 0..ROUNDS {
            let took = round(&bench, bytes, count, writers, over_grpc).await?;
            best = std::array::from_fn(|row| best[row].best(took[row]));
        }
        let rows = ["raw write + sync", "store put", "node put", "node get"];
        for (row, took) in rows.iter().zip(best).filter(|(_, took)| took.elapsed < Duration::MAX) {
            let (seconds, total) = (took.elapsed.as_secs_f64(), (bytes * count as u64) as f64);
            writeln!(
                std::io::stdout(),
                "{name:>10}  {row:<18} {:>8.1} MB/s {:>9.0} /s {:>7.3} CPU s/GiB {:>8.1} CPU us each",
                total / 1e6 / seconds,
                count as f64 / seconds,
                took.processor.as_secs_f64() / (total / f64::from(1 << 30)),
                took.processor.as_secs_f64() * 1e6 / count as f64,
            )?;
        }
    }
    open_many(&directory.join("many")).await
}

/// A store of a million smallest shards, closed and opened again.
async fn open_many(directory: &Path) -> anyhow::Result<()> {
    let owner = Owner { cluster: ClusterId::random(), node: NodeId::from_bytes([1; 16]) };
    let limits = Limits { capacity_bytes: None, reserve_bytes: 0 };
    let open = || Store::open(directory, owner, limits, StoreMetrics::default());
    let (store, begin) = (open()?, Instant::now());
    stream::iter(0..OPENED)
        .map(|_| async { put_store(&store, &prepare(owner.cluster, 1)?).await })
        .buffer_unordered(512)
        .try_collect::<()>()
        .await?;
    store.close().await?;
    let written = begin.elapsed();
    drop(store);
    let before = resident_bytes();
    let (begin, store) = (Instant::now(), open()?);
    writeln!(
        std::io::stdout(),
        "{OPENED} shards written in {written:.1?}, opened in {:.2?}, {} bytes of memory each",
        begin.elapsed(),
        resident_bytes().saturating_sub(before) / OPENED as u64
    )?;
    anyhow::ensure!(store.usage()?.shards == OPENED as u64, "a shard is missing");
    Ok(())
}

fn resident_bytes() -> u64 {
    asterism_storage_node::host::Host::measure().resident_bytes
}

/// Of this process, in steps of 10 ms, as Linux counts it for everybody.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit_once(')').map(|(_, rest)| rest.split_whitespace()).into_iter().flatten();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(10 * ticks)
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
async fn round(
    bench: &Bench,
    bytes: u64,
    count: usize,
    writers: usize,
    over_grpc: bool,
) -> anyhow::Result<[Took; 4]> {
    let shards =
        |count| (0..count).map(|_| prepare(bench.cluster, bytes)).collect::<anyhow::Result<Vec<_>>>();
    let (for_store, for_node) = (shards(count)?, shards(if over_grpc { count } else { 0 })?);
    let raw = timed(writers, (0..count).map(|index| write_raw(&bench.directory, index, bytes))).await?;
    let store = timed(writers, for_store.iter().map(|shard| put_store(&bench.store, shard))).await?;
    let (mut put, mut get) = (Took::NEVER, Took::NEVER);
    if over_grpc {
        let puts = for_node.iter().map(|shard| put_node(&bench.client, bench.cluster, shard));
        put = timed(writers, puts).await?;
        get = timed(writers, for_node.iter().map(|shard| get_node(&bench.client, shard))).await?;
    }
    let keys: Vec<ShardKey> = for_store.iter().chain(&for_node).map(|shard| shard.head.key()).collect();
    for part in keys.chunks(wire::KEYS_MAX) {
        bench.store.delete(part.to_vec(), 1).await?;
    }
    bench.store.tend().await?;
    Ok([raw, store, put, get])
}

async fn timed<F: Future<Output = anyhow::Result<()>>>(
    writers: usize,
    work: impl Iterator<Item = F>,
) -> anyhow::Result<Took> {
    let (begin, processor) = (Instant::now(), processor_time());
    stream::iter(work).buffer_unordered(writers).try_collect::<()>().await?;
    Ok(Took { elapsed: begin.elapsed(), processor: processor_time() - processor })
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

/// As `dd oflag=direct conv=fdatasync` would write a file of its own.
async fn write_raw(directory: &Path, index: usize, bytes: u64) -> anyhow::Result<()> {
    let path = directory.to_owned();
    let written = tokio::task::spawn_blocking(move || {
        let (disk, name) = (RealDisk::open(&path)?, OsString::from(format!("raw-{index}")));
        let file = disk.open(Folder::Root, &name, Access::CreateDirect)?;
        let part_bytes = (bytes as usize).min(1 << 20);
        let memory = vec![7; part_bytes + BLOCK_BYTES];
        let begin = memory.as_ptr().align_offset(BLOCK_BYTES);
        for part in 0..bytes / part_bytes as u64 {
            file.write_at(&memory[begin..begin + part_bytes], part * part_bytes as u64)?;
        }
        file.sync()?;
        disk.remove(Folder::Root, &name)
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

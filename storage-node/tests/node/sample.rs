//! Shards to put, and the calls to put and get them.

use crate::bed::Client;
use asterism_erasure::{CellIdentity, Layout, Policy, cell_checksum};
use asterism_proto::{
    ClusterId, ExtentId, ShardError,
    storage::{
        Cell, DeleteRequest, GetRequest, ListRequest, PutFinish, PutRequest, ShardHeader, ShardKey,
        VerifyRequest, delete_result, verify_result,
    },
};

/// A good shard: what a writer would send of it.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) header: ShardHeader,
    pub(crate) cells: Vec<Cell>,
    pub(crate) extent_bytes: u64,
}

impl Sample {
    /// Slot `slot` of a new extent; the bytes follow from its id.
    pub(crate) fn new(cluster: ClusterId, policy: Policy, cell_bytes: usize, extent_bytes: u64) -> Self {
        Self::of(cluster, ExtentId::random(), policy, 0, cell_bytes, extent_bytes)
    }

    pub(crate) fn of(
        cluster: ClusterId,
        extent: ExtentId,
        policy: Policy,
        slot: u8,
        cell_bytes: usize,
        extent_bytes: u64,
    ) -> Self {
        let layout = Layout::new(policy, cell_bytes, extent_bytes).unwrap();
        let (data, parity) = (policy.data() as u8, policy.parity() as u8);
        let identity =
            CellIdentity { cluster: *cluster.as_bytes(), extent: *extent.as_bytes(), slot, data, parity };
        let seed = u64::from_le_bytes(extent.as_bytes()[..8].try_into().unwrap()) ^ u64::from(slot);
        let cells = (0..layout.cells())
            .map(|index| {
                let data = noise(seed ^ (u64::from(index) << 32), layout.cell_bytes(index));
                Cell { checksum: cell_checksum(&identity, index, &data), data: data.into() }
            })
            .collect();
        let header = ShardHeader {
            cluster: cluster.as_bytes().to_vec(),
            key: Some(ShardKey { extent: extent.as_bytes().to_vec(), slot: u32::from(slot) }),
            data_shards: u32::from(data),
            parity_shards: u32::from(parity),
            cell_bytes: cell_bytes as u32,
            epoch: 1,
        };
        Self { header, cells, extent_bytes }
    }

    /// 4+2, three full cells and a short one.
    pub(crate) fn small(cluster: ClusterId) -> Self {
        Self::new(cluster, Policy::new(4, 2).unwrap(), 1024, 4096 * 3 + 1000)
    }

    pub(crate) fn key(&self) -> ShardKey {
        self.header.key.clone().unwrap()
    }

    /// One message for each part: header, every cell, finish.
    pub(crate) fn messages(&self) -> Vec<PutRequest> {
        let header = PutRequest { header: Some(self.header.clone()), ..Default::default() };
        let cells =
            self.cells.iter().map(|cell| PutRequest { cells: vec![cell.clone()], ..Default::default() });
        let finish = PutFinish { extent_bytes: self.extent_bytes };
        let finish = PutRequest { finish: Some(finish), ..Default::default() };
        [header].into_iter().chain(cells).chain([finish]).collect()
    }

    /// Everything in one message.
    pub(crate) fn message(&self) -> PutRequest {
        PutRequest {
            header: Some(self.header.clone()),
            cells: self.cells.clone(),
            finish: Some(PutFinish { extent_bytes: self.extent_bytes }),
        }
    }
}

/// Bytes without pattern, the same for the same seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect()
}

pub(crate) async fn send(client: &Client, messages: Vec<PutRequest>) -> Result<u64, ShardError> {
    let answer = client.clone().put(tokio_stream::iter(messages)).await?;
    Ok(answer.into_inner().shard_bytes)
}

pub(crate) async fn put(client: &Client, sample: &Sample) -> Result<u64, ShardError> {
    send(client, sample.messages()).await
}

/// Puts samples that must succeed.
pub(crate) async fn put_all(client: &Client, samples: &[Sample]) {
    for sample in samples {
        put(client, sample).await.unwrap();
    }
}

/// Cells of a range, and what the node says of the shard.
pub(crate) async fn get(
    client: &Client,
    key: ShardKey,
    first_cell: u32,
    cell_count: u32,
) -> Result<Sample, ShardError> {
    let request = GetRequest { key: Some(key), first_cell, cell_count };
    let mut stream = client.clone().get(request).await?.into_inner();
    let mut first = stream.message().await?.expect("a first message");
    let mut sample = Sample {
        header: first.header.take().expect("the first message carries the header"),
        cells: first.cells,
        extent_bytes: first.extent_bytes,
    };
    while let Some(message) = stream.message().await? {
        assert_eq!(message.header, None);
        sample.cells.extend(message.cells);
    }
    Ok(sample)
}

/// Reads a shard back and compares all of it.
pub(crate) async fn assert_stored(client: &Client, sample: &Sample) {
    let found = get(client, sample.key(), 0, 0).await.unwrap();
    assert_eq!((found.header, found.extent_bytes), (sample.header.clone(), sample.extent_bytes));
    assert!(found.cells == sample.cells, "other bytes than were put");
}

pub(crate) async fn verify(client: &Client, keys: Vec<ShardKey>) -> Vec<verify_result::Outcome> {
    let answer = client.clone().verify(VerifyRequest { keys }).await.unwrap().into_inner();
    answer.results.iter().map(|result| result.outcome()).collect()
}

pub(crate) async fn delete(
    client: &Client,
    keys: Vec<ShardKey>,
    epoch: u64,
) -> Result<Vec<delete_result::Outcome>, ShardError> {
    let answer = client.clone().delete(DeleteRequest { keys, epoch }).await?.into_inner();
    Ok(answer.results.iter().map(|result| result.outcome()).collect())
}

pub(crate) async fn list(client: &Client, after: Option<ShardKey>) -> Vec<ShardKey> {
    let mut stream = client.clone().list(ListRequest { after }).await.unwrap().into_inner();
    let mut keys = Vec::new();
    while let Some(page) = stream.message().await.unwrap() {
        assert!(!page.shards.is_empty(), "an empty page would look like the end");
        keys.extend(page.shards.into_iter().map(|info| info.header.unwrap().key.unwrap()));
    }
    keys
}

//! From a stream of bytes to durable extents. Memory is bounded by a few stripes, whatever the size.

use crate::{
    catalog::{AbandonedExtent, CatalogError, NewExtent},
    files::{
        extents::Extents,
        media_type::{self, HEAD_BYTES},
        running::Ticket,
    },
    members::TooFewNodes,
};
use asterism_cluster::{Extent, ExtentWriter, StripeBuffer, WriteError, Written, placement};
use asterism_erasure::{CELL_BYTES_MAX, EXTENT_BYTES_MAX, Policy};
use asterism_proto::{ExtentId, NodeId, ShardErrorKind};
use asterism_service::{failpoint, world};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use std::{
    pin::{Pin, pin},
    time::Duration,
};
use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, timeout_at},
};

/// A file up to this size is kept as copies: the same tolerance with fewer calls.
const COPIES_BYTES_MAX: usize = 32 << 10;
/// Extents that wait for their shards to become durable while the next one is being written.
const FINISHING_MAX: usize = 2;
/// A client that sends nothing for this long has gone.
const BODY_DEADLINE: Duration = Duration::from_secs(60);
/// Who gets no buffer for this long is sent away.
const BUFFER_DEADLINE: Duration = Duration::from_secs(60);
/// Nodes give up a shard of which nothing comes for 30 seconds. If a client takes longer than this to send the next stripe, the
/// extent ends with what it has, and another one begins when the stripe is there.
const STRIPE_DEADLINE: Duration = Duration::from_secs(10);

/// Content that is durable on its nodes, and not yet a file.
#[derive(Debug)]
pub struct Stored {
    /// Bytes in all.
    pub size: u64,
    /// Of the whole content.
    pub blake3: [u8; 32],
    /// By its first bytes.
    pub media_type: String,
    /// In order.
    pub extents: Vec<NewExtent>,
    /// All of it, if it is little.
    pub little: Option<Bytes>,
    placed: Vec<Extent>,
    /// It is under way until it is a file or was given up.
    _ticket: Ticket,
}

/// Why content could not be stored. What reached nodes is queued for removal.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The client went away or sent what is no body.
    #[error("the upload was cut off")]
    CutOff(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The client sent nothing for too long.
    #[error("the upload stalled")]
    Stalled,
    /// More bytes than allowed.
    #[error("larger than the {0} bytes allowed")]
    TooLarge(u64),
    /// Not enough nodes are there.
    #[error(transparent)]
    TooFewNodes(#[from] TooFewNodes),
    /// Nodes have no room.
    #[error("the storage nodes are full")]
    Full,
    /// Other uploads have all the memory that there is for them.
    #[error("too many uploads at once")]
    Busy,
    /// Nodes failed while the content was being written.
    #[error("too many storage nodes failed during the upload")]
    Failed(#[source] WriteError),
    /// A task of the upload failed: a fault of this program.
    #[error("the upload failed")]
    Internal(#[source] JoinError),
}

impl From<WriteError> for UploadError {
    fn from(error: WriteError) -> Self {
        if error.is_full() { Self::Full } else { Self::Failed(error) }
    }
}

impl Extents {
    /// Stores what `body` brings, at most `bytes_max`.
    ///
    /// # Errors
    /// See [`UploadError`].
    pub async fn store<S, E>(&self, body: S, bytes_max: u64) -> Result<Stored, UploadError>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut upload = Upload::new(self);
        let fed = upload.feed(body, bytes_max).await;
        let ended = match fed {
            Ok(()) => upload.end().await,
            Err(error) => Err(error),
        };
        match ended {
            Ok(extents) => Ok(Stored {
                size: upload.size,
                blake3: *upload.hasher.finalize().as_bytes(),
                media_type: media_type::guess(&upload.head),
                extents,
                little: upload.little,
                placed: upload.placed,
                _ticket: upload.ticket,
            }),
            Err(error) => {
                upload.abandon().await;
                Err(error)
            }
        }
    }

    /// Queues the shards of content that did not become a file for removal.
    pub async fn abandon(&self, stored: Stored) {
        abandon(self, &stored.placed).await;
    }
}

/// Content that was not written yet.
enum Pending {
    /// Maybe a small file, or nothing.
    Little(BytesMut),
    /// A stripe that is not full, begun at this time.
    Stripe(Instant, StripeBuffer),
}

impl Default for Pending {
    fn default() -> Self {
        Self::Little(BytesMut::new())
    }
}

pub(super) struct Upload<'a> {
    extents: &'a Extents,
    hasher: blake3::Hasher,
    size: u64,
    head: BytesMut,
    pending: Pending,
    little: Option<Bytes>,
    writing: Option<(u32, ExtentWriter)>,
    written: u64,
    /// When the extent that is open ends if no stripe comes.
    stripe_due: Instant,
    stripe_deadline: Duration,
    finishing: JoinSet<(u32, Result<Written, WriteError>)>,
    finished: Vec<(u32, Written)>,
    /// What it writes is no orphan meanwhile.
    ticket: Ticket,
    /// Every extent begun, by number, and how.
    placed: Vec<Extent>,
    begun: Vec<Begun>,
}

/// How an extent was begun.
struct Begun {
    group: u32,
    at: Instant,
    /// Nodes that were not asked to take their shards.
    left_out: Vec<NodeId>,
}

impl<'a> Upload<'a> {
    pub(super) fn new(extents: &'a Extents) -> Self {
        Self {
            extents,
            hasher: blake3::Hasher::new(),
            size: 0,
            head: BytesMut::new(),
            pending: Pending::default(),
            little: None,
            writing: None,
            written: 0,
            stripe_due: Instant::now(),
            stripe_deadline: STRIPE_DEADLINE,
            finishing: JoinSet::new(),
            finished: Vec::new(),
            ticket: extents.running.begin(),
            placed: Vec::new(),
            begun: Vec::new(),
        }
    }

    /// Has less patience with a slow client.
    #[cfg(test)]
    pub(super) fn with_stripe_deadline(self, stripe_deadline: Duration) -> Self {
        Self { stripe_deadline, ..self }
    }

    pub(super) async fn feed<S, E>(&mut self, body: S, bytes_max: u64) -> Result<(), UploadError>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut body = pin!(body);
        while let Some(chunk) = self.next_chunk(body.as_mut()).await? {
            let mut chunk = chunk.map_err(|error| UploadError::CutOff(error.into()))?;
            self.size += chunk.len() as u64;
            if self.size > bytes_max {
                return Err(UploadError::TooLarge(bytes_max));
            }
            self.hasher.update(&chunk);
            let head = chunk.len().min(HEAD_BYTES - self.head.len());
            self.head.extend_from_slice(&chunk[..head]);
            while !chunk.is_empty() {
                self.take(&mut chunk).await?;
            }
        }
        Ok(())
    }

    /// Takes as much of `chunk` as goes into what is pending.
    async fn take(&mut self, chunk: &mut Bytes) -> Result<(), UploadError> {
        match &mut self.pending {
            Pending::Little(bytes) if bytes.len() + chunk.len() <= COPIES_BYTES_MAX => {
                bytes.extend_from_slice(&std::mem::take(chunk));
                return Ok(());
            }
            Pending::Little(bytes) => {
                let mut little = std::mem::take(bytes).freeze();
                let mut buffer = self.buffer().await?;
                buffer.fill(&mut little);
                self.pending = Pending::Stripe(Instant::now(), buffer);
            }
            Pending::Stripe(_, buffer) => buffer.fill(chunk),
        }
        match &self.pending {
            Pending::Stripe(_, buffer) if buffer.is_full() => self.write_pending().await,
            _ if self.must_give_back() => self.give_back().await,
            _ => Ok(()),
        }
    }

    /// A buffer for a stripe. An open extent is ended while others have them all.
    async fn buffer(&mut self) -> Result<StripeBuffer, UploadError> {
        let given_up = Instant::now() + BUFFER_DEADLINE;
        loop {
            let is_open = self.writing.is_some();
            let until = if is_open { self.stripe_due.min(given_up) } else { given_up };
            match timeout_at(until, self.extents.stripes.take()).await {
                Ok(buffer) => return Ok(buffer),
                Err(_) if is_open => self.end_extent().await?,
                Err(_) => return Err(UploadError::Busy),
            }
        }
    }

    /// Whether others wait for the buffer that a slow client does not fill.
    fn must_give_back(&self) -> bool {
        match &self.pending {
            Pending::Stripe(since, _) => {
                since.elapsed() >= self.stripe_deadline && self.extents.stripes.is_contended()
            }
            Pending::Little(_) => false,
        }
    }

    /// Writes what is there as the last stripe of its extent.
    async fn give_back(&mut self) -> Result<(), UploadError> {
        self.write_pending().await?;
        self.end_extent().await
    }

    /// The next piece of the body. An open extent is ended while a slow one is waited for.
    async fn next_chunk<T>(
        &mut self,
        mut body: Pin<&mut impl Stream<Item = T>>,
    ) -> Result<Option<T>, UploadError> {
        let given_up = Instant::now() + BODY_DEADLINE;
        loop {
            let (is_open, holds) = (self.writing.is_some(), matches!(self.pending, Pending::Stripe(..)));
            let until = if is_open { self.stripe_due.min(given_up) } else { given_up };
            let until = if holds { until.min(Instant::now() + self.stripe_deadline) } else { until };
            if let Ok(chunk) = timeout_at(until, body.next()).await {
                return Ok(chunk);
            }
            let now = Instant::now();
            if is_open && self.stripe_due <= now {
                self.end_extent().await?;
            } else if self.must_give_back() {
                self.give_back().await?;
            } else if given_up <= now {
                return Err(UploadError::Stalled);
            }
        }
    }

    /// Ends the last extent and waits for all; the extents in order.
    pub(super) async fn end(&mut self) -> Result<Vec<NewExtent>, UploadError> {
        match std::mem::take(&mut self.pending) {
            Pending::Little(bytes) if bytes.is_empty() => {}
            Pending::Little(bytes) => self.write_last(bytes.freeze()).await?,
            stripe => {
                self.pending = stripe;
                self.write_pending().await?;
            }
        }
        self.finish_writing();
        while let Some(ended) = self.finishing.join_next().await {
            self.note_finished(ended)?;
        }
        self.finished.sort_by_key(|(seq, _)| *seq);
        let mut offset = 0;
        let extents = self.finished.iter().map(|(seq, written)| {
            let placed = &self.placed[*seq as usize];
            let file_offset = offset;
            offset += written.extent_bytes;
            NewExtent {
                id: placed.id,
                seq: *seq,
                file_offset,
                bytes: written.extent_bytes,
                group: self.begun[*seq as usize].group,
                data: placed.policy.data() as u8,
                parity: placed.policy.parity() as u8,
                cell_bytes: placed.cell_bytes as u32,
                short_slots: written.missing.iter().map(|(slot, _)| *slot).collect(),
                nodes: placed.nodes.clone(),
            }
        });
        Ok(extents.collect())
    }

    /// Full stripes are those of the cluster's policy; copies of a small file are cut from the same buffer.
    fn stripe_bytes(&self) -> usize {
        self.extents.policy.data() * CELL_BYTES_MAX
    }

    /// Writes the stripe that is pending, full or not.
    async fn write_pending(&mut self) -> Result<(), UploadError> {
        let Pending::Stripe(_, buffer) = std::mem::take(&mut self.pending) else { return Ok(()) };
        let bytes = buffer.len();
        let writer = self.writer(false, bytes)?;
        writer.write_buffer(buffer).await?;
        self.written += bytes as u64;
        self.stripe_due = Instant::now() + self.stripe_deadline;
        if self.written + self.stripe_bytes() as u64 > EXTENT_BYTES_MAX {
            self.end_extent().await?;
        }
        Ok(())
    }

    /// Writes the little that is left. If it is all there is, it goes out in one message.
    async fn write_last(&mut self, content: Bytes) -> Result<(), UploadError> {
        let small = self.placed.is_empty();
        self.little = small.then(|| content.clone());
        self.writer(small, content.len())?.write_only(content).await?;
        Ok(())
    }

    /// The extent that is open, or a new one.
    fn writer(&mut self, small: bool, first_bytes: usize) -> Result<&mut ExtentWriter, UploadError> {
        let (seq, writer) = match self.writing.take() {
            Some(open) => open,
            None => self.begin(small, first_bytes)?,
        };
        Ok(&mut self.writing.insert((seq, writer)).1)
    }

    /// Lets the open extent become durable while the next one is written.
    async fn end_extent(&mut self) -> Result<(), UploadError> {
        self.finish_writing();
        while self.finishing.len() >= FINISHING_MAX {
            if let Some(ended) = self.finishing.join_next().await {
                self.note_finished(ended)?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, small: bool, first_bytes: usize) -> Result<(u32, ExtentWriter), UploadError> {
        let policy = self.extents.policy;
        let copies = Policy::new(1, policy.parity()).filter(|_| small).unwrap_or(policy);
        let most = if small { first_bytes as u64 } else { EXTENT_BYTES_MAX };
        let shard_bytes = most.div_ceil(copies.data() as u64);
        let id = ExtentId::from_bytes(*world::new_uuid().as_bytes());
        let mut draws = id
            .as_bytes()
            .chunks_exact(2)
            .map(|pair| usize::from(u16::from_le_bytes([pair[0], pair[1]])))
            .cycle();
        let draw = |below: usize| draws.next().unwrap_or(0) % below.max(1);
        let members = &self.extents.members;
        let group = members.choose_group(policy.floor(), shard_bytes, draw).map_err(|few| {
            // Enough nodes are there, but not with room for a shard: that is another answer, and another remedy.
            let there = members.choose_group(policy.floor(), 0, |_| 0).is_ok();
            if there { UploadError::Full } else { few.into() }
        })?;
        let extent = Extent {
            cluster: self.extents.cluster,
            id,
            policy: copies,
            cell_bytes: CELL_BYTES_MAX,
            nodes: placement::slots(id, &group.members, copies.total()),
        };
        let writable = members.writable(shard_bytes);
        let nodes = extent.nodes.clone();
        self.placed.push(extent.clone());
        let left_out = nodes.iter().copied().filter(|node| !writable(*node)).collect();
        self.begun.push(Begun { group: group.id, at: Instant::now(), left_out });
        let writer = ExtentWriter::begin(&self.extents.shards, extent, self.extents.epoch(), |slot| {
            writable(nodes[slot])
        })?;
        failpoint::hit("upload.extent_begun");
        self.written = 0;
        Ok((self.placed.len() as u32 - 1, writer))
    }

    fn finish_writing(&mut self) {
        if let Some((seq, writer)) = self.writing.take() {
            self.finishing.spawn(async move { (seq, writer.finish().await) });
        }
    }

    fn note_finished(
        &mut self,
        ended: Result<(u32, Result<Written, WriteError>), JoinError>,
    ) -> Result<(), UploadError> {
        let (seq, written) = ended.map_err(UploadError::Internal)?;
        let written = written?;
        for (slot, error) in &written.missing {
            let node = self.placed[seq as usize].nodes[usize::from(*slot)];
            tracing::warn!(%node, slot, %error, "shard not written; the extent is short until it is rebuilt");
            let begun = &self.begun[seq as usize];
            if error.kind == ShardErrorKind::Unavailable && !begun.left_out.contains(&node) {
                self.extents.members.stalled(node, begun.at);
            }
        }
        self.finished.push((seq, written));
        Ok(())
    }

    async fn abandon(mut self) {
        drop(self.writing.take());
        self.finishing.shutdown().await;
        abandon(self.extents, &self.placed).await;
    }
}

async fn abandon(extents: &Extents, placed: &[Extent]) {
    if placed.is_empty() {
        return;
    }
    failpoint::hit("upload.abandoned");
    let gone: Vec<AbandonedExtent> = placed
        .iter()
        .map(|extent| AbandonedExtent {
            id: extent.id,
            shards: (0..).zip(extent.nodes.iter().copied()).collect(),
        })
        .collect();
    let queued: Result<u64, CatalogError> = extents.catalog.remove_abandoned(&gone).await;
    if let Err(error) = queued {
        tracing::warn!(extents = gone.len(), %error, "remains of an upload could not be queued for removal");
    }
}

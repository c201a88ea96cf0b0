//! Writing one extent: stripe by stripe to all its nodes at once.

use crate::{
    extent::Extent,
    shards::{Cell, PutStep, Shards},
    stripe::StripeBuffer,
};
use asterism_erasure::{Code, CodeError, cell_checksum};
use asterism_proto::{ShardError, ShardErrorKind};
use asterism_service::failpoint;
use bytes::{Bytes, BytesMut};
use futures::future::{BoxFuture, join_all};
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

/// Cells on their way to one node; bounds memory when a node is slower than the client.
const CELLS_IN_FLIGHT: usize = 3;
// The first cell and the end go in before anybody takes them out.
const _: () = assert!(CELLS_IN_FLIGHT >= 2);
/// A node that takes no cell for this long is given up; the others go on.
const STALL: Duration = Duration::from_secs(10);
/// From the last cell to the answer that the shard is durable.
const DURABLE_DEADLINE: Duration = Duration::from_secs(30);

/// Why an extent is not written. Nothing of it counts then; what some nodes hold is to be deleted.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Fewer shards became durable than the floor of the policy.
    #[error("only {durable} of at least {floor} shards became durable; last failure: {last}")]
    TooFew {
        /// Shards that became durable, or still could.
        durable: usize,
        /// `k + 1`.
        floor: usize,
        /// What happened last.
        last: ShardError,
    },
    /// The extent is not one that can be coded.
    #[error(transparent)]
    Code(#[from] CodeError),
}

impl WriteError {
    /// Whether nodes had no room.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::TooFew { last, .. } if last.kind == ShardErrorKind::Full)
    }
}

/// How an extent was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Bytes of content.
    pub extent_bytes: u64,
    /// Slots whose shards are not there, and why.
    pub missing: Vec<(u8, ShardError)>,
}

enum Slot {
    /// Not called yet: it begins with its first step, so that a small shard goes out as one message.
    Idle {
        steps: mpsc::Sender<PutStep>,
        put: BoxFuture<'static, Result<u64, ShardError>>,
    },
    Open {
        steps: mpsc::Sender<PutStep>,
        put: JoinHandle<Result<u64, ShardError>>,
    },
    Failed(ShardError),
}

/// An extent being written.
pub struct ExtentWriter {
    extent: Extent,
    code: Code,
    slots: Vec<Slot>,
    cell_index: u32,
    extent_bytes: u64,
    /// The end was sent with the last stripe.
    ended: bool,
}

impl ExtentWriter {
    /// Opens the shards of `extent` on every node that `usable` says is worth trying.
    ///
    /// # Errors
    /// The policy cannot be coded, or too few nodes are usable.
    pub fn begin(
        shards: &Arc<dyn Shards>,
        extent: Extent,
        epoch: u64,
        usable: impl Fn(usize) -> bool,
    ) -> Result<Self, WriteError> {
        let code = extent.code()?;
        let open = |slot: usize| {
            if !usable(slot) {
                return Slot::Failed(ShardError::new(ShardErrorKind::Unavailable, "node is not online"));
            }
            let (steps, receiver) = mpsc::channel(CELLS_IN_FLIGHT);
            let put = shards.put(extent.nodes[slot], &extent, slot, epoch, receiver);
            Slot::Idle { steps, put }
        };
        let slots = (0..extent.policy.total()).map(open).collect();
        let writer = Self { extent, code, slots, cell_index: 0, extent_bytes: 0, ended: false };
        writer.check_floor()?;
        Ok(writer)
    }

    /// The extent being written.
    pub fn extent(&self) -> &Extent {
        &self.extent
    }

    /// Sends one stripe: exactly `k` full cells of content, or less for the last stripe.
    ///
    /// # Errors
    /// So many nodes have failed that the floor can no longer be reached.
    pub async fn write_stripe(&mut self, content: Bytes) -> Result<(), WriteError> {
        let (bytes, cells) = (content.len(), self.encode(&content)?);
        self.send_all(bytes, cells, false).await
    }

    /// The same of a stripe that lies in a buffer of the same policy.
    ///
    /// # Errors
    /// As [`ExtentWriter::write_stripe`].
    pub async fn write_buffer(&mut self, buffer: StripeBuffer) -> Result<(), WriteError> {
        if buffer.policy() != self.extent.policy {
            return self.write_stripe(Bytes::copy_from_slice(buffer.content())).await;
        }
        let bytes = buffer.len();
        let cells = buffer.into_cells(|data, parity| self.code.encode(data, parity))?;
        self.send_all(bytes, self.sealed(cells), false).await
    }

    /// Sends the only stripe of a small extent together with its end. Only [`ExtentWriter::finish`] may follow.
    ///
    /// # Errors
    /// As [`ExtentWriter::write_stripe`].
    pub async fn write_only(&mut self, content: Bytes) -> Result<(), WriteError> {
        let (bytes, cells) = (content.len(), self.encode(&content)?);
        self.send_all(bytes, cells, true).await
    }

    async fn send_all(&mut self, bytes: usize, cells: Vec<Cell>, ends: bool) -> Result<(), WriteError> {
        self.extent_bytes += bytes as u64;
        self.cell_index += 1;
        self.ended = ends;
        let end = ends.then_some(PutStep::Finish { extent_bytes: self.extent_bytes });
        let sends = self.slots.iter_mut().zip(cells);
        join_all(sends.map(|(slot, cell)| send(slot, PutStep::Cell(cell), end.clone()))).await;
        self.check_floor()
    }

    /// Ends the shards and waits until they are durable.
    ///
    /// # Errors
    /// Fewer than the floor became durable.
    pub async fn finish(mut self) -> Result<Written, WriteError> {
        let (extent_bytes, ended) = (self.extent_bytes, self.ended);
        let slots = std::mem::take(&mut self.slots);
        let ended = join_all(slots.into_iter().map(|mut slot| async move {
            if !ended {
                send(&mut slot, PutStep::Finish { extent_bytes }, None).await;
            }
            durable(slot).await
        }))
        .await;
        failpoint::hit("write.all_acked");
        let missing: Vec<(u8, ShardError)> = ended
            .into_iter()
            .enumerate()
            .filter_map(|(slot, result)| result.err().map(|error| (slot as u8, error)))
            .collect();
        self.judge(self.extent.policy.total() - missing.len(), missing.last().map(|(_, error)| error))?;
        Ok(Written { extent_bytes, missing })
    }

    fn encode(&self, content: &Bytes) -> Result<Vec<Cell>, WriteError> {
        let policy = self.extent.policy;
        if policy.data() == 1 {
            // Every row of such a code is the content itself.
            return Ok(self.sealed(vec![content.clone(); policy.total()]));
        }
        let cell_bytes = content.len().div_ceil(policy.data());
        let mut cells: Vec<Bytes> =
            (0..policy.data()).map(|slot| data_cell(content, slot, cell_bytes)).collect();
        let mut parity = BytesMut::zeroed(cell_bytes * policy.parity());
        {
            let data: Vec<&[u8]> = cells.iter().map(AsRef::as_ref).collect();
            let mut rows: Vec<&mut [u8]> = parity.chunks_mut(cell_bytes.max(1)).collect();
            self.code.encode(&data, &mut rows)?;
        }
        let parity = parity.freeze();
        cells.extend((0..policy.parity()).map(|row| parity.slice(row * cell_bytes..(row + 1) * cell_bytes)));
        Ok(self.sealed(cells))
    }

    fn sealed(&self, cells: Vec<Bytes>) -> Vec<Cell> {
        cells.into_iter().enumerate().map(|(slot, data)| self.seal(slot, data)).collect()
    }

    fn seal(&self, slot: usize, data: Bytes) -> Cell {
        let checksum = cell_checksum(&self.extent.identity(slot), self.cell_index, &data);
        Cell { data, checksum }
    }

    fn check_floor(&self) -> Result<(), WriteError> {
        let failed = self.slots.iter().filter_map(|slot| match slot {
            Slot::Failed(error) => Some(error),
            Slot::Idle { .. } | Slot::Open { .. } => None,
        });
        self.judge(self.slots.len() - failed.clone().count(), failed.clone().next_back())
    }

    fn judge(&self, durable: usize, last: Option<&ShardError>) -> Result<(), WriteError> {
        let floor = self.extent.policy.floor();
        match last {
            Some(last) if durable < floor => Err(WriteError::TooFew { durable, floor, last: last.clone() }),
            _ => Ok(()),
        }
    }
}

/// The content of data slot `slot` in a stripe, padded with zeros to a whole cell.
fn data_cell(content: &Bytes, slot: usize, cell_bytes: usize) -> Bytes {
    let (start, end) = (slot * cell_bytes, (slot + 1) * cell_bytes);
    if end <= content.len() {
        return content.slice(start..end);
    }
    let mut padded = BytesMut::zeroed(cell_bytes);
    if let Some(rest) = content.get(start..) {
        padded[..rest.len()].copy_from_slice(rest);
    }
    padded.freeze()
}

/// Hands `step` to a slot, and `last` after it; the slot is failed if its node does not take them.
async fn send(slot: &mut Slot, step: PutStep, last: Option<PutStep>) {
    if let Slot::Idle { .. } = slot {
        return begin(slot, step, last);
    }
    for step in std::iter::once(step).chain(last) {
        let Slot::Open { steps, put } = slot else { return };
        let error = match timeout(STALL, steps.send(step)).await {
            Ok(Ok(())) => continue,
            // The put has ended: it alone knows why.
            Ok(Err(_)) => outcome((&mut *put).await).err().unwrap_or_else(ended_early),
            Err(_) => {
                put.abort();
                ShardError::new(ShardErrorKind::Unavailable, "node takes no data")
            }
        };
        *slot = Slot::Failed(error);
    }
}

/// Calls the node of an idle slot, with its first steps waiting for it.
fn begin(slot: &mut Slot, step: PutStep, last: Option<PutStep>) {
    let Slot::Idle { steps, put } = std::mem::replace(slot, Slot::Failed(ended_early())) else { return };
    let taken = std::iter::once(step).chain(last).all(|step| steps.try_send(step).is_ok());
    if taken {
        *slot = Slot::Open { steps, put: tokio::spawn(put) };
    }
}

async fn durable(slot: Slot) -> Result<(), ShardError> {
    match slot {
        Slot::Failed(error) => Err(error),
        Slot::Idle { .. } => Err(ended_early()),
        Slot::Open { mut put, .. } => match timeout(DURABLE_DEADLINE, &mut put).await {
            Ok(ended) => {
                outcome(ended)?;
                failpoint::hit("write.shard_acked");
                Ok(())
            }
            Err(_) => {
                put.abort();
                Err(ShardError::new(ShardErrorKind::Unavailable, "shard not durable in time"))
            }
        },
    }
}

fn outcome(ended: Result<Result<u64, ShardError>, tokio::task::JoinError>) -> Result<u64, ShardError> {
    ended.unwrap_or_else(|_| Err(ended_early()))
}

fn ended_early() -> ShardError {
    ShardError::new(ShardErrorKind::Unavailable, "write ended early")
}

impl Drop for ExtentWriter {
    /// A writer that goes away without finishing leaves nothing that could become durable.
    fn drop(&mut self) {
        for slot in &self.slots {
            if let Slot::Open { put, .. } = slot {
                put.abort();
            }
        }
    }
}

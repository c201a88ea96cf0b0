//! Sending out one shard: header first, then each cell after it was verified.

use super::{ShardService, place};
use crate::{metrics::Outcome, shard::Cell, store::ShardReader, wire};
use asterism_proto::{
    ShardError, ShardErrorKind,
    storage::{GetRequest, GetResponse},
};
use futures::{Stream, StreamExt, stream};
use std::{ops::Range, pin::Pin, time::Instant};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// Read ahead of what the peer has taken, besides the one being read.
const MESSAGES_AHEAD: usize = 2;

/// A shard that is about to be sent.
pub(super) struct Sending {
    reader: ShardReader,
    cells: Range<u32>,
    _place: OwnedSemaphorePermit,
}

type Sender = mpsc::Sender<GetResponse>;

/// What a caller of `Get` receives.
pub(super) type Messages = Pin<Box<dyn Stream<Item = Result<GetResponse, Status>> + Send>>;

impl ShardService {
    pub(super) async fn open(&self, request: GetRequest) -> Result<Sending, ShardError> {
        let key = wire::key(request.key.as_ref())?;
        let _place = place(&self.gets).await?;
        let reader = self.store.get(key).await?;
        let cells = reader.shard().cell_range(request.first_cell, request.cell_count).ok_or_else(|| {
            let cells = reader.shard().layout().cells();
            ShardError::new(
                ShardErrorKind::Invalid,
                format!("the shard has {cells} cells; others were asked for"),
            )
        })?;
        Ok(Sending { reader, cells, _place })
    }

    /// Sends in a task of its own, which ends when the peer goes away or takes nothing for too long.
    pub(super) fn send(&self, sending: Sending, begin: Instant) -> Messages {
        let (sender, receiver) = mpsc::channel(MESSAGES_AHEAD);
        let (end, ended) = oneshot::channel();
        let service = self.clone();
        self.tasks.spawn(async move {
            let result = service.send_all(&sending, &sender).await;
            service.metrics.gets.get_or_create(&Outcome::of(&result)).inc();
            service.metrics.note_request("get", begin);
            // Before the sender is dropped; nobody listens any more if the peer is gone.
            let _ = end.send(result);
        });
        // The channel's end alone would look like the shard's: what the task says last decides how the stream ends.
        let last = stream::once(ended).filter_map(|result| async {
            let result = result.unwrap_or_else(|_| Err(given_up()));
            result.err().map(|error| Err(error.into()))
        });
        Box::pin(ReceiverStream::new(receiver).map(Ok).chain(last))
    }

    async fn send_all(&self, sending: &Sending, sender: &Sender) -> Result<(), ShardError> {
        let shard = sending.reader.shard();
        let head = GetResponse {
            header: Some(wire::header_of(&shard, self.store.owner().cluster)),
            extent_bytes: shard.layout().extent_bytes(),
            cells: Vec::new(),
        };
        let mut rest = sending.cells.clone();
        let mut message = Some(head);
        while let Some(cells) = sending.reader.next(&mut rest).await? {
            let bytes: usize = cells.iter().map(|cell| cell.data.len()).sum();
            let mut next = message.take().unwrap_or_default();
            next.cells = cells.into_iter().map(Cell::into).collect();
            self.pass_on(sender, next).await?;
            self.metrics.sent_bytes.inc_by(bytes as u64);
        }
        match message {
            Some(head) => self.pass_on(sender, head).await,
            None => Ok(()),
        }
    }

    async fn pass_on(&self, sender: &Sender, message: GetResponse) -> Result<(), ShardError> {
        sender.send_timeout(message, self.stall_timeout).await.map_err(|_| given_up())
    }
}

fn given_up() -> ShardError {
    ShardError::new(ShardErrorKind::Unavailable, "the caller took nothing for too long, or left")
}

//! Sending out one shard: header first, then each cell after it was verified.

use super::{ShardService, answer, limits::CALL_BYTES_MAX, place};
use crate::{metrics::Outcome, shard::Cell, store::ShardReader, wire};
use asterism_proto::{
    ShardError, ShardErrorKind,
    storage::{GetRequest, GetResponse},
    wire::{Messages, chunks, ok_trailers, status_trailers},
};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http_body::Frame;
use std::{collections::VecDeque, ops::Range, time::Instant};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, body::Body};

/// Read ahead of what the peer has taken, besides the one being read.
const MESSAGES_AHEAD: usize = 2;

/// A shard that is about to be sent.
struct Sending {
    reader: ShardReader,
    /// Not read yet.
    rest: Range<u32>,
    /// With the first cells, which have been read.
    first: GetResponse,
    _place: OwnedSemaphorePermit,
}

type Sender = mpsc::Sender<GetResponse>;

impl ShardService {
    pub(super) async fn answer_get(&self, body: Body) -> http::Response<Body> {
        let begin = Instant::now();
        match self.open(body).await {
            // All that was asked for is there: nothing has to go on behind the answer.
            Ok(sending) if sending.rest.is_empty() => {
                self.metrics.sent_bytes.inc_by(bytes_of(&sending.first));
                self.metrics.gets.get_or_create(&Outcome::named("ok")).inc();
                self.metrics.note_request("get", begin);
                let end = Frame::trailers(ok_trailers());
                answer(stream::iter(frames(sending.first).chain([end])))
            }
            Ok(sending) => answer(self.send(sending, begin)),
            Err(error) => {
                self.metrics.gets.get_or_create(&Outcome::named(error.kind.as_str())).inc();
                self.metrics.note_request("get", begin);
                Status::from(error).into_http()
            }
        }
    }

    async fn open(&self, body: Body) -> Result<Sending, ShardError> {
        let asked = Messages::<GetRequest>::of_request(body, CALL_BYTES_MAX).next().await;
        let invalid = |message: &str| ShardError::new(ShardErrorKind::Invalid, message);
        let request = asked.map_err(|status| invalid(status.message()))?;
        let request = request.ok_or_else(|| invalid("nothing was asked for"))?;
        let key = wire::key(request.key.as_ref())?;
        let _place = place(&self.gets).await?;
        let reader = self.store.get(key).await?;
        let shard = reader.shard();
        let mut rest = shard.cell_range(request.first_cell, request.cell_count).ok_or_else(|| {
            let cells = shard.layout().cells();
            invalid(&format!("the shard has {cells} cells; others were asked for"))
        })?;
        let cells = reader.next(&mut rest).await?.unwrap_or_default();
        let first = GetResponse {
            header: Some(wire::header_of(&shard, self.store.owner().cluster)),
            extent_bytes: shard.layout().extent_bytes(),
            cells: cells.into_iter().map(Cell::into).collect(),
        };
        Ok(Sending { reader, rest, first, _place })
    }

    /// Sends in a task of its own, which ends when the peer goes away or takes nothing for too long.
    fn send(&self, sending: Sending, begin: Instant) -> impl Stream<Item = Frame<Bytes>> + use<> {
        let (sender, receiver) = mpsc::channel(MESSAGES_AHEAD);
        let (end, ended) = oneshot::channel();
        let service = self.clone();
        self.tasks.spawn(async move {
            let result = service.send_all(sending, &sender).await;
            service.metrics.gets.get_or_create(&Outcome::of(&result)).inc();
            service.metrics.note_request("get", begin);
            // Before the sender is dropped; nobody listens any more if the peer is gone.
            let _ = end.send(result);
        });
        // The channel's end alone would look like the shard's: what the task says last decides how the stream ends.
        let last = stream::once(ended).map(|result| match result.unwrap_or_else(|_| Err(given_up())) {
            Ok(()) => Frame::trailers(ok_trailers()),
            Err(error) => Frame::trailers(status_trailers(&error.into())),
        });
        ReceiverStream::new(receiver).flat_map(|message| stream::iter(frames(message))).chain(last)
    }

    async fn send_all(&self, sending: Sending, sender: &Sender) -> Result<(), ShardError> {
        let Sending { reader, mut rest, first, _place } = sending;
        let mut next = Some(first);
        while let Some(message) = next {
            let bytes = bytes_of(&message);
            self.pass_on(sender, message).await?;
            self.metrics.sent_bytes.inc_by(bytes);
            next = reader.next(&mut rest).await?.map(|cells| GetResponse {
                cells: cells.into_iter().map(Cell::into).collect(),
                ..Default::default()
            });
        }
        Ok(())
    }

    async fn pass_on(&self, sender: &Sender, message: GetResponse) -> Result<(), ShardError> {
        sender.send_timeout(message, self.stall_timeout).await.map_err(|_| given_up())
    }
}

fn bytes_of(message: &GetResponse) -> u64 {
    message.cells.iter().map(|cell| cell.data.len() as u64).sum()
}

fn frames(message: GetResponse) -> impl Iterator<Item = Frame<Bytes>> {
    let mut pieces = VecDeque::new();
    chunks(message, &mut pieces);
    pieces.into_iter().map(Frame::data)
}

fn given_up() -> ShardError {
    ShardError::new(ShardErrorKind::Unavailable, "the caller took nothing for too long, or left")
}

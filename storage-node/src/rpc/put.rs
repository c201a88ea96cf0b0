//! Taking in one shard: header, cells, finish.

use super::{ShardService, answer, limits::PUT_BYTES_MAX, place};
use crate::{metrics::Outcome, shard::Cell, store::ShardWriter, wire};
use asterism_proto::{
    ShardError, ShardErrorKind,
    storage::{PutRequest, PutResponse},
    wire::{Messages, frame, ok_trailers},
};
use futures::stream;
use http_body::Frame;
use std::time::Instant;
use tokio::time::timeout;
use tonic::{Code, Status, body::Body};

fn invalid(message: &str) -> ShardError {
    ShardError::new(ShardErrorKind::Invalid, message)
}

/// A message that is too large is the caller's fault; anything else may be the network's.
fn broken(status: Status) -> ShardError {
    match status.code() {
        Code::OutOfRange | Code::ResourceExhausted => invalid(status.message()),
        _ => status.into(),
    }
}

impl ShardService {
    pub(super) async fn answer_put(&self, body: Body) -> http::Response<Body> {
        let begin = Instant::now();
        let result = self.receive(Messages::of_request(body, PUT_BYTES_MAX)).await;
        self.metrics.puts.get_or_create(&Outcome::of(&result)).inc();
        self.metrics.note_request("put", begin);
        match result {
            Ok(shard_bytes) => {
                let answered = Frame::data(frame(&PutResponse { shard_bytes }));
                answer(stream::iter([answered, Frame::trailers(ok_trailers())]))
            }
            Err(error) => Status::from(error).into_http(),
        }
    }

    /// Receives a shard and makes it durable; the bytes of its cells. Whatever goes wrong before leaves nothing behind.
    async fn receive(&self, mut messages: Messages<PutRequest>) -> Result<u64, ShardError> {
        let _place = place(&self.puts).await?;
        let mut message = self.next_message(&mut messages).await?;
        let header = message.header.take().ok_or_else(|| invalid("the first message carries no header"))?;
        let head = wire::head(&header, self.store.owner().cluster)?;
        let mut writer = self.store.put(head).await?;
        loop {
            self.take_cells(&mut writer, message.cells).await?;
            if let Some(finish) = message.finish {
                return writer.finish(finish.extent_bytes).await;
            }
            message = self.next_message(&mut messages).await?;
            if message.header.is_some() {
                return Err(invalid("only the first message carries a header"));
            }
        }
    }

    async fn take_cells(
        &self,
        writer: &mut ShardWriter,
        cells: Vec<asterism_proto::storage::Cell>,
    ) -> Result<(), ShardError> {
        for cell in cells {
            let cell = Cell::from(cell);
            writer.push(&cell).await?;
            self.metrics.received_bytes.inc_by(cell.data.len() as u64);
        }
        Ok(())
    }

    async fn next_message(&self, messages: &mut Messages<PutRequest>) -> Result<PutRequest, ShardError> {
        let stalled =
            |_| ShardError::new(ShardErrorKind::Unavailable, "the caller sent nothing for too long");
        let message = timeout(self.stall_timeout, messages.next()).await.map_err(stalled)?;
        message.map_err(broken)?.ok_or_else(|| invalid("the stream ended before the shard was finished"))
    }
}

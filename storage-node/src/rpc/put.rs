//! Taking in one shard: header, cells, finish.

use super::{ShardService, place};
use crate::{shard::Cell, store::ShardWriter, wire};
use asterism_proto::{ShardError, ShardErrorKind, storage::PutRequest};
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};

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
    /// Receives a shard and makes it durable; the bytes of its cells. Whatever goes wrong before leaves nothing behind.
    pub(super) async fn receive(&self, mut messages: Streaming<PutRequest>) -> Result<u64, ShardError> {
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

    async fn next_message(&self, messages: &mut Streaming<PutRequest>) -> Result<PutRequest, ShardError> {
        let stalled =
            |_| ShardError::new(ShardErrorKind::Unavailable, "the caller sent nothing for too long");
        let message = timeout(self.stall_timeout, messages.message()).await.map_err(stalled)?;
        message.map_err(broken)?.ok_or_else(|| invalid("the stream ended before the shard was finished"))
    }
}

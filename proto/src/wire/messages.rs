//! Messages out of the pieces of a body.

use super::PREFIX_BYTES;
use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use prost::Message;
use std::{collections::VecDeque, marker::PhantomData};
use tonic::{Code, Status, body::Body};

/// The messages of a call, one after the other.
#[derive(Debug)]
pub struct Messages<M> {
    body: Body,
    pieces: Pieces,
    bytes_max: usize,
    /// An answer is complete only with its trailers.
    is_answer: bool,
    of: PhantomData<fn() -> M>,
}

impl<M: Message + Default> Messages<M> {
    /// Those of a request, of at most `bytes_max` each.
    pub fn of_request(body: Body, bytes_max: usize) -> Self {
        Self { body, pieces: Pieces::default(), bytes_max, is_answer: false, of: PhantomData }
    }

    /// Those of an answer, of at most `bytes_max` each.
    ///
    /// # Errors
    /// The call was refused at once, or the answer is none of gRPC.
    pub fn of_answer(answer: http::Response<Body>, bytes_max: usize) -> Result<Self, Status> {
        match Status::from_header_map(answer.headers()) {
            Some(status) if status.code() != Code::Ok => return Err(status),
            None if answer.status() != http::StatusCode::OK => {
                return Err(Status::unavailable(format!("the peer answered {}", answer.status())));
            }
            _ => {}
        }
        Ok(Self { is_answer: true, ..Self::of_request(answer.into_body(), bytes_max) })
    }

    /// The next message; none at the end. A call of this that is dropped loses nothing.
    ///
    /// # Errors
    /// The call ended badly, the body broke off, or what came is no message.
    pub async fn next(&mut self) -> Result<Option<M>, Status> {
        loop {
            if let Some(message) = self.pieces.message(self.bytes_max)? {
                return Ok(Some(message));
            }
            let Some(frame) = self.body.frame().await else { return self.end() };
            match frame?.into_data() {
                Ok(piece) => self.pieces.push(piece),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    if let Some(status) = Status::from_header_map(&trailers) {
                        self.is_answer = false;
                        if status.code() != Code::Ok {
                            return Err(status);
                        }
                    }
                }
            }
        }
    }

    fn end(&self) -> Result<Option<M>, Status> {
        if self.pieces.has_remaining() {
            return Err(Status::internal("the call broke off within a message"));
        }
        if self.is_answer {
            return Err(Status::unavailable("the answer broke off"));
        }
        Ok(None)
    }
}

/// What came and was not read yet.
#[derive(Debug, Default)]
struct Pieces {
    queue: VecDeque<Bytes>,
    bytes: usize,
}

impl Pieces {
    fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.bytes += piece.len();
            self.queue.push_back(piece);
        }
    }

    /// The first message, if all of it is there.
    fn message<M: Message + Default>(&mut self, bytes_max: usize) -> Result<Option<M>, Status> {
        let Some(prefix) = self.prefix() else { return Ok(None) };
        let [compressed, length @ ..] = prefix;
        if compressed != 0 {
            return Err(Status::unimplemented("messages are not compressed here"));
        }
        let length = u32::from_be_bytes(length) as usize;
        if length > bytes_max {
            return Err(Status::out_of_range(format!(
                "a message of {length} bytes; {bytes_max} are allowed"
            )));
        }
        if self.bytes < PREFIX_BYTES + length {
            return Ok(None);
        }
        self.advance(PREFIX_BYTES);
        let message = M::decode(self.take(length));
        message.map(Some).map_err(|error| Status::internal(format!("not a message: {error}")))
    }

    fn prefix(&self) -> Option<[u8; PREFIX_BYTES]> {
        let mut bytes = self.queue.iter().flat_map(|piece| piece.iter().take(PREFIX_BYTES));
        let mut prefix = [0; PREFIX_BYTES];
        for byte in &mut prefix {
            *byte = *bytes.next()?;
        }
        Some(prefix)
    }
}

impl Buf for Pieces {
    fn remaining(&self) -> usize {
        self.bytes
    }

    fn chunk(&self) -> &[u8] {
        self.queue.front().map_or(&[], |piece| piece)
    }

    fn advance(&mut self, mut count: usize) {
        self.bytes -= count;
        while count > 0 {
            let Some(front) = self.queue.front_mut() else { return };
            let taken = count.min(front.len());
            front.advance(taken);
            count -= taken;
            if front.is_empty() {
                self.queue.pop_front();
            }
        }
    }

    /// Without copying, if they came in one piece.
    fn copy_to_bytes(&mut self, count: usize) -> Bytes {
        match self.queue.front_mut() {
            Some(front) if front.len() >= count => {
                let bytes = front.split_to(count);
                if front.is_empty() {
                    self.queue.pop_front();
                }
                self.bytes -= count;
                bytes
            }
            _ => {
                let mut bytes = BytesMut::with_capacity(count);
                while bytes.len() < count {
                    let taken = self.chunk().len().min(count - bytes.len());
                    bytes.extend_from_slice(&self.chunk()[..taken]);
                    self.advance(taken);
                }
                bytes.freeze()
            }
        }
    }
}

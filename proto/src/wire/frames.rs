//! A message as pieces of a body.

use super::PREFIX_BYTES;
use crate::storage::{Cell, GetResponse, PutRequest};
use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderMap;
use prost::{
    Message,
    encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len},
};
use std::collections::VecDeque;
use tonic::Status;

/// A cell up to this size is sooner copied than sent as a piece of its own.
const COPIED_BYTES_MAX: usize = 8 << 10;
/// Fields of [`Cell`].
const DATA: u32 = 1;
const CHECKSUM: u32 = 2;

/// A message with cells.
pub trait Carrier: Message + Default {
    /// The number of the field.
    const CELLS: u32;

    /// The cells.
    fn cells(&mut self) -> &mut Vec<Cell>;
}

impl Carrier for PutRequest {
    const CELLS: u32 = 2;

    fn cells(&mut self) -> &mut Vec<Cell> {
        &mut self.cells
    }
}

impl Carrier for GetResponse {
    const CELLS: u32 = 3;

    fn cells(&mut self) -> &mut Vec<Cell> {
        &mut self.cells
    }
}

/// Puts the pieces of `message` behind those in `pieces`; its large cells are pieces as they are.
pub fn chunks<M: Carrier>(mut message: M, pieces: &mut VecDeque<Bytes>) {
    let cells = std::mem::take(message.cells());
    let cell_field = |cell: &Cell| {
        let bytes = cell.encoded_len();
        key_len(M::CELLS) + encoded_len_varint(bytes as u64) + bytes
    };
    let length = message.encoded_len() + cells.iter().map(cell_field).sum::<usize>();
    let copied: usize = cells.iter().map(|cell| cell.data.len()).filter(|&bytes| is_copied(bytes)).sum();
    let mut piece = BytesMut::with_capacity(PREFIX_BYTES + message.encoded_len() + copied + cells.len() * 32);
    prefix(length, &mut piece);
    message.encode_raw(&mut piece);
    for cell in cells {
        encode_key(M::CELLS, WireType::LengthDelimited, &mut piece);
        encode_varint(cell.encoded_len() as u64, &mut piece);
        if is_copied(cell.data.len()) {
            cell.encode_raw(&mut piece);
            continue;
        }
        // Fields may come in any order: with the data last, nothing is left over behind it.
        if cell.checksum != 0 {
            encode_key(CHECKSUM, WireType::SixtyFourBit, &mut piece);
            piece.put_u64_le(cell.checksum);
        }
        encode_key(DATA, WireType::LengthDelimited, &mut piece);
        encode_varint(cell.data.len() as u64, &mut piece);
        pieces.push_back(piece.split().freeze());
        pieces.push_back(cell.data);
    }
    if !piece.is_empty() {
        pieces.push_back(piece.freeze());
    }
}

/// A small message in one piece.
pub fn frame(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut piece = BytesMut::with_capacity(PREFIX_BYTES + length);
    prefix(length, &mut piece);
    message.encode_raw(&mut piece);
    piece.freeze()
}

fn is_copied(cell_bytes: usize) -> bool {
    cell_bytes <= COPIED_BYTES_MAX
}

fn prefix(length: usize, piece: &mut BytesMut) {
    piece.put_u8(0);
    // Messages are bounded far below by whoever takes them.
    piece.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
}

/// What ends the answer to a call that succeeded.
pub fn ok_trailers() -> HeaderMap {
    status_trailers(&Status::ok(""))
}

/// What ends the answer to a call that has ended with `status`.
pub fn status_trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    if let Err(unspeakable) = status.add_header(&mut trailers) {
        trailers.clear();
        // Its own message is one of the library's.
        unspeakable.add_header(&mut trailers).ok();
    }
    trailers
}

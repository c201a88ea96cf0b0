//! Messages that carry cells, to and from bodies of gRPC calls without copying the cells.
//!
//! The generated code copies every message into one buffer on its way out and into another on its way in. For shards, which are
//! nearly all that goes between processes, these copies cost as much as the network. What lies on the wire is the same.

mod frames;
mod messages;

pub use frames::{Carrier, chunks, frame, ok_trailers, status_trailers};
pub use messages::Messages;

/// Before each message: whether it is compressed, which ours never are, and its length.
const PREFIX_BYTES: usize = 5;

//! Extents over nodes: where shards go, how they are written, read, rebuilt and deleted.
//!
//! Placement is pure ([`placement`]). Everything that moves bytes goes through the port [`Shards`], which has two adapters:
//! [`GrpcShards`] for real nodes and [`memory::MemoryShards`] with faults on demand.

mod extent;
mod gather;
mod grpc;
mod hedge;
pub mod memory;
pub mod placement;
mod read;
mod rebuild;
mod relocate;
mod shards;
mod stripe;
mod write;

pub use extent::{Extent, ShardKey};
pub use grpc::GrpcShards;
pub use hedge::HedgeDelay;
pub use read::{ReadError, Reader};
pub use rebuild::{RebuildError, rebuild};
pub use relocate::{Relocation, Transfer, relocate};
pub use shards::{
    Aside, AsideAct, Cell, CellStream, Deleted, FoundShard, OpenShard, PutStep, Shards, Verified,
};
pub use stripe::{StripeBuffer, StripePool};
pub use write::{ExtentWriter, WriteError, Written};

//! A storage node: keeps shards in one directory and knows nothing of files.
//!
//! - [`store`]: the shards on the disk; nobody else knows how they lie there.
//! - [`disk`]: what the store asks of a disk, a real and a simulated one.
//! - [`rpc`]: the gRPC service in front of it.
//! - [`membership`]: joining the index-servers, and a sign of life every second.
//! - [`NodeProcess`]: all of it, bound and served.

pub mod config;
pub mod disk;
pub mod host;
pub mod membership;
pub mod metrics;
pub mod process;
pub mod rpc;
pub mod shard;
pub mod store;
pub mod wire;

pub use config::Config;
pub use process::NodeProcess;

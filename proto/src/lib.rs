//! The wire: generated messages and services, and the checked types that every process shares.

pub mod access;
pub mod codec;
pub mod error;
pub mod ids;
pub mod node_state;
pub mod wire;

/// Shards of one storage node.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod storage {
    tonic::include_proto!("asterism.storage.v1");
}

/// Membership and stop proofs, served by the index-server.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod index {
    tonic::include_proto!("asterism.index.v1");
}

/// States and acts, served by the monitor.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod monitor {
    tonic::include_proto!("asterism.monitor.v1");
}

pub use access::allowed_roles;
pub use error::{ShardError, ShardErrorKind};
pub use ids::{ClusterId, ExtentId, IdError, NodeId, NodeName, Role};
pub use node_state::NodeState;

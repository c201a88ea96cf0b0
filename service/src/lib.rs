//! What every process of the cluster needs, and nothing that only one of them does.

pub mod backoff;
pub mod config;
pub mod durable;
pub mod failpoint;
pub mod grpc;
pub mod http;
pub mod identity;
pub mod logging;
pub mod metrics;
pub mod secret;
pub mod stop;
pub mod world;

pub use backoff::Backoff;
pub use identity::{Authority, Identity, Peer};
pub use metrics::Metrics;
pub use secret::Secret;

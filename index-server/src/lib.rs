//! Names, extents, groups, users and tags of a cluster, and the HTTP API over them.

mod api;
pub mod catalog;
pub mod config;
pub mod damage;
pub mod events;
pub mod figures;
pub mod files;
pub mod graph;
pub mod liveness;
pub mod margin;
pub mod members;
pub mod membership;
mod metrics;
pub mod plan;
pub mod query;
mod server;
pub mod stop_proof;
#[cfg(test)]
mod test_bed;
pub mod workers;

pub use api::{News, Passwords};
pub use config::Config;
pub use server::{Bootstrap, Core, IndexServer, Surroundings, bootstrap, run};

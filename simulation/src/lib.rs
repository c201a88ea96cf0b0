//! A whole cluster in one thread, under one seed: real storage nodes on simulated disks, the real index-server on a real SQLite file,
//! and between them real gRPC over a simulated network; a schedule of faults, and an oracle.
//!
//! Time is tokio's paused clock: it jumps to the next timer whenever nothing can be done. The store's work is done inline, and work
//! of SQLite's threads is waited for on the spot (`asterism_service::world::at_once`), so the same seed gives the same story.

pub mod broken;
pub mod census;
pub mod chance;
pub mod client;
pub mod content;
pub mod faults;
pub mod index;
pub mod ledger;
pub mod network;
pub mod node;
pub mod process;
pub mod requests;
pub mod trace;
pub mod world;

mod panics;
mod run;

pub use broken::Broken;
pub use run::{Report, run};

//! The test bed: real servers, real clusters, real files, and the ledger that says what must still be there.
//!
//! The journeys in `tests/` drive the `asterism` binary from outside, as a person or a script would; nothing here knows
//! how the product works inside. Every process belongs to the value that started it and ends with it.

pub mod cluster;
pub mod faults;
pub mod http;
pub mod ledger;
pub mod locate;
pub mod page;
pub mod process;
pub mod samples;
pub mod servers;
pub mod story;
pub mod strays;
pub mod wait;

pub use cluster::{Cluster, Options};
pub use ledger::Ledger;
pub use wait::{until, within};

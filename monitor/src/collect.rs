//! Where the monitor's knowledge comes from: one collector per file. A collector that fails is a measurement.

pub mod membership;
pub mod probe;

pub use membership::{AskError, Membership};
pub use probe::Prober;

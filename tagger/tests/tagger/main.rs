//! Real content in, tags out: in this process, and through worker processes.

#![allow(clippy::unwrap_used, reason = "a fixture that cannot be made ends its test")]

mod content;
mod fixtures;
mod hostile;
mod workers;

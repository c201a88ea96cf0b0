//! Real content in, tags out: in this process, and through worker processes.

mod content;
mod fixtures;
mod hostile;
mod workers;

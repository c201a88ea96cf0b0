//! The HTTP API of an Asterism cluster as a Rust library.

mod cluster;
mod error;
mod files;
mod http;
mod tags;
pub mod types;

pub use error::{Error, Problem};
pub use files::Progress;
pub use http::Client;

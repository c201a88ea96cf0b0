//! The monitor: watches every node, remembers every change, and stops or wakes machines, never one that is still needed.
//!
//! [`collect`] writes on the [`board`], [`state`] judges what stands there, [`record`] writes changes into the
//! [`timeline`], [`act`] stops and wakes through [`power`]; [`push`], [`grpc`] and [`http`] tell the rest of the world.
//! [`figures`] measure all of it, [`rules`] say what is worth a word, [`warn`] makes [`messages`] of it, [`tell`] sends them on,
//! [`remote_write`] writes the figures to where they are kept.

pub mod act;
pub mod board;
pub mod collect;
pub mod config;
pub mod database;
pub mod figures;
pub mod grpc;
pub mod http;
pub mod known;
pub mod messages;
pub mod power;
pub mod push;
pub mod record;
pub mod remote_write;
pub mod rules;
pub mod server;
pub mod state;
pub mod tell;
mod text;
pub mod timeline;
pub mod warn;

pub use config::Config;
pub use server::Monitor;

//! Storage nodes over loopback with mutual TLS: what they keep, what they refuse, what they survive.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod aside;
mod bad_input;
mod bed;
mod binary;
mod damage;
mod directory;
mod epoch;
mod full;
mod membership;
mod sample;
mod shards;
mod stall;

//! A whole monitor against an index-server and storage nodes that speak the real protocol over mutual TLS on loopback.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod acts;
mod bed;
mod index;
mod left_overs;
mod node;
mod pages;
mod push;
mod supervisor;
mod watch;

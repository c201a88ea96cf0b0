//! A whole monitor on real wires: mutual TLS to an index-server and to storage nodes that speak the real protocol,
//! a real sshd, and HTTP.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod acts;
mod alone;
mod bed;
mod index;
mod left_overs;
mod node;
mod pages;
mod push;
mod receiver;
mod remote_write;
mod ssh;
mod supervisor;
mod tell;
mod warn;
mod watch;

//! The SSH driver against a real OpenSSH server, and the forced command behind it.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod enrol;
mod hosts;
mod keys;
mod order;
mod sshd;
mod trouble;

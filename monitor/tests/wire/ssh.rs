//! The SSH driver against a real OpenSSH server, and the forced command behind it.

mod acts;
mod enrol;
mod hosts;
mod keys;
mod order;
mod sshd;
mod trouble;

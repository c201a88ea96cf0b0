//! The store on a simulated disk: whatever the disk does, what was acknowledged is there and what was deleted is not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bed;
mod crash;
mod faults;

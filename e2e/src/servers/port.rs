//! Ports for servers that cannot be asked to choose one themselves.

use anyhow::Context;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Below the range that Linux takes for outgoing connections, so that none of them sits down on a port before its server
/// does; above the well-known servers of a developer's machine.
const PORTS: Range<u16> = 20_000..32_000;
const ATTEMPTS: usize = 100;

/// A port on loopback that is free now and was not handed out before by this process.
///
/// # Errors
/// No free one was met.
pub fn free() -> anyhow::Result<u16> {
    static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    (0..ATTEMPTS)
        .map(|_| any())
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok() && given.insert(*port))
        .context("no free port on loopback")
}

/// Any port of the range. Test processes run side by side: each begins elsewhere.
fn any() -> u16 {
    // Every `RandomState` has keys of its own, so this is a random number.
    let number = RandomState::new().hash_one(());
    let width = u64::from(PORTS.end - PORTS.start);
    PORTS.start + u16::try_from(number % width).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let ports: HashSet<u16> = (0..50).map(|_| free().unwrap()).collect();
        assert_eq!(ports.len(), 50);
        assert!(ports.iter().all(|port| PORTS.contains(port)));
    }
}

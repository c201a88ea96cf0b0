//! Guessing passwords is slow: a few failures per minute from one address, and on one name from everywhere.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const WINDOW: Duration = Duration::from_secs(60);
/// Failures in a window after which an address must wait.
const FAILURES_OF_ADDRESS: u32 = 20;
/// Failures in a window after which a name must wait, from that address.
const FAILURES_OF_NAME: u32 = 10;
/// Counters kept; when full, those of past windows go first, then all: forgetting is safer than running out of memory.
const COUNTERS_MAX: usize = 10_000;

/// Whose failures are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    Name(IpAddr, String),
}

/// Counts failed logins.
#[derive(Default)]
pub(super) struct Limiter(Mutex<HashMap<Key, (Instant, u32)>>);

impl Limiter {
    /// Whether a password may be tried. It counts as a failure until [`Limiter::succeeded`], so that trying many at once does
    /// not try more of them.
    pub(super) fn admit(&self, address: IpAddr, name: &str, now: Instant) -> bool {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counters.len() >= COUNTERS_MAX {
            counters.retain(|_, (since, _)| now.duration_since(*since) < WINDOW);
            if counters.len() >= COUNTERS_MAX {
                counters.clear();
            }
        }
        let keys = keys(address, name);
        let failures = |key: &Key| counters.get(key).filter(|(since, _)| now.duration_since(*since) < WINDOW);
        if keys.iter().any(|(key, most)| failures(key).is_some_and(|(_, failures)| failures >= most)) {
            return false;
        }
        for (key, _) in keys {
            let counter = counters.entry(key).or_insert((now, 0));
            if now.duration_since(counter.0) >= WINDOW {
                *counter = (now, 0);
            }
            counter.1 += 1;
        }
        true
    }

    /// The password was right.
    pub(super) fn succeeded(&self, address: IpAddr, name: &str) {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, _) in keys(address, name) {
            if let Some((_, failures)) = counters.get_mut(&key) {
                *failures = failures.saturating_sub(1);
            }
        }
    }
}

/// Whose failures a try belongs to, and how many are allowed.
fn keys(address: IpAddr, name: &str) -> [(Key, u32); 2] {
    let address = network(address);
    [(Key::Address(address), FAILURES_OF_ADDRESS), (Key::Name(address, short(name)), FAILURES_OF_NAME)]
}

/// Whoever has one IPv6 address has 2^64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) if address.to_ipv4_mapped().is_none() => {
            Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into()
        }
        address => address,
    }
}

/// Names from outside can be of any length; 64 bytes tell real ones apart.
fn short(name: &str) -> String {
    name.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_wrong_passwords_and_then_a_minute_of_silence() {
        let (limiter, start) = (Limiter::default(), Instant::now());
        let (here, there) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        for _ in 0..FAILURES_OF_NAME {
            assert!(limiter.admit(here, "admin", start));
        }
        assert!(!limiter.admit(here, "admin", start));
        assert!(limiter.admit(here, "ada", start), "others at the same address may still log in");
        assert!(limiter.admit(there, "admin", start), "nobody locks the admin out from elsewhere");
        assert!(limiter.admit(here, "admin", start + WINDOW));
    }

    #[test]
    fn right_passwords_do_not_count() {
        let (limiter, now) = (Limiter::default(), Instant::now());
        let here = IpAddr::from([10, 0, 0, 1]);
        for _ in 0..1000 {
            assert!(limiter.admit(here, "ada", now));
            limiter.succeeded(here, "ada");
        }
    }

    #[test]
    fn many_names_from_one_address_are_one_attack() {
        let (limiter, now) = (Limiter::default(), Instant::now());
        let here = IpAddr::from([10, 0, 0, 1]);
        (0..FAILURES_OF_ADDRESS)
            .for_each(|number| assert!(limiter.admit(here, &format!("user{number}"), now)));
        assert!(!limiter.admit(here, "fresh", now));
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let (limiter, now) = (Limiter::default(), Instant::now());
        let address = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, 0, host]);
        (0..10).for_each(|host| assert!(limiter.admit(address(host), "admin", now)));
        assert!(!limiter.admit(address(99), "admin", now));
        assert!(limiter.admit(IpAddr::from([0x2001, 0xdb8, 0, 8, 0, 0, 0, 1]), "admin", now));
    }

    #[test]
    fn memory_is_bounded() {
        let (limiter, now) = (Limiter::default(), Instant::now());
        for number in 0..50_000u32 {
            limiter.admit(IpAddr::from(number.to_be_bytes()), "admin", now);
        }
        assert!(limiter.0.lock().unwrap().len() <= COUNTERS_MAX + 2);
    }
}

//! Guessing passwords is slow: a few failures per minute from one address, and on one name from everywhere.

use std::{
    collections::HashMap,
    net::IpAddr,
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
    /// Whether a login may be tried.
    pub(super) fn may_try(&self, address: IpAddr, name: &str, now: Instant) -> bool {
        let counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let below = |key: &Key, most: u32| {
            counters.get(key).is_none_or(|(since, failures)| now.duration_since(*since) >= WINDOW || *failures < most)
        };
        below(&Key::Address(address), FAILURES_OF_ADDRESS) && below(&Key::Name(address, short(name)), FAILURES_OF_NAME)
    }

    /// A login failed.
    pub(super) fn failed(&self, address: IpAddr, name: &str, now: Instant) {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counters.len() >= COUNTERS_MAX {
            counters.retain(|_, (since, _)| now.duration_since(*since) < WINDOW);
            if counters.len() >= COUNTERS_MAX {
                counters.clear();
            }
        }
        for key in [Key::Address(address), Key::Name(address, short(name))] {
            let counter = counters.entry(key).or_insert((now, 0));
            if now.duration_since(counter.0) >= WINDOW {
                *counter = (now, 0);
            }
            counter.1 += 1;
        }
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
            assert!(limiter.may_try(here, "admin", start));
            limiter.failed(here, "admin", start);
        }
        assert!(!limiter.may_try(here, "admin", start));
        assert!(limiter.may_try(here, "ada", start), "others at the same address may still log in");
        assert!(limiter.may_try(there, "admin", start), "nobody locks the admin out from elsewhere");
        assert!(limiter.may_try(here, "admin", start + WINDOW));
    }

    #[test]
    fn many_names_from_one_address_are_one_attack() {
        let (limiter, start) = (Limiter::default(), Instant::now());
        let here = IpAddr::from([10, 0, 0, 1]);
        (0..FAILURES_OF_ADDRESS).for_each(|number| limiter.failed(here, &format!("user{number}"), start));
        assert!(!limiter.may_try(here, "fresh", start));
    }
}

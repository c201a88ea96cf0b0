//! Waiting times between attempts: exponential, capped, and jittered so that many peers do not come back in step.

use crate::world;
use std::time::Duration;

/// The pauses between attempts at one thing.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    attempt: u32,
}

impl Backoff {
    /// Pauses that begin near `first` and double up to `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, attempt: 0 }
    }

    /// The next pause: between half and all of the current step.
    pub fn pause(&mut self) -> Duration {
        let step = self.first.saturating_mul(1 << self.attempt.min(20)).min(self.longest);
        self.attempt = self.attempt.saturating_add(1);
        step.mul_f64(0.5 + 0.5 * random_fraction())
    }

    /// Begins again, after a success.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }
}

/// In `0.0..1.0`.
fn random_fraction() -> f64 {
    (world::random() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_cap_and_begin_again() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(1));
        let mut backoff = Backoff::new(first, longest);
        for attempt in 0..50u32 {
            let step = first.saturating_mul(1 << attempt.min(20)).min(longest);
            let pause = backoff.pause();
            assert!(pause >= step / 2 && pause <= step, "{attempt}: {pause:?}");
        }
        backoff.reset();
        assert!(backoff.pause() <= first);
    }
}

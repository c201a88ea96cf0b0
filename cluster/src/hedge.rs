//! When a slow node's turn is over: a running estimate of the 95th percentile of waiting times.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(1);
const QUANTILE: f64 = 0.95;
/// Share of the estimate by which one sample moves it.
const GAIN: f64 = 0.05;

/// The time after which a read asks a spare node as well; shared by all reads of a process.
///
/// A quantile by stochastic approximation (Robbins and Monro, 1951): a sample above the estimate lifts it by
/// `gain * q`, one below lowers it by `gain * (1 - q)`, so it rests where a share `q` of the samples lies below.
#[derive(Debug)]
pub struct HedgeDelay(AtomicU64);

impl Default for HedgeDelay {
    fn default() -> Self {
        Self(AtomicU64::new(150_000))
    }
}

impl HedgeDelay {
    /// The current delay.
    pub fn get(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed)).clamp(SHORTEST, LONGEST)
    }

    /// Learns from one wait. Racing updates may lose a sample, which an estimate can bear.
    pub fn learn(&self, waited: Duration) {
        let estimate = self.0.load(Ordering::Relaxed) as f64;
        let above = waited.as_micros() as f64 > estimate;
        let step = if above { GAIN * QUANTILE } else { -GAIN * (1.0 - QUANTILE) };
        self.0.store((estimate * (1.0 + step)).clamp(1_000.0, 1_000_000.0) as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_near_the_95th_percentile() {
        let delay = HedgeDelay::default();
        for sample in 0..200_000u64 {
            // 0..200 ms, evenly, in a scattered order.
            delay.learn(Duration::from_millis(sample * 7919 % 200));
        }
        let settled = delay.get().as_millis();
        assert!((170..=200).contains(&settled), "{settled} ms");
    }

    #[test]
    fn stays_within_its_bounds() {
        let delay = HedgeDelay::default();
        (0..10_000).for_each(|_| delay.learn(Duration::ZERO));
        assert_eq!(delay.get(), SHORTEST);
        (0..10_000).for_each(|_| delay.learn(Duration::from_secs(60)));
        assert_eq!(delay.get(), LONGEST);
    }
}

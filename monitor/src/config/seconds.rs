//! Times in configuration files.

use serde::{Deserialize, de};
use std::time::Duration;

/// The longest time that makes sense in a setting.
const LONGEST: f64 = 86_400.0;
/// The shortest one: a loop faster than this is a mistake.
const SHORTEST: f64 = 0.01;

/// A time of 10 ms to one day, written as a number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(Duration);

impl Seconds {
    /// From milliseconds, for defaults.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// The time.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        if (SHORTEST..=LONGEST).contains(&seconds) {
            Ok(Self(Duration::from_secs_f64(seconds)))
        } else {
            Err(de::Error::custom("a time is 0.01 to 86400 seconds"))
        }
    }
}

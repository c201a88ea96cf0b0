//! The world of one seed: its wall clock, which may jump, and its random numbers.

use crate::chance::Chance;
use asterism_service::world::Simulated;
use std::cell::{Cell, RefCell};
use tokio::time::Instant;

/// Any moment; no order rests on it.
const BEGIN_MS: i64 = 1_800_000_000_000;

/// The wall clock and the random numbers of one seed.
pub struct Wall {
    begin: Instant,
    /// How wrong the clock is.
    ahead_ms: Cell<i64>,
    chance: RefCell<Chance>,
}

impl Wall {
    /// A clock that is right.
    pub fn new(chance: Chance) -> Self {
        Self { begin: Instant::now(), ahead_ms: Cell::new(0), chance: RefCell::new(chance) }
    }

    /// Sets the clock forwards, or back.
    pub fn jump(&self, by_ms: i64) {
        self.ahead_ms.set(self.ahead_ms.get() + by_ms);
    }
}

impl Simulated for Wall {
    fn unix_ms(&self) -> i64 {
        BEGIN_MS + self.begin.elapsed().as_millis() as i64 + self.ahead_ms.get()
    }

    fn random(&self) -> u64 {
        self.chance.borrow_mut().number()
    }
}

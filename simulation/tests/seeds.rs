//! Some seeds in every test run; `make simulate` runs many more.

use asterism_service::failpoint::ALL;
use asterism_simulation::{Broken, run};
use std::collections::BTreeSet;

/// About a minute of one processor.
const SEEDS: u64 = 40;

#[test]
fn nothing_acknowledged_is_lost_and_every_failpoint_is_passed() {
    let mut passed = BTreeSet::new();
    for seed in 0..SEEDS {
        let report = run(seed, Broken::Nothing, false);
        assert_eq!(report.violation, None, "replay it with ASTERISM_SEED={seed} make simulate");
        passed.extend(report.hits.into_keys());
    }
    let never: Vec<&str> = ALL.iter().map(|point| point.name).filter(|name| !passed.contains(name)).collect();
    assert_eq!(never, Vec::<&str>::new(), "failpoints that no seed came to");
}

#[test]
fn the_same_seed_tells_the_same_story() {
    for seed in [3, 7] {
        let (one, other) = (run(seed, Broken::Nothing, false), run(seed, Broken::Nothing, false));
        assert_eq!((one.hash, one.lines), (other.hash, other.lines), "seed {seed}");
        assert_ne!(one.hash, run(seed + 1, Broken::Nothing, false).hash);
    }
}

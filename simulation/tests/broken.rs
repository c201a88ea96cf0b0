//! Systems that are wrong on purpose are found within so many seeds: an oracle that finds nothing there proves nothing elsewhere.

use asterism_simulation::{Broken, run};

fn check(broken: Broken, seeds: u64, words: &[&str]) {
    for seed in 0..seeds {
        if let Some(violation) = run(seed, broken, false).violation {
            let says_why = words.iter().any(|word| violation.contains(word));
            assert!(says_why, "{broken:?} was found under seed {seed}, but as something else: {violation}");
            eprintln!(
                "{broken:?}: found under seed {seed}: {}",
                violation.lines().next().unwrap_or_default()
            );
            return;
        }
    }
    panic!("{broken:?} was not found in {seeds} seeds");
}

const LOST: &[&str] = &["not whole", "cannot be read", "is gone"];

#[test]
fn a_node_that_acknowledges_before_its_disk_has_synced_is_found() {
    check(Broken::AcknowledgesBeforeSync, 60, LOST);
}

#[test]
fn bytes_that_nobody_verifies_are_found() {
    check(Broken::TrustsBytes, 60, &["that are none of", "cannot be read", "is not valid"]);
}

#[test]
fn a_deletion_because_of_something_that_was_not_found_is_found() {
    check(Broken::DeletesOnNotFound, 60, LOST);
}

#[test]
fn an_acknowledgement_of_what_was_only_sent_is_found() {
    check(Broken::AcknowledgesWhatWasSent, 60, LOST);
}

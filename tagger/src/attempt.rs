//! Parsers of hostile bytes fail; one failure must stay one failure.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a part of the tagger returns: nobody acts on the kind of failure, people only read it.
pub(crate) type Attempt<T> = Result<T, Box<dyn Error>>;

/// Runs one part. An error or a panic in it is logged under its name and ends this part alone.
///
/// What the part wrote before it panicked is kept, so it may only write to values that are whole after each step.
pub(crate) fn attempt<T>(part: &'static str, work: impl FnOnce() -> Attempt<T>) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Some(value),
        Ok(Err(error)) => {
            tracing::debug!(part, %error, "could not read this part of a file");
            None
        }
        Err(_) => {
            tracing::warn!(part, "a parser panicked on a file");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_ends_its_own_part_alone() {
        let mut written = Vec::new();
        let panicked: Option<()> = attempt("test", || {
            written.push(1);
            panic!("a parser's bug")
        });
        assert_eq!((panicked, written), (None, vec![1]));
        assert_eq!(attempt("test", || Err::<u8, _>("broken".into())), None);
        assert_eq!(attempt("test", || Ok(7)), Some(7));
    }
}

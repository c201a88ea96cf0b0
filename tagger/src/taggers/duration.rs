//! How long a recording is, as a class.

use std::time::Duration;

use super::Subject;
use crate::attempt::Attempt;
use crate::tag::{Kind, TagSet};

const SCORE: f32 = 0.9;

pub(super) fn tag(subject: &Subject<'_>, tags: &mut TagSet) -> Attempt<()> {
    if let Some(length) = subject.facts.duration {
        tags.add(Kind::Duration, class(length), SCORE, format!("{} seconds", length.as_secs()));
    }
    Ok(())
}

/// A sound, a song, a side of a record, a concert.
fn class(length: Duration) -> &'static str {
    match length.as_secs() {
        0..60 => "short",
        60..600 => "medium",
        600..3600 => "long",
        3600.. => "very long",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_meet_at_their_bounds() {
        let check = |seconds, name| assert_eq!(class(Duration::from_secs(seconds)), name);
        check(0, "short");
        check(60, "medium");
        check(3599, "long");
        check(u64::MAX, "very long");
    }
}

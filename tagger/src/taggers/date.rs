//! The year and month of a file: when its content was made, or else when it was last changed.

use super::Subject;
use crate::attempt::Attempt;
use crate::date::Date;
use crate::tag::{Kind, TagSet};

const SCORE_CREATED: f32 = 0.9;
/// Copying and unpacking change it.
const SCORE_MODIFIED: f32 = 0.5;

pub(super) fn tag(subject: &Subject<'_>, tags: &mut TagSet) -> Attempt<()> {
    let (date, score, evidence) = match subject.facts.created {
        Some((date, evidence)) => (Some(date), SCORE_CREATED, evidence),
        None => (Date::from_unix_ms(subject.input.modified_ms), SCORE_MODIFIED, "last change"),
    };
    for name in date.into_iter().flat_map(Date::names) {
        tags.add(Kind::Date, &name, score, evidence);
    }
    Ok(())
}

//! The type and format tags.

use super::Subject;
use crate::attempt::Attempt;
use crate::tag::{Kind, TagSet};

/// A narrower class ("spreadsheet" beside "document") is as true but less asked for.
const NARROWER: f32 = 0.95;
/// What the name says a container carries.
const SCORE_INNER: f32 = 0.6;

pub(super) fn tag(subject: &Subject<'_>, tags: &mut TagSet) -> Attempt<()> {
    let format = &subject.format;
    for (index, class) in format.classes.iter().enumerate() {
        let score = if index == 0 { format.score } else { format.score * NARROWER };
        tags.add(Kind::Type, class, score, format.evidence.as_str());
    }
    tags.add(Kind::Format, &format.name, format.score, format.evidence.as_str());
    if let Some(inner) = format.inner {
        tags.add(Kind::Format, inner, SCORE_INNER, "name of the compressed file");
    }
    Ok(())
}

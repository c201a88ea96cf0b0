//! The language of a text.

use super::Subject;
use crate::attempt::Attempt;
use crate::language::detect;
use crate::tag::{Kind, TagSet};

pub(super) fn tag(subject: &Subject<'_>, tags: &mut TagSet) -> Attempt<()> {
    if let Some(language) = detect(subject.facts.text()) {
        let score = language.confidence * 0.95; // Nobody but the author is sure.
        tags.add(Kind::Language, language.code, score, format!("text in {}", language.name));
    }
    Ok(())
}

//! The words of the file's name: what a person already said of it.

use super::Subject;
use crate::attempt::Attempt;
use crate::tag::{Kind, TagSet};
use crate::words::words;

const SCORE: f32 = 0.7;
/// A name with more words than this is a sentence.
const WORDS_MAX: usize = 10;

pub(super) fn tag(subject: &Subject<'_>, tags: &mut TagSet) -> Attempt<()> {
    let stem = subject.input.stem();
    let stem = stem.strip_suffix(".tar").unwrap_or(stem); // The second half of an extension.
    for word in words(stem).iter().take(WORDS_MAX) {
        tags.add(Kind::Keyword, word, SCORE, "file name");
    }
    Ok(())
}

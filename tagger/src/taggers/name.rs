//! The words of the file's name: what a person already said of it.

use super::Subject;
use crate::attempt::Attempt;
use crate::tag::{Kind, TagSet};
use crate::words::words;

const SCORE: f32 = 0.7;
/// A name with more words than this is a sentence.
const WORDS_MAX: usize = 10;

pub(super) fn tag(subject: &Subject<'_>, tags: &mut TagSet) -> Attempt<()> {
    for word in words(subject.input.stem()).iter().take(WORDS_MAX) {
        tags.add(Kind::Keyword, word, SCORE, "file name");
    }
    Ok(())
}

//! Titles, authors, artists, albums, genres: what a file says of itself in its own metadata.

use super::Subject;
use crate::attempt::Attempt;
use crate::stop_words::is_stop_word;
use crate::tag::{Kind, TagSet};
use crate::words::words;

const SCORE_PERSON: f32 = 0.9;
const SCORE_PHRASE: f32 = 0.85;
const SCORE_TITLE_WORD: f32 = 0.75;
/// A longer title is an abstract.
const TITLE_WORDS_MAX: usize = 10;

/// What programs write where nobody wrote anything.
const NOBODY: &[&str] = &[
    "unknown",
    "unknown artist",
    "anonymous",
    "user",
    "admin",
    "administrator",
    "author",
    "owner",
    "none",
    "n/a",
    "root",
];

const UNTITLED: &[&str] =
    &["powerpoint presentation", "presentation", "document", "untitled", "word document", "slide"];

pub(super) fn tag(subject: &Subject<'_>, tags: &mut TagSet) -> Attempt<()> {
    let facts = &subject.facts;
    for person in facts.people.iter().filter(|person| !is_nobody(&person.text)) {
        tags.add(Kind::Person, &person.text, SCORE_PERSON, person.evidence);
    }
    for phrase in facts.phrases.iter().filter(|phrase| !is_stop_word(&phrase.text.to_lowercase())) {
        tags.add(Kind::Keyword, &phrase.text, SCORE_PHRASE, phrase.evidence);
    }
    for title in facts.titles.iter().filter(|title| !is_untitled(&title.text)) {
        for word in words(&title.text).iter().take(TITLE_WORDS_MAX) {
            tags.add(Kind::Keyword, word, SCORE_TITLE_WORD, title.evidence);
        }
    }
    Ok(())
}

/// Titles that a program gave.
fn is_untitled(title: &str) -> bool {
    let title = title.to_lowercase();
    UNTITLED.contains(&title.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' '))
}

fn is_nobody(name: &str) -> bool {
    let name = name.to_lowercase();
    NOBODY.contains(&name.as_str()) || !name.chars().any(char::is_alphabetic)
}

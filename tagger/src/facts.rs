//! What the readers get out of a file's bytes, before anybody decides on tags.

use std::time::Duration;

use crate::date::Date;
use crate::tag::cut;

/// Language and keywords show within this much text; more only costs time.
pub(crate) const TEXT_BYTES_MAX: usize = 128 << 10;
/// A title, a name or a genre is a line, not a page.
const PHRASE_BYTES_MAX: usize = 300;
/// Nobody looks for the hundredth author.
const PHRASES_MAX: usize = 20;

/// The findings of a reader. Every step leaves it whole: a reader may fail anywhere.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// The words of the document, at most [`TEXT_BYTES_MAX`] bytes.
    text: String,
    /// Phrases that are tags as they stand (album, genre, a document's own keywords), and where they stood.
    pub(crate) phrases: Vec<Phrase>,
    /// Titles, of which the words are tags.
    pub(crate) titles: Vec<Phrase>,
    /// Authors and artists.
    pub(crate) people: Vec<Phrase>,
    /// When the content was made, and what says so.
    pub(crate) created: Option<(Date, &'static str)>,
    /// Make, and make with model.
    pub(crate) cameras: Vec<String>,
    /// Where the picture was taken.
    pub(crate) place: Option<Coordinates>,
    /// How long the sound is.
    pub(crate) duration: Option<Duration>,
}

/// A short text and where it stood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Phrase {
    pub(crate) text: String,
    pub(crate) evidence: &'static str,
}

/// Degrees; north and east are positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Coordinates {
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
}

impl Facts {
    /// The words of the document.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Appends to the text until it is full; says whether there is room for more.
    pub(crate) fn push_text(&mut self, more: &str) -> bool {
        let room = TEXT_BYTES_MAX - self.text.len();
        let part = cut(more, room);
        self.text.push_str(part);
        part.len() == more.len() && self.text.len() < TEXT_BYTES_MAX
    }

    /// The people of a list such as "A. Author; B. Writer".
    pub(crate) fn push_people(&mut self, names: &str, evidence: &'static str) {
        let names = cut(names, PHRASE_BYTES_MAX).split([';', '\n', '\0']);
        names.for_each(|name| push(&mut self.people, name, evidence));
    }

    /// The phrases of a list such as "storage, erasure codes".
    pub(crate) fn push_phrases(&mut self, phrases: &str, evidence: &'static str) {
        let phrases = cut(phrases, PHRASE_BYTES_MAX).split([';', ',', '、', '，', '；', '\n', '\0']);
        phrases.for_each(|phrase| push(&mut self.phrases, phrase, evidence));
    }

    /// A phrase that is one even with a comma in it.
    pub(crate) fn push_phrase(&mut self, phrase: &str, evidence: &'static str) {
        push(&mut self.phrases, phrase, evidence);
    }

    /// A title.
    pub(crate) fn push_title(&mut self, title: &str, evidence: &'static str) {
        push(&mut self.titles, title, evidence);
    }

    /// The date of a text, unless one is known already.
    pub(crate) fn set_created(&mut self, date: &str, evidence: &'static str) {
        if self.created.is_none() {
            self.created = Date::parse(date).map(|date| (date, evidence));
        }
    }
}

fn push(list: &mut Vec<Phrase>, text: &str, evidence: &'static str) {
    let text = cut(text.trim(), PHRASE_BYTES_MAX);
    if !text.is_empty() && list.len() < PHRASES_MAX {
        list.push(Phrase { text: text.to_owned(), evidence });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_taken_until_it_is_full() {
        let mut facts = Facts::default();
        assert!(facts.push_text("some"));
        assert!(!facts.push_text(&"长".repeat(TEXT_BYTES_MAX)));
        assert!(facts.text().len() > TEXT_BYTES_MAX - 3 && facts.text().len() <= TEXT_BYTES_MAX);
        assert!(!facts.push_text("more"));
    }

    #[test]
    fn lists_are_split_and_bounded() {
        let mut facts = Facts::default();
        facts.push_people(" A. Author; ;B. Writer\n", "author");
        assert_eq!(
            facts.people.iter().map(|person| person.text.as_str()).collect::<Vec<_>>(),
            ["A. Author", "B. Writer"]
        );
        facts.push_phrases(&"a,".repeat(1000), "keywords");
        assert_eq!(facts.phrases.len(), PHRASES_MAX);
    }
}

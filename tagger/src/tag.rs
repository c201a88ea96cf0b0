//! What a tagger says of a file, in the shape the rest of Asterism keeps it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A file never carries more automatic tags than this: a person must be able to read them all.
pub const TAGS_MAX: usize = 40;
/// Longer names are cut at a character boundary; the tag graph's key column has room for exactly this.
pub const TAG_NAME_BYTES_MAX: usize = 64;
/// Evidence is a phrase for people, not a copy of the file.
pub const EVIDENCE_BYTES_MAX: usize = 120;

/// What sort of thing a tag names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A word or phrase that the content or the name is about.
    Keyword,
    /// The broad class: image, audio, document, archive…
    Type,
    /// The exact format: jpeg, docx, flac…
    Format,
    /// An author or artist.
    Person,
    /// Where a picture was taken.
    Place,
    /// A year (`2024`) or a month (`2024-05`).
    Date,
    /// An ISO 639-1 language code.
    Language,
    /// The make and model of a camera.
    Camera,
    /// The dominant colour of an image.
    Colour,
    /// A size class: tiny, small, medium, large, huge.
    Size,
    /// A length class of audio: short, medium, long, very long.
    Duration,
    /// A tag that a person gave; no tagger makes one.
    User,
}

impl Kind {
    /// The name that databases, queries and JSON use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keyword => "keyword",
            Self::Type => "type",
            Self::Format => "format",
            Self::Person => "person",
            Self::Place => "place",
            Self::Date => "date",
            Self::Language => "language",
            Self::Camera => "camera",
            Self::Colour => "colour",
            Self::Size => "size",
            Self::Duration => "duration",
            Self::User => "user",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One thing a tagger found, and why it thinks so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tag {
    /// Normalised by [`normalise`]: lower-case, trimmed, at most [`TAG_NAME_BYTES_MAX`] bytes, never empty.
    pub name: String,
    /// What sort of thing the name is.
    pub kind: Kind,
    /// How sure the tagger is, from 0 to 1.
    pub score: f32,
    /// Where it was found, in words for people.
    pub evidence: String,
}

/// The one spelling of a tag's name, or `None` when nothing readable is left.
///
/// ```
/// assert_eq!(asterism_tagger::normalise("  Canon\t EOS  5D\0 ").as_deref(), Some("canon eos 5d"));
/// assert_eq!(asterism_tagger::normalise(" \u{7} "), None);
/// ```
pub fn normalise(name: &str) -> Option<String> {
    let mut normal = String::with_capacity(name.len().min(TAG_NAME_BYTES_MAX));
    for word in name.split(|c: char| c.is_whitespace() || c.is_control()) {
        let separator = usize::from(!normal.is_empty());
        for (index, character) in
            word.chars().filter(|&c| !is_invisible(c)).flat_map(char::to_lowercase).enumerate()
        {
            let needed = character.len_utf8() + if index == 0 { separator } else { 0 };
            if normal.len() + needed > TAG_NAME_BYTES_MAX {
                return Some(normal);
            }
            if index == 0 && separator == 1 {
                normal.push(' ');
            }
            normal.push(character);
        }
    }
    (!normal.is_empty()).then_some(normal)
}

/// Characters that show nothing or turn the reading direction: two tags that look alike must be alike.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fffd}')
}

/// The tags of one file, each `(kind, name)` once with its best score.
#[derive(Debug, Default)]
pub(crate) struct TagSet {
    tags: BTreeMap<(Kind, String), Tag>,
}

impl TagSet {
    /// Adds a tag under its normal name; a name with nothing readable is dropped.
    pub(crate) fn add(&mut self, kind: Kind, name: &str, score: f32, evidence: impl Into<String>) {
        let Some(name) = normalise(name) else { return };
        let score = if score.is_finite() { score.clamp(0.0, 1.0) } else { 0.0 };
        let known = self.tags.get(&(kind, name.clone()));
        if known.is_some_and(|known| known.score >= score) {
            return;
        }
        let evidence = cut(&evidence.into(), EVIDENCE_BYTES_MAX).to_owned();
        self.tags.insert((kind, name.clone()), Tag { name, kind, score, evidence });
    }

    /// Adds tags that came from elsewhere and may not be normal.
    pub(crate) fn extend(&mut self, tags: impl IntoIterator<Item = Tag>) {
        for tag in tags {
            self.add(tag.kind, &tag.name, tag.score, tag.evidence);
        }
    }

    /// The best [`TAGS_MAX`] tags, surest first; ties are in order of kind and name, so equal files get equal lists.
    pub(crate) fn into_best(self) -> Vec<Tag> {
        let mut tags: Vec<Tag> = self.tags.into_values().collect();
        tags.sort_by(|a, b| b.score.total_cmp(&a.score)); // Stable: keeps the map's order among equals.
        tags.truncate(TAGS_MAX);
        tags
    }
}

/// The longest prefix of at most `bytes_max` bytes that ends at a character boundary.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let end = (0..=bytes_max).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(name: &str, normal: Option<&str>) {
        assert_eq!(normalise(name).as_deref(), normal, "{name:?}");
    }

    #[test]
    fn names_are_trimmed_lowered_and_single_spaced() {
        check("  Hello \t\n World ", Some("hello world"));
        check("ÄÖÜ", Some("äöü"));
        check("标签", Some("标签"));
        check("a\0b", Some("a b"));
        check("zero\u{200b}width", Some("zerowidth"));
        check("\u{202e}\u{7}", None);
        check("", None);
    }

    #[test]
    fn long_names_end_at_a_character() {
        let normal = normalise(&"标".repeat(100)).unwrap();
        assert_eq!(normal, "标".repeat(21));
        assert_eq!(normalise(&"word ".repeat(30)).unwrap().len(), 64);
    }

    proptest! {
        #[test]
        fn a_normal_name_is_bounded_and_stays_itself(name in any::<String>()) {
            if let Some(normal) = normalise(&name) {
                prop_assert!(!normal.is_empty() && normal.len() <= TAG_NAME_BYTES_MAX);
                prop_assert!(!normal.chars().any(char::is_control));
                prop_assert_eq!(normal.trim(), normal.as_str());
            }
        }
    }

    #[test]
    fn the_best_score_of_a_name_wins() {
        let mut set = TagSet::default();
        set.add(Kind::Keyword, "Star", 0.4, "name");
        set.add(Kind::Keyword, "star", 0.8, "text");
        set.add(Kind::Keyword, "STAR", 0.6, "title");
        set.add(Kind::Type, "star", f32::NAN, "odd");
        let tags = set.into_best();
        assert_eq!(tags.len(), 2);
        assert_eq!((tags[0].name.as_str(), tags[0].score, tags[0].evidence.as_str()), ("star", 0.8, "text"));
        assert_eq!(tags[1].score, 0.0);
    }

    #[test]
    fn only_the_best_tags_are_kept() {
        let mut set = TagSet::default();
        for index in 0..200_u8 {
            set.add(Kind::Keyword, &format!("word{index}"), f32::from(index) / 200.0, "");
        }
        let tags = set.into_best();
        assert_eq!(tags.len(), TAGS_MAX);
        assert!(tags.iter().all(|tag| tag.score >= 0.8));
    }

    #[test]
    fn kinds_are_spelled_alike_everywhere() {
        for kind in [Kind::Keyword, Kind::Language, Kind::Colour, Kind::User] {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
    }
}

//! Tags, and what is said when a file carries one.

use super::UserName;
use serde::{Deserialize, Serialize};

/// Longest kind of a tag, and name and version of a tagger.
const LABEL_BYTES_MAX: usize = 32;

/// Not a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// Nothing readable is left of the name.
    #[error("a tag needs a name")]
    Name,
    /// Kinds are for programs.
    #[error("a kind of tag is 1 to 32 of a-z, 0-9, '_' and '-'")]
    Kind,
}

/// A vertex of the tag graph. Names that differ in case or spacing only are one name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tag {
    pub(super) kind: String,
    pub(super) name: String,
}

impl Tag {
    /// The tag of this kind and name, in its one spelling.
    ///
    /// # Errors
    /// The kind is none, or the name has nothing readable.
    pub fn new(kind: &str, name: &str) -> std::result::Result<Self, TagError> {
        if !is_label(kind) {
            return Err(TagError::Kind);
        }
        let name = asterism_tagger::normalise(name).ok_or(TagError::Name)?;
        Ok(Self { kind: kind.to_owned(), name })
    }

    /// What sort of thing it names: `keyword`, `type`, `user`…
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// In lower case.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Short and plain: for programs, not for people.
pub(super) fn is_label(text: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"_-.".contains(&c);
    (1..=LABEL_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

/// What a tagger found.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightedTag {
    /// The tag.
    pub tag: Tag,
    /// From 0 to 1.
    pub score: f64,
    /// Where it was found, for people.
    pub evidence: String,
}

impl WeightedTag {
    /// What a tagger found; the name is brought into its one spelling.
    ///
    /// # Errors
    /// The kind is none, or the name has nothing readable.
    pub fn new(kind: &str, name: &str, score: f64, evidence: &str) -> std::result::Result<Self, TagError> {
        Ok(Self { tag: Tag::new(kind, name)?, score, evidence: evidence.to_owned() })
    }
}

/// What people say to a tagging.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TagState {
    /// Nothing yet.
    Suggested,
    /// It is right.
    Confirmed,
    /// It is wrong; kept, so that the tagger does not bring it again.
    Rejected,
}

impl TryFrom<i64> for TagState {
    type Error = ();
    fn try_from(state: i64) -> std::result::Result<Self, ()> {
        [Self::Suggested, Self::Confirmed, Self::Rejected]
            .into_iter()
            .find(|known| *known as i64 == state)
            .ok_or(())
    }
}

/// The edge between a file and a tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tagging {
    /// The tag.
    pub tag: Tag,
    /// Which tagger, or `user`.
    pub source: String,
    /// Of the tagger.
    pub version: String,
    /// From 0 to 1.
    pub score: f64,
    /// Where it was found, for people.
    pub evidence: String,
    /// What people say to it.
    pub state: TagState,
    /// Who said so.
    pub by_user: Option<UserName>,
}

/// A tag and how many files carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagCount {
    /// The tag.
    pub tag: Tag,
    /// Files of one owner.
    pub files: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling() {
        let tag = |kind, name| Tag::new(kind, name).map(|tag| tag.name().to_owned());
        assert_eq!(tag("user", "  Holiday\t2024 "), Ok("holiday 2024".to_owned()));
        assert_eq!(tag("user", "'; DROP TABLE tags;--"), Ok("'; drop table tags;--".to_owned()));
        assert_eq!(tag("user", " \u{7} "), Err(TagError::Name));
        for bad in ["", "User", "a b", "x'", &"k".repeat(33)] {
            assert_eq!(tag(bad, "x"), Err(TagError::Kind), "{bad:?}");
        }
    }
}

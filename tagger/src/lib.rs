//! The built-in tagger: what a file is and what it is about, from its own bytes and name.
//!
//! [`tag`] runs a union of small taggers over the beginning of a file: type and format by content, size class, date,
//! words of the name, language and keywords of text, camera, date and place of pictures, title and author of documents,
//! artist, album, genre and length of sound. One that fails is logged and stops no other.
//!
//! Files are hostile. A server therefore never calls [`tag`] on a stranger's content in its own process: a [`Pool`] does,
//! in child processes that run [`worker::run`] under hard limits. When a child dies on a file, [`tag_by_name`] says what
//! can be said without its content.

mod attempt;
mod classes;
mod date;
mod encoding;
mod extensions;
mod facts;
mod format;
mod input;
mod language;
mod magic;
mod plain;
mod pool;
mod readers;
mod stop_words;
mod tag;
mod taggers;
mod wire;
mod words;
pub mod worker;

pub use input::{CONTENT_BYTES_MAX, Input};
pub use pool::{Pool, TagError};
pub use tag::{EVIDENCE_BYTES_MAX, Kind, TAG_NAME_BYTES_MAX, TAGS_MAX, Tag, normalise};
pub use wire::Request;

use taggers::Subject;

/// The name of this tagger, in the provenance of each of its tags.
pub const TAGGER: &str = "builtin";
/// Its version: raised whenever the same file may get other tags, so that files can be tagged again.
pub const VERSION: &str = "1";

/// All tags of a file, surest first: at most [`TAGS_MAX`], each `(kind, name)` once.
///
/// Parses hostile bytes in this process, with what time and memory that takes; servers go through a [`Pool`].
pub fn tag(input: Input<'_>) -> Vec<Tag> {
    Subject::read(input).tags().into_best()
}

/// The tags that need no content: type and format by extension, size class, date of the last change, words of the name.
pub fn tag_by_name(name: &str, size: u64, modified_ms: i64) -> Vec<Tag> {
    Subject::unread(Input::new(name, size, modified_ms, &[])).tags().into_best()
}

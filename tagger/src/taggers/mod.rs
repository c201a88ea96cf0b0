//! The small taggers, one file each. Every one sees the whole subject; none can stop another.

mod camera;
mod credits;
mod date;
mod duration;
mod format;
mod keywords;
mod language;
mod name;
mod place;
mod size;

use crate::attempt::{Attempt, attempt};
use crate::facts::Facts;
use crate::format::Format;
use crate::input::Input;
use crate::readers;
use crate::tag::TagSet;

/// A file with everything that is known of it.
pub(crate) struct Subject<'a> {
    pub(crate) input: Input<'a>,
    pub(crate) format: Format,
    pub(crate) facts: Facts,
}

type Tagger = fn(&Subject<'_>, &mut TagSet) -> Attempt<()>;

const TAGGERS: &[(&str, Tagger)] = &[
    ("format", format::tag),
    ("size", size::tag),
    ("date", date::tag),
    ("name", name::tag),
    ("camera", camera::tag),
    ("place", place::tag),
    ("credits", credits::tag),
    ("duration", duration::tag),
    ("language", language::tag),
    ("keywords", keywords::tag),
];

impl<'a> Subject<'a> {
    /// Looks at the content: what it is, and what it says.
    pub(crate) fn read(input: Input<'a>) -> Self {
        let format = attempt("recognise", || Ok(crate::format::recognise(&input)));
        let format = format.unwrap_or_else(|| crate::format::by_name(&input));
        let facts = readers::read(&input, format.shape);
        Self { input, format, facts }
    }

    /// Leaves the content alone.
    pub(crate) fn unread(input: Input<'a>) -> Self {
        let format = crate::format::by_name(&input);
        Self { input, format, facts: Facts::default() }
    }

    /// The union of what all taggers say.
    pub(crate) fn tags(&self) -> TagSet {
        let mut tags = TagSet::default();
        for &(name, tagger) in TAGGERS {
            let _failed_tagger = attempt(name, || tagger(self, &mut tags));
        }
        tags
    }
}

//! The search language: from what a person typed to a syntax tree, without touching anything else.
//!
//! `docs/search.md` describes the language for people. The grammar:
//!
//! ```text
//! query      = [ either ]
//! either     = both { "OR" both }
//! both       = negation { [ "AND" ] negation }
//! negation   = ( "NOT" | "-" ) negation | "(" either ")" | term
//! term       = text | key ":" text          text = word | '"' … '"'
//! ```
//!
//! Every query prints ([`std::fmt::Display`]) in one canonical form that parses back to the same tree
//! (unless it is longer than a query may be: a short `date:2024` names both its days when printed).

mod date;
mod display;
mod error;
mod folder;
mod lexer;
mod parser;
mod size;
#[cfg(test)]
mod tests;

pub use date::DateRange;
pub use error::{Problem, QueryError};
pub use folder::Folder;
pub use size::SizeRange;

/// A search box is no place for more, and each term costs the database work.
pub const QUERY_BYTES_MAX: usize = 2 << 10;
/// Parentheses and negations inside each other: the parser and all readers of the tree recurse this deep.
pub const DEPTH_MAX: usize = 32;
/// Words and `key:value` pairs of one query.
pub const TERMS_MAX: usize = 64;
/// Longer than any kind of tag.
pub const KIND_BYTES_MAX: usize = 32;

/// What to look for: any file at all, or those that an expression is true of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Nothing when the text was empty.
    pub expression: Option<Expression>,
}

/// Conditions and how they are joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// One condition.
    Term(Term),
    /// True where the inner one is not.
    Not(Box<Expression>),
    /// Two or more, none of them an `And`: all must be true.
    And(Vec<Expression>),
    /// Two or more, none of them an `Or`: one must be true.
    Or(Vec<Expression>),
}

/// One condition on a file. Texts are as typed: the reader folds their case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// Part of the file's name, or the whole name of one of its tags.
    Word(String),
    /// Part of the file's name.
    Name(String),
    /// The whole name of a tag of any kind.
    Tag(String),
    /// The whole name of a tag of this kind.
    KindTag {
        /// A lower-case identifier.
        kind: String,
        /// The tag's name.
        name: String,
    },
    /// The name of the user whose file it is.
    Owner(String),
    /// Somewhere below this folder.
    Below(Folder),
    /// How long the content is.
    Size(SizeRange),
    /// When the file was last changed here, or the date that it carries as a tag.
    Date(DateRange),
}

/// Reads a query. Never panics, whatever the text.
pub fn parse(text: &str) -> Result<Query, QueryError> {
    if text.len() > QUERY_BYTES_MAX {
        return Err(QueryError { position: 0, problem: Problem::TooLong });
    }
    let tokens = lexer::tokens(text)?;
    parser::parse(tokens, text.chars().count())
}

impl std::str::FromStr for Query {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        parse(text)
    }
}

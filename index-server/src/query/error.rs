//! What can be wrong with a query, in words for the person who typed it.

use super::{DEPTH_MAX, QUERY_BYTES_MAX, TERMS_MAX};

/// A query that cannot be read, and where the trouble begins.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {}: {problem}", position + 1)]
pub struct QueryError {
    /// In characters (Unicode scalar values) from the start of the text.
    pub position: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// One kind of mistake; its text is a clause that can follow "at character 7:".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Above [`QUERY_BYTES_MAX`].
    #[error("the query is longer than {QUERY_BYTES_MAX} bytes")]
    TooLong,
    /// Above [`TERMS_MAX`].
    #[error("the query has more than {TERMS_MAX} words and conditions")]
    TooManyTerms,
    /// Above [`DEPTH_MAX`].
    #[error("parentheses and negations go deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// A control character other than white space between words.
    #[error("control characters cannot be searched for")]
    ControlCharacter,
    /// A `"` without its partner.
    #[error("this quotation mark is never closed")]
    UnclosedQuote,
    /// Nothing between two quotation marks.
    #[error("there is nothing between the quotation marks")]
    EmptyQuote,
    /// A `(` without its partner.
    #[error("this parenthesis is never closed")]
    UnclosedParenthesis,
    /// A `)` without its partner.
    #[error("this parenthesis was never opened")]
    UnopenedParenthesis,
    /// `()`.
    #[error("there is nothing between the parentheses")]
    EmptyParentheses,
    /// `AND`, `OR` or `NOT` with nothing where its condition should be.
    #[error("{operator} needs a condition {side} it (quote it to search for the word itself)")]
    MissingOperand {
        /// The operator.
        operator: &'static str,
        /// `before` or `after`.
        side: &'static str,
    },
    /// `key:` at the end of a word.
    #[error("`{key}:` needs a value, without a space in between")]
    MissingValue {
        /// The key as typed.
        key: String,
    },
    /// `size:` with something else than a size.
    #[error("`{value}` is no size: write 500, 10k, 1.5MB, 2GiB, with >, >=, <, <= or a range like 1k..2M")]
    NoSize {
        /// The value as typed.
        value: String,
    },
    /// `date:` with something else than a date.
    #[error(
        "`{value}` is no date: write 2024, 2024-05 or 2024-05-31, with >, >=, <, <= or a range like 2024-01..2024-03"
    )]
    NoDate {
        /// The value as typed.
        value: String,
    },
    /// A range that ends before it starts.
    #[error("no value lies in `{value}`: its end comes before its start")]
    EmptyRange {
        /// The value as typed.
        value: String,
    },
    /// `path:` with something else than an absolute path.
    #[error("`{value}` is no folder: write its path from the root, like /photos/2024")]
    NoFolder {
        /// The value as typed.
        value: String,
    },
}

//! The canonical form of a query: what it means, spelled one way.

use std::fmt::{self, Display, Formatter, Write};

use super::lexer::stands_bare;
use super::{Expression, Query, Term};

impl Display for Query {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.expression.iter().try_for_each(|expression| expression.fmt(formatter))
    }
}

impl Display for Expression {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Term(term) => term.fmt(formatter),
            Self::Not(inner) => {
                formatter.write_char('-')?;
                inner.fmt_inside(formatter, matches!(**inner, Self::And(_) | Self::Or(_)))
            }
            Self::And(parts) => join(formatter, parts, " ", |part| matches!(part, Self::Or(_))),
            Self::Or(parts) => join(formatter, parts, " OR ", |_| false),
        }
    }
}

impl Expression {
    fn fmt_inside(&self, formatter: &mut Formatter<'_>, parentheses: bool) -> fmt::Result {
        if parentheses { write!(formatter, "({self})") } else { self.fmt(formatter) }
    }
}

fn join(
    formatter: &mut Formatter<'_>,
    parts: &[Expression],
    separator: &str,
    parentheses: fn(&Expression) -> bool,
) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            formatter.write_str(separator)?;
        }
        part.fmt_inside(formatter, parentheses(part))?;
    }
    Ok(())
}

impl Display for Term {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(text) => text_fmt(formatter, text),
            Self::Name(name) => pair(formatter, "name", name),
            Self::Tag(name) => pair(formatter, "tag", name),
            Self::KindTag { kind, name } => pair(formatter, kind, name),
            Self::Owner(name) => pair(formatter, "owner", name),
            Self::Below(folder) => pair(formatter, "path", &folder.to_string()),
            Self::Size(range) => write!(formatter, "size:{range}"),
            Self::Date(range) => write!(formatter, "date:{range}"),
        }
    }
}

fn pair(formatter: &mut Formatter<'_>, key: &str, value: &str) -> fmt::Result {
    write!(formatter, "{key}:")?;
    text_fmt(formatter, value)
}

fn text_fmt(formatter: &mut Formatter<'_>, text: &str) -> fmt::Result {
    if stands_bare(text) {
        return formatter.write_str(text);
    }
    write!(formatter, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

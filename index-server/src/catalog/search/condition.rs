//! Conditions: what a query asks for, as SQL.

use super::super::{
    UserName,
    piece::{Piece, Value},
};
use super::{folded, terms::Known};
use crate::query::{DateRange, Expression, SizeRange, Term};
use time::{Date, Duration};

/// A condition on the file `e`.
pub(super) type Condition = Piece;

impl Condition {
    /// The parts, each in parentheses.
    pub(super) fn join(parts: Vec<Self>, operator: &str) -> Self {
        Self::joined(
            parts.into_iter().map(|part| Self { text: format!("({})", part.text), ..part }),
            operator,
        )
    }

    /// What a query asks for.
    pub(super) fn of(expression: &Expression, known: &Known<'_>) -> Self {
        let all = |parts: &[Expression]| parts.iter().map(|part| Self::of(part, known)).collect();
        match expression {
            Expression::Term(term) => Self::of_term(term, known),
            Expression::Not(inner) => {
                let Self { text, values } = Self::of(inner, known);
                Self { text: format!("NOT ({text})"), values }
            }
            Expression::And(parts) => Self::join(all(parts), " AND "),
            Expression::Or(parts) => Self::join(all(parts), " OR "),
        }
    }

    fn of_term(term: &Term, known: &Known<'_>) -> Self {
        match term {
            Term::Word(word) => Self::join(vec![Self::name(word), known.tagged(term)], " OR "),
            Term::Name(part) => Self::name(part),
            Term::Tag(_) | Term::KindTag { .. } => known.tagged(term),
            Term::Owner(name) => match name.to_lowercase().parse::<UserName>() {
                Ok(user) => Self::one("e.owner = ?", Value::Text(user.into())),
                Err(_) => Self::nothing(),
            },
            Term::Below(folder) => known.below(term, folder),
            Term::Size(range) => Self::size("(SELECT c.size FROM contents c WHERE c.id = e.content)", range),
            Term::Date(range) => Self::join(vec![Self::modified(range), Self::date_tag(range)], " OR "),
        }
    }

    /// True of no file.
    pub(super) fn nothing() -> Self {
        Self::constant("1 = 0")
    }

    /// `INSTR` takes every byte for itself: there is nothing to escape.
    fn name(part: &str) -> Self {
        Self::one("INSTR(e.name_folded, ?) > 0", Value::Bytes(folded(part)))
    }

    /// True of a file that carries one of the tags in the list, unless a person rejected it.
    pub(super) fn tagged(list: Piece) -> Self {
        Self::constant("EXISTS (SELECT 1 FROM taggings g WHERE g.entry = e.id AND g.tag IN ")
            .and_then(list)
            .and_then(Self::constant(" AND g.state <> 2)"))
    }

    /// True where `size`, a column or more, lies in the range.
    pub(super) fn size(size: &str, range: &SizeRange) -> Self {
        // A range holds no number above what the column can: see `SizeRange::new`.
        let number = |bytes: u64| Value::Number(i64::try_from(bytes).unwrap_or(i64::MAX));
        let highest = range.bytes_max().map_or(Value::Number(i64::MAX), number);
        Self::many(&format!("{size} BETWEEN ? AND ?"), [number(range.bytes_min()), highest])
    }

    fn modified(range: &DateRange) -> Self {
        let from = range.from().map_or(i64::MIN, unix_ms);
        let until = range.until().map_or(i64::MAX, unix_ms);
        Self::many("e.modified_ms >= ? AND e.modified_ms < ?", [Value::Number(from), Value::Number(until)])
    }

    /// A tag like `2024`, `2024-05` or `2024-05-31` counts when all its days lie in the range.
    fn date_tag(range: &DateRange) -> Self {
        let spelled_with = |bytes: usize| {
            let from = range.from().map(|day| spelled(first_whole(day, bytes), bytes)).unwrap_or_default();
            let until = range.until().map_or("~".to_owned(), |day| spelled(day, bytes)); // After all digits.
            let values = [from, until].map(|name| Value::Bytes(name.into_bytes()));
            Self::many(&format!("LENGTH(t.name) = {bytes} AND t.name >= ? AND t.name < ?"), values)
        };
        let Self { text, values } = Self::join([4, 7, 10].map(spelled_with).into(), " OR ");
        Self::tagged(Self {
            text: format!("(SELECT t.id FROM tags t WHERE t.kind = 'date' AND ({text}))"),
            values,
        })
    }
}

fn unix_ms(day: Date) -> i64 {
    day.midnight().assume_utc().unix_timestamp() * 1000
}

/// The front of `2024-05-31`, so many bytes of it: the year, month or day that `day` lies in.
fn spelled(day: Date, bytes: usize) -> String {
    let (year, month, day) = day.to_calendar_date();
    let mut text = format!("{year:04}-{:02}-{day:02}", u8::from(month));
    text.truncate(bytes);
    text
}

/// A day of the first year, month or day (by the length of its spelling) that begins on `day` or later.
fn first_whole(day: Date, bytes: usize) -> Date {
    let later = match bytes {
        4 if day.ordinal() > 1 => Date::from_ordinal_date(day.year() + 1, 1).ok(),
        7 if day.day() > 1 => day.replace_day(1).ok().and_then(|first| first.checked_add(Duration::days(31))),
        _ => Some(day),
    };
    later.unwrap_or(Date::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn a_span_counts_from_where_it_begins() {
        assert_eq!(first_whole(date!(2024 - 01 - 01), 4), date!(2024 - 01 - 01));
        assert_eq!(first_whole(date!(2024 - 12 - 31), 4), date!(2025 - 01 - 01));
        assert_eq!(spelled(first_whole(date!(2024 - 01 - 30), 7), 7), "2024-02");
        assert_eq!(spelled(first_whole(date!(2024 - 12 - 31), 7), 7), "2025-01");
        assert_eq!(spelled(first_whole(date!(2024 - 05 - 01), 7), 7), "2024-05");
        assert_eq!(first_whole(date!(2024 - 05 - 31), 10), date!(2024 - 05 - 31));
    }

    #[test]
    fn values_never_stand_in_the_text() {
        let typed = r#"'; tag:"' OR 1=1" owner:"x'" name:%_ -"--" path:"/'" size:>1 date:2024"#;
        let query = crate::query::parse(typed);
        let expression = query.unwrap().expression.unwrap();
        let Condition { text, values } = Condition::of(&expression, &Known::default());
        assert_eq!(text.matches('?').count(), values.len());
        let allowed = |c: char| c.is_ascii_alphanumeric() || " .,_()?<>=".contains(c);
        assert!(text.replace("'date'", "").chars().all(allowed), "{text}");
    }
}

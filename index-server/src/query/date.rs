//! Dates and ranges of dates: `2024`, `>2024-05`, `2024-01..2024-03-05`. Days are days of UTC.

use std::fmt;

use time::{Date, Month};

use super::Problem;

/// The year after the last one must be a year too.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9998;

/// The days from one on, up to but without another; at least one of both ends is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateRange {
    from: Option<Date>,
    until: Option<Date>,
}

/// What one written date covers: a year, a month or a day.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: Date,
    after: Date,
}

impl DateRange {
    /// `None` when no day that can be written lies in the range, or every day does.
    pub fn new(from: Option<Date>, until: Option<Date>) -> Option<Self> {
        let writable = |day: Option<Date>| day.is_none_or(|day| YEARS.contains(&day.year()));
        let last = until.map(|until| until.previous_day()).map_or(Some(None), |last| last.map(Some))?;
        let some_days = match (from, last) {
            (Some(from), Some(last)) => from <= last,
            (from, last) => from.is_some() || last.is_some(),
        };
        (some_days && writable(from) && writable(last)).then_some(Self { from, until })
    }

    /// The first day of the range, if it has one.
    pub fn from(&self) -> Option<Date> {
        self.from
    }

    /// The first day after the range, if it has an end.
    pub fn until(&self) -> Option<Date> {
        self.until
    }

    pub(super) fn parse(value: &str) -> Result<Self, Problem> {
        let (from, until) = Self::ends(value).ok_or_else(|| Problem::NoDate { value: value.to_owned() })?;
        Self::new(from, until).ok_or_else(|| Problem::EmptyRange { value: value.to_owned() })
    }

    /// Both ends as written.
    fn ends(value: &str) -> Option<(Option<Date>, Option<Date>)> {
        if let Some((low, high)) = value.split_once("..") {
            let from = if low.is_empty() { None } else { Some(Span::parse(low)?.first) };
            let until = if high.is_empty() { None } else { Some(Span::parse(high)?.after) };
            return (from.is_some() || until.is_some()).then_some((from, until));
        }
        if let Some(limit) = value.strip_prefix(">=") {
            return Some((Some(Span::parse(limit)?.first), None));
        }
        if let Some(limit) = value.strip_prefix("<=") {
            return Some((None, Some(Span::parse(limit)?.after)));
        }
        if let Some(limit) = value.strip_prefix('>') {
            return Some((Some(Span::parse(limit)?.after), None));
        }
        if let Some(limit) = value.strip_prefix('<') {
            return Some((None, Some(Span::parse(limit)?.first)));
        }
        let span = Span::parse(value)?;
        Some((Some(span.first), Some(span.after)))
    }
}

impl Span {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let year = digits(parts.next()?, 4)?;
        let month = parts.next().map(|month| digits(month, 2)).map_or(Some(None), |month| month.map(Some))?;
        let day = parts.next().map(|day| digits(day, 2)).map_or(Some(None), |day| day.map(Some))?;
        if parts.next().is_some() || !YEARS.contains(&i32::from(year)) {
            return None;
        }
        match (month, day) {
            (Some(month), Some(day)) => Self::of_day(year, month, day),
            (Some(month), None) => Self::of_month(year, month),
            (None, _) => Self::of_year(year),
        }
    }

    fn of_day(year: u16, month: u16, day: u16) -> Option<Self> {
        let first = date(year, month, day)?;
        Some(Self { first, after: first.next_day()? })
    }

    fn of_month(year: u16, month: u16) -> Option<Self> {
        let after = if month == 12 { date(year + 1, 1, 1)? } else { date(year, month + 1, 1)? };
        Some(Self { first: date(year, month, 1)?, after })
    }

    fn of_year(year: u16) -> Option<Self> {
        Some(Self { first: date(year, 1, 1)?, after: date(year + 1, 1, 1)? })
    }
}

/// Exactly so many digits: `str::parse` would take a sign, and `24` would be a year.
fn digits(text: &str, count: usize) -> Option<u16> {
    let plain = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn date(year: u16, month: u16, day: u16) -> Option<Date> {
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()
}

impl fmt::Display for DateRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from, self.until.and_then(Date::previous_day)) {
            (Some(from), Some(last)) if from == last => Day(from).fmt(formatter),
            (Some(from), Some(last)) => write!(formatter, "{}..{}", Day(from), Day(last)),
            (Some(from), None) => write!(formatter, ">={}", Day(from)),
            (None, Some(last)) => write!(formatter, "<={}", Day(last)),
            (None, None) => Ok(()),
        }
    }
}

/// A day as the parser reads it.
struct Day(Date);

impl fmt::Display for Day {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.0.to_calendar_date();
        write!(formatter, "{year:04}-{:02}-{day:02}", u8::from(month))
    }
}

//! The years and months that date tags name.

use std::fmt;

/// A year of the Gregorian calendar, with the month where it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Date {
    year: u16,
    month: Option<u8>,
}

/// Clocks that were never set say 0000 or 1601; nothing digital is that old or from that far ahead.
const YEARS: std::ops::RangeInclusive<u16> = 1900..=2199;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl Date {
    /// Checked once, here. Month 0 is how some formats write "some time that year".
    pub(crate) fn new(year: u16, month: u8) -> Option<Self> {
        let month = (month > 0).then_some(month);
        (YEARS.contains(&year) && month.is_none_or(|month| month <= 12)).then_some(Self { year, month })
    }

    /// Reads the front of a date as PDF (`D:20240503…`), EXIF (`2024:05:03 …`) and XML (`2024-05-03T…`) write it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix("D:").unwrap_or(text);
        let year = number(text.get(..4)?)?;
        let rest = text[4..].trim_start_matches([':', '-', '/', '.']);
        let month = if rest.is_empty() { 0 } else { number(rest.get(..2)?)? };
        Self::new(year, u8::try_from(month).ok()?)
    }

    /// The month (UTC) that a time in milliseconds since 1970 lies in. Howard Hinnant's `civil_from_days`.
    pub(crate) fn from_unix_ms(time_ms: i64) -> Option<Self> {
        let days = time_ms.div_euclid(DAY_MS) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153; // March is 0: the leap day ends the year.
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self::new(u16::try_from(year).ok()?, u8::try_from(month).ok()?)
    }

    /// The names of the tags: the year, and the month if known.
    pub(crate) fn names(self) -> impl Iterator<Item = String> {
        let month = self.month.map(|_| self.to_string());
        std::iter::once(self.year.to_string()).chain(month)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.month {
            Some(month) => write!(formatter, "{:04}-{month:02}", self.year),
            None => write!(formatter, "{:04}", self.year),
        }
    }
}

/// `str::parse` would also take a sign.
fn number(digits: &str) -> Option<u16> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, date: Option<&str>) {
        assert_eq!(Date::parse(text).map(|date| date.to_string()).as_deref(), date, "{text:?}");
    }

    #[test]
    fn dates_of_all_formats_are_read() {
        check("D:20240503120000+02'00'", Some("2024-05"));
        check("2024:05:03 12:00:00", Some("2024-05"));
        check("2024-05-03T12:00:00Z", Some("2024-05"));
        check("2024/12", Some("2024-12"));
        check("1997", Some("1997"));
        check("1997-00", Some("1997"));
    }

    #[test]
    fn nonsense_is_no_date() {
        for text in [
            "",
            "D:",
            "20",
            "0000:00:00 00:00:00",
            "2024-13-01",
            "1601-01-01",
            "20é4-05",
            "+202-05",
            "二〇二四年五月",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn a_date_names_its_year_and_month() {
        let names = |text| Date::parse(text).unwrap().names().collect::<Vec<_>>();
        assert_eq!(names("2024-05-03"), ["2024", "2024-05"]);
        assert_eq!(names("2024"), ["2024"]);
    }

    #[test]
    fn unix_times_fall_into_their_month() {
        let check = |time_ms, month: Option<&str>| {
            assert_eq!(Date::from_unix_ms(time_ms).map(|date| date.to_string()).as_deref(), month);
        };
        check(0, Some("1970-01"));
        check(-1, Some("1969-12"));
        check(951_782_400_000, Some("2000-02")); // The 29th.
        check(1_714_694_400_000, Some("2024-05"));
        check(i64::MAX, None);
        check(i64::MIN, None);
    }
}

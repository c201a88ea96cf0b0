//! Sizes and ranges of sizes: `500`, `>1MB`, `<=1.5GiB`, `1k..2M`.

use std::fmt;

use super::Problem;

/// The database counts in `i64`; no file comes near.
const BYTES_MAX: u64 = i64::MAX as u64;
/// More digits behind the point than any unit has.
const FRACTION_DIGITS_MAX: usize = 15;

/// A range of content lengths that at least one length lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeRange {
    bytes_min: u64,
    bytes_max: Option<u64>,
}

impl SizeRange {
    /// Both ends belong to the range; none above means any length. `None` when the range is empty or too high.
    pub fn new(bytes_min: u64, bytes_max: Option<u64>) -> Option<Self> {
        let highest = bytes_max.unwrap_or(BYTES_MAX);
        (bytes_min <= highest && highest <= BYTES_MAX).then_some(Self { bytes_min, bytes_max })
    }

    /// The shortest length of the range.
    pub fn bytes_min(&self) -> u64 {
        self.bytes_min
    }

    /// The longest length of the range, if it has an end.
    pub fn bytes_max(&self) -> Option<u64> {
        self.bytes_max
    }

    pub(super) fn parse(value: &str) -> Result<Self, Problem> {
        let (bytes_min, bytes_max) =
            Self::ends(value).ok_or_else(|| Problem::NoSize { value: value.to_owned() })?;
        let empty = || Problem::EmptyRange { value: value.to_owned() };
        // Only `<0` and `>` the largest size leave the numbers.
        let bytes_min = u64::try_from(bytes_min).map_err(|_| empty())?;
        let bytes_max = bytes_max.map(u64::try_from).transpose().map_err(|_| empty())?;
        Self::new(bytes_min, bytes_max).ok_or_else(empty)
    }

    /// Both ends as written.
    fn ends(value: &str) -> Option<(i128, Option<i128>)> {
        if let Some((low, high)) = value.split_once("..") {
            let bytes_min = if low.is_empty() { 0 } else { bytes(low)? };
            let bytes_max = if high.is_empty() { None } else { Some(bytes(high)?) };
            return (!(low.is_empty() && high.is_empty())).then_some((bytes_min, bytes_max));
        }
        if let Some(limit) = value.strip_prefix(">=") {
            return Some((bytes(limit)?, None));
        }
        if let Some(limit) = value.strip_prefix("<=") {
            return Some((0, Some(bytes(limit)?)));
        }
        if let Some(limit) = value.strip_prefix('>') {
            return Some((bytes(limit)? + 1, None));
        }
        if let Some(limit) = value.strip_prefix('<') {
            return Some((0, Some(bytes(limit)? - 1)));
        }
        let exact = bytes(value)?;
        Some((exact, Some(exact)))
    }
}

/// A number with a unit, rounded down to whole bytes.
fn bytes(text: &str) -> Option<i128> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit_bytes(unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.len() > FRACTION_DIGITS_MAX {
        return None;
    }
    let whole = i128::from(whole.parse::<u64>().ok()?) * unit;
    let part = i128::from(fraction.parse::<u64>().ok()?) * unit / 10_i128.pow(fraction.len() as u32);
    Some(whole + part).filter(|&bytes| bytes <= i128::from(BYTES_MAX))
}

/// Powers of 1000 as on a disk's label, and with an `i` powers of 1024 as memory is counted.
fn unit_bytes(unit: &str) -> Option<i128> {
    let unit = unit.to_ascii_lowercase();
    let prefix = unit.strip_suffix('b').unwrap_or(&unit);
    let (letter, base) = match prefix.strip_suffix('i') {
        Some(letter) if !letter.is_empty() => (letter, 1024_i128),
        Some(_) => return None,
        None => (prefix, 1000),
    };
    let power = match letter {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    Some(base.pow(power))
}

impl fmt::Display for SizeRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.bytes_min, self.bytes_max) {
            (low, None) => write!(formatter, ">={low}"),
            (low, Some(high)) if low == high => write!(formatter, "{low}"),
            (0, Some(high)) => write!(formatter, "<={high}"),
            (low, Some(high)) => write!(formatter, "{low}..{high}"),
        }
    }
}

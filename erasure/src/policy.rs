//! How many shards an extent has, and how many of them it can lose.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// An extent never spreads wider than this: loss patterns fit a 32-bit set, and one table holds every generator.
pub const SHARDS_MAX: usize = 32;

/// The code of a class of files: `data` shards of content and `parity` shards of redundancy, written `4+2`.
///
/// Holds `1 <= data` and `data + parity <= SHARDS_MAX`; every function that takes a policy relies on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Policy {
    data: u8,
    parity: u8,
}

impl Policy {
    /// The policy `data+parity`, or `None` where no such code exists.
    pub const fn new(data: usize, parity: usize) -> Option<Self> {
        if data == 0 || data > SHARDS_MAX || parity > SHARDS_MAX - data {
            return None;
        }
        Some(Self { data: data as u8, parity: parity as u8 })
    }

    /// Shards of content, `k`: as many are needed to read.
    pub const fn data(self) -> usize {
        self.data as usize
    }

    /// Shards of redundancy, `m`: as many can be lost.
    pub const fn parity(self) -> usize {
        self.parity as usize
    }

    /// All shards, `k + m`.
    pub const fn total(self) -> usize {
        self.data() + self.parity()
    }

    /// The fewest durable shards with which a write may be acknowledged and below which no node is stopped:
    /// one more than a read needs, as far as the policy has one more.
    pub const fn floor(self) -> usize {
        if self.parity == 0 { self.data() } else { self.data() + 1 }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.data, self.parity)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a policy is written DATA+PARITY, such as 4+2, with at least 1 data and at most {SHARDS_MAX} shards in all"
)]
pub struct PolicyError;

impl FromStr for Policy {
    type Err = PolicyError;

    /// Takes exactly what `Display` writes: two texts never mean one policy.
    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let (data, parity) = text.split_once('+').ok_or(PolicyError)?;
        Self::new(shards(data)?, shards(parity)?).ok_or(PolicyError)
    }
}

fn shards(digits: &str) -> Result<usize, PolicyError> {
    let canonical = digits == "0" || !digits.starts_with(['0', '+']);
    if !canonical {
        return Err(PolicyError);
    }
    digits.parse::<u8>().map(usize::from).map_err(|_| PolicyError)
}

impl TryFrom<String> for Policy {
    type Error = PolicyError;

    fn try_from(text: String) -> Result<Self, PolicyError> {
        text.parse()
    }
}

impl From<Policy> for String {
    fn from(policy: Policy) -> Self {
        policy.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(usize, usize)>) {
        let parsed = text.parse::<Policy>().ok();
        assert_eq!(parsed.map(|policy| (policy.data(), policy.parity())), expected, "{text:?}");
        if let Some(policy) = parsed {
            assert_eq!(policy.to_string(), text);
        }
    }

    #[test]
    fn a_policy_reads_as_it_is_written() {
        check("4+2", Some((4, 2)));
        check("1+0", Some((1, 0)));
        check("1+31", Some((1, 31)));
        check("32+0", Some((32, 0)));
        check("16+16", Some((16, 16)));
    }

    #[test]
    fn a_policy_without_data_or_too_wide_is_refused() {
        check("0+2", None);
        check("31+2", None);
        check("1+32", None);
        check("33+0", None);
        check("255+255", None);
        check("256+1", None);
    }

    #[test]
    fn sloppy_text_is_refused() {
        for text in [
            "", "+", "4", "4+", "+2", "4++2", "+4+2", "4+2+1", " 4+2", "4 + 2", "04+2", "4+02", "4-2",
            "4+-2", "٤+٢",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn every_policy_survives_its_text() {
        for data in 0..=SHARDS_MAX + 1 {
            for parity in 0..=SHARDS_MAX + 1 {
                let policy = Policy::new(data, parity);
                assert_eq!(policy.is_some(), data >= 1 && data + parity <= SHARDS_MAX);
                if let Some(policy) = policy {
                    assert_eq!(policy.to_string().parse(), Ok(policy));
                    assert_eq!(
                        (policy.data(), policy.parity(), policy.total()),
                        (data, parity, data + parity)
                    );
                }
            }
        }
        assert_eq!(Policy::new(usize::MAX, 2), None);
        assert_eq!(Policy::new(2, usize::MAX), None);
    }

    #[test]
    fn the_floor_is_one_above_the_data_where_the_policy_allows() {
        let floor = |text: &str| text.parse::<Policy>().map(Policy::floor);
        assert_eq!(floor("4+2"), Ok(5));
        assert_eq!(floor("1+1"), Ok(2));
        assert_eq!(floor("4+0"), Ok(4));
    }

    struct Serialized(Policy);

    impl fmt::Display for Serialized {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.serialize(f)
        }
    }

    #[test]
    fn a_policy_is_stored_as_its_text() {
        use serde::de::{IntoDeserializer, value::Error};

        let read = |text: &str| Policy::deserialize(IntoDeserializer::<Error>::into_deserializer(text));
        let policy = read("4+2").unwrap();
        assert_eq!(Some(policy), Policy::new(4, 2));
        assert_eq!(Serialized(policy).to_string(), "4+2");
        assert!(read("0+2").unwrap_err().to_string().contains("DATA+PARITY"));
    }
}

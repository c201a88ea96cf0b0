//! Row identifiers and user names.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

macro_rules! row_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<i64> for $name {
            fn from(id: i64) -> Self {
                Self(id)
            }
        }
    };
}

row_id! {
    /// A file or folder, through all its moves and versions.
    EntryId
}
row_id! {
    /// One version of a file's content.
    ContentId
}
row_id! {
    /// One act of throwing something away.
    TrashId
}
row_id! {
    /// A session or a token.
    CredentialId
}

/// Not a name that a user can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a user name is 1 to 64 of a-z, 0-9, '.', '_', '-' and '@', beginning with a letter or digit")]
pub struct UserNameError;

/// The name of a user. Lower case only, so that no two names look alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(String);

impl UserName {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserName {
    type Err = UserNameError;

    fn from_str(text: &str) -> Result<Self, UserNameError> {
        let letter_or_digit = |c: &u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        let allowed = |c: u8| letter_or_digit(&c) || b"._-@".contains(&c);
        let bounded = (1..=64).contains(&text.len());
        if bounded && text.bytes().all(allowed) && text.as_bytes().first().is_some_and(letter_or_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(UserNameError)
        }
    }
}

impl TryFrom<String> for UserName {
    type Error = UserNameError;
    fn try_from(text: String) -> Result<Self, UserNameError> {
        text.parse()
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> Self {
        name.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_are_plain() {
        for good in ["admin", "a", "7", "ada.lovelace@example.org", "x_y-z", &"u".repeat(64)] {
            assert_eq!(good.parse::<UserName>().unwrap().as_str(), good);
        }
        for bad in ["", "Admin", "-rf", ".", "..", "a b", "a/b", "$(id)", "'", "é", "a\0", &"u".repeat(65)] {
            assert_eq!(bad.parse::<UserName>(), Err(UserNameError), "{bad:?}");
        }
    }
}

//! Identifiers, checked once where they enter.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// Why a text or some bytes are not an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Neither a UUID's text nor its 16 bytes.
    #[error("not a UUID")]
    Uuid,
    /// Not 1 to 63 of `a-z 0-9 -`, beginning and ending with a letter or digit.
    #[error("a name is 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit")]
    Name,
    /// No role of this cluster.
    #[error("not a role: storage-node, index-server, monitor or operator")]
    Role,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new random identifier.
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }

            /// From its 16 bytes.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// Its 16 bytes.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// Its 32 hexadecimal digits without hyphens: a DNS label and a file name.
            pub fn simple(&self) -> String {
                self.0.simple().to_string()
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = IdError;
            fn try_from(bytes: &[u8]) -> Result<Self, IdError> {
                Uuid::from_slice(bytes).map(Self).map_err(|_| IdError::Uuid)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text).map(Self).map_err(|_| IdError::Uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    };
}

uuid_id! {
    /// One cluster; written into every shard and certificate.
    ClusterId
}
uuid_id! {
    /// One storage node, for as long as its directory lives.
    NodeId
}
uuid_id! {
    /// One extent, for ever: an extent is immutable and its id is never used again.
    ExtentId
}

/// What people call a node: a DNS label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(String);

impl NodeName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let bounded = (1..=63).contains(&text.len());
        let edges = !text.starts_with('-') && !text.ends_with('-');
        if bounded && edges && text.bytes().all(inner) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::Name)
        }
    }
}

impl TryFrom<String> for NodeName {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> Self {
        name.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a process is, as its certificate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Keeps shards.
    StorageNode,
    /// Owns names, extents and groups.
    IndexServer,
    /// Watches and acts.
    Monitor,
    /// A person at a command line on the cluster's own network.
    Operator,
}

impl Role {
    /// As it stands in certificates and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StorageNode => "storage-node",
            Self::IndexServer => "index-server",
            Self::Monitor => "monitor",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        [Self::StorageNode, Self::IndexServer, Self::Monitor, Self::Operator]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(IdError::Role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_labels() {
        for good in ["n1", "a", "node-7", &"x".repeat(63)] {
            assert_eq!(good.parse::<NodeName>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", "a-", "A", "a b", "../x", "n\0", "é", &"x".repeat(64)] {
            assert_eq!(bad.parse::<NodeName>(), Err(IdError::Name), "{bad:?}");
        }
    }

    #[test]
    fn ids_survive_text_and_bytes() {
        let id = ExtentId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.simple().parse(), Ok(id));
        assert_eq!(ExtentId::try_from(&id.as_bytes()[..]), Ok(id));
        assert_eq!(ExtentId::try_from(&[0u8; 15][..]), Err(IdError::Uuid));
    }

    #[test]
    fn roles_survive_text() {
        for role in [Role::StorageNode, Role::IndexServer, Role::Monitor, Role::Operator] {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
    }
}

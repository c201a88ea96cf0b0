//! What can go wrong with a shard, kept as a type from the disk to the reader on the other side of the wire.

use std::fmt;
use tonic::{Code, Status, metadata::MetadataValue};

/// The trailer that carries the kind.
const KEY: &str = "asterism-error";

/// What a caller can do about a failed shard operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShardErrorKind {
    /// A healthy node says that it does not have the shard. Proof of absence.
    NotFound,
    /// The shard was read and does not verify. Proof of damage.
    Corrupt,
    /// The disk failed; proves nothing about the shard.
    Io,
    /// No room.
    Full,
    /// The caller's epoch is older than one the node has seen.
    Stale,
    /// Not reachable, not in time, or cut off; proves nothing.
    Unavailable,
    /// The request itself is wrong or not allowed.
    Invalid,
}

impl ShardErrorKind {
    const ALL: [(Self, &'static str, Code); 7] = [
        (Self::NotFound, "not_found", Code::NotFound),
        (Self::Corrupt, "corrupt", Code::DataLoss),
        (Self::Io, "io", Code::Internal),
        (Self::Full, "full", Code::ResourceExhausted),
        (Self::Stale, "stale", Code::FailedPrecondition),
        (Self::Unavailable, "unavailable", Code::Unavailable),
        (Self::Invalid, "invalid", Code::InvalidArgument),
    ];

    /// Its name on the wire and in metrics.
    pub fn as_str(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// A failed shard operation: the kind says what to do, the message what happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ShardError {
    /// What a caller can do about it.
    pub kind: ShardErrorKind,
    /// For a log; never shown to people outside.
    pub message: String,
}

impl ShardError {
    /// An error of `kind`.
    pub fn new(kind: ShardErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl fmt::Display for ShardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.as_str(), self.message)
    }
}

impl From<ShardError> for Status {
    fn from(error: ShardError) -> Self {
        let (_, name, code) = ShardErrorKind::ALL[error.kind as usize];
        let mut status = Status::new(code, error.message);
        status.metadata_mut().insert(KEY, MetadataValue::from_static(name));
        status
    }
}

impl From<Status> for ShardError {
    /// A status without our trailer comes from the transport, a proxy or a time-out and proves nothing,
    /// except that the request was not allowed.
    fn from(status: Status) -> Self {
        let named = status.metadata().get(KEY).and_then(|value| value.to_str().ok());
        let kind = match named {
            Some(name) => {
                ShardErrorKind::ALL.iter().find(|(_, known, _)| *known == name).map(|(kind, ..)| *kind)
            }
            None if matches!(
                status.code(),
                Code::PermissionDenied | Code::Unauthenticated | Code::InvalidArgument
            ) =>
            {
                Some(ShardErrorKind::Invalid)
            }
            None => None,
        };
        Self::new(kind.unwrap_or(ShardErrorKind::Unavailable), status.message())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_survive_the_wire() {
        for (kind, name, code) in ShardErrorKind::ALL {
            assert_eq!(kind.as_str(), name);
            let status = Status::from(ShardError::new(kind, "why"));
            assert_eq!(status.code(), code);
            assert_eq!(ShardError::from(status), ShardError::new(kind, "why"));
        }
    }

    #[test]
    fn a_bare_status_proves_nothing() {
        for code in [Code::NotFound, Code::DataLoss, Code::Unknown, Code::DeadlineExceeded, Code::Cancelled] {
            assert_eq!(ShardError::from(Status::new(code, "")).kind, ShardErrorKind::Unavailable);
        }
    }
}

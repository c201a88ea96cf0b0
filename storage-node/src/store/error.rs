//! What the file system's errors mean to a caller far away: a failing disk never looks like a missing shard.

use asterism_proto::{ShardError, ShardErrorKind};
use rustix::io::Errno;
use std::io;

/// An error of `kind`.
pub(super) fn error(kind: ShardErrorKind, message: impl Into<String>) -> ShardError {
    ShardError::new(kind, message)
}

/// `error`, met while doing `what`.
pub(super) fn disk(what: &str, error: impl Into<io::Error>) -> ShardError {
    let error = error.into();
    ShardError::new(kind_of(&error), format!("{what}: {error}"))
}

fn kind_of(error: &io::Error) -> ShardErrorKind {
    match Errno::from_io_error(error) {
        Some(Errno::NOSPC | Errno::DQUOT) => ShardErrorKind::Full,
        // This process has too much to do, not the disk a fault.
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => ShardErrorKind::Unavailable,
        _ => ShardErrorKind::Io,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(errno: Errno, expected: ShardErrorKind) {
        assert_eq!(disk("write", errno).kind, expected, "{errno:?}");
    }

    #[test]
    fn only_a_lack_of_room_is_full() {
        check(Errno::NOSPC, ShardErrorKind::Full);
        check(Errno::DQUOT, ShardErrorKind::Full);
        check(Errno::ROFS, ShardErrorKind::Io);
    }

    #[test]
    fn no_error_of_the_disk_proves_absence() {
        for errno in [Errno::IO, Errno::ACCESS, Errno::PERM, Errno::NOENT, Errno::STALE, Errno::LOOP] {
            check(errno, ShardErrorKind::Io);
        }
        check(Errno::MFILE, ShardErrorKind::Unavailable);
    }
}

//! Why a machine could not be switched. The texts are sentences for the transition log and for people.

use std::{io, path::PathBuf};

/// What went wrong, by what somebody can do about it.
#[derive(Debug, thiserror::Error)]
pub enum PowerError {
    /// Nobody said how.
    #[error("no way to switch this node is configured")]
    NotConfigured,
    /// The pinned keys cannot be used.
    #[error("the known hosts in {} cannot be used: {reason}", path.display())]
    KnownHosts {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody pinned the host's key.
    #[error("the host {host} is unknown: pin its key with `monitor enrol`")]
    UnknownHost {
        /// Its name in the file.
        host: String,
    },
    /// The host shows another key than the pinned one.
    #[error("the host key of {host} has changed, nothing was sent: it now shows {fingerprint}")]
    HostKeyChanged {
        /// Its name in the file.
        host: String,
        /// Of the key that it shows now.
        fingerprint: String,
    },
    /// The host has no key of a pinned type.
    #[error("the host {host} has no key of the pinned type, nothing was sent")]
    HostKeyMissing {
        /// Its name in the file.
        host: String,
    },
    /// The own key cannot be used.
    #[error("the SSH key {} cannot be used: {reason}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The host does not let the key in.
    #[error("the host {host} refused the key of {user}")]
    KeyRefused {
        /// Its name.
        host: String,
        /// The account.
        user: String,
    },
    /// No connection, or it broke.
    #[error("cannot reach {target}: {reason}")]
    Unreachable {
        /// Host or socket.
        target: String,
        /// What the system says.
        reason: String,
    },
    /// It took too long.
    #[error("{target} did not finish in time")]
    Timeout {
        /// Host or socket.
        target: String,
    },
    /// It printed too much.
    #[error("{target} answered with more than {bytes_max} bytes")]
    TooMuchOutput {
        /// Host or socket.
        target: String,
        /// How much is allowed.
        bytes_max: usize,
    },
    /// The command failed.
    #[error("{target} ended with exit code {code}: {said}")]
    Exit {
        /// The host.
        target: String,
        /// The exit code.
        code: i32,
        /// The first line that it printed.
        said: String,
    },
    /// The other side says that it could not.
    #[error("{target} says: {said}")]
    Refused {
        /// Host or socket.
        target: String,
        /// Its sentence.
        said: String,
    },
    /// The answer is none of the three allowed ones.
    #[error("{target} gave an answer that is none: {said:?}")]
    BadAnswer {
        /// Host or socket.
        target: String,
        /// The first line that it printed.
        said: String,
    },
    /// The process cannot do what any process can.
    #[error("the monitor itself failed")]
    Internal(#[source] io::Error),
}

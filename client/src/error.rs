//! What a call can come to, other than what was asked for.

use serde::Deserialize;

/// The server's answer to a request that it refused, by RFC 9457.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// Stable, for programs: `not_found`, `too_few_nodes`, …
    pub code: String,
    /// A sentence for people.
    #[serde(default)]
    pub detail: String,
    /// By which the server's log can be searched.
    #[serde(default)]
    pub request_id: String,
    /// Of a refused stop or wake: what the monitor said.
    #[serde(default)]
    pub act: Option<crate::types::Act>,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refused or failed.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// The server was not reached, or the connection broke.
    #[error("cannot reach {server}")]
    Unreachable {
        /// Its URL.
        server: String,
        /// What happened.
        source: reqwest::Error,
    },
    /// The server's answer is not one of this API.
    #[error("the server's answer is not understood: {0}")]
    Answer(String),
    /// A local file could not be read or written.
    #[error("{path}")]
    Local {
        /// The file.
        path: String,
        /// What happened.
        source: std::io::Error,
    },
    /// What arrived is not what the server has.
    #[error("{path} arrived damaged or incomplete; nothing was kept")]
    Damaged {
        /// In the store.
        path: String,
    },
    /// The server's URL does not parse.
    #[error("{0} is not the URL of a server")]
    Url(String),
}

impl Error {
    /// The stable code of a refusal.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(problem) => Some(&problem.code),
            _ => None,
        }
    }
}

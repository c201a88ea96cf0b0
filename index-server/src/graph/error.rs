//! What a caller can do about a failed call.

use crate::catalog::CatalogError;
use std::error::Error;

/// One variant per thing a caller can do; the text carries the cause.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    /// Not reachable, not ready, too slow, or it refuses this program. The catalog knows all that the graph does not: try again later.
    #[error("the tag graph is not available: {0}")]
    Unavailable(Box<dyn Error + Send + Sync>),
    /// What was asked for cannot be.
    #[error("{0}")]
    Invalid(&'static str),
    /// A fault of the graph or of this program.
    #[error("internal error of the tag graph: {0}")]
    Internal(Box<dyn Error + Send + Sync>),
}

impl GraphError {
    /// The same call may succeed later.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<CatalogError> for GraphError {
    fn from(error: CatalogError) -> Self {
        match error {
            // Calls say how things are, not how they change: after a commit in doubt the same call is right again.
            CatalogError::Unavailable(trouble) | CatalogError::OutcomeUnknown(trouble) => {
                Self::Unavailable(trouble.into())
            }
            error => Self::Internal(error.into()),
        }
    }
}

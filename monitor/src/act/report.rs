//! What is answered to whoever asked for an act.

use crate::state::NodeState;
use asterism_proto::monitor::{ActResponse, act_response::Outcome};

fn response(outcome: Outcome, message: impl Into<String>) -> ActResponse {
    ActResponse { outcome: outcome.into(), message: message.into(), ..ActResponse::default() }
}

/// The node was there already.
pub(super) fn unchanged(message: impl Into<String>) -> ActResponse {
    response(Outcome::Unchanged, message)
}

/// It was not tried.
pub(super) fn refused(message: impl Into<String>) -> ActResponse {
    response(Outcome::Refused, message)
}

/// It would be done.
pub(super) fn rehearsed(message: impl Into<String>) -> ActResponse {
    response(Outcome::DryRun, message)
}

/// It was tried, and did not work.
pub(super) fn failed(message: impl Into<String>) -> ActResponse {
    response(Outcome::Failed, message)
}

/// The node is where it should be.
pub(super) fn done(message: impl Into<String>) -> ActResponse {
    response(Outcome::Done, message)
}

/// The same answer with the node's state.
pub(super) fn with_state(response: ActResponse, state: NodeState) -> ActResponse {
    ActResponse { state: state.to_string(), ..response }
}

/// The numbers of `numbers` in an answer of its own outcome and message.
pub(super) fn with_numbers(response: ActResponse, numbers: &ActResponse) -> ActResponse {
    ActResponse { outcome: response.outcome, message: response.message, ..numbers.clone() }
}

//! The node states, in the words of the design.

use std::{fmt, str::FromStr};

/// In which state a node is. *Asleep* is intended, *offline* is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NodeState {
    /// Known to the index-server, not yet heard of.
    Joining,
    /// Works.
    Online,
    /// Some signs of life are missing.
    Suspect,
    /// Every sign of life is missing, and nobody intended it.
    Offline,
    /// Asked to stop, not yet gone.
    Stopping,
    /// Stopped on purpose.
    Asleep,
    /// Asked to wake, not yet back.
    Waking,
    /// Works, and is being emptied.
    Draining,
    /// Out of the cluster for good.
    Retired,
}

impl NodeState {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Joining,
        Self::Online,
        Self::Suspect,
        Self::Offline,
        Self::Stopping,
        Self::Asleep,
        Self::Waking,
        Self::Draining,
        Self::Retired,
    ];

    /// As it stands in the log, in metrics and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Online => "online",
            Self::Suspect => "suspect",
            Self::Offline => "offline",
            Self::Stopping => "stopping",
            Self::Asleep => "asleep",
            Self::Waking => "waking",
            Self::Draining => "draining",
            Self::Retired => "retired",
        }
    }

    /// Whether files can be read from it now.
    pub fn is_serving(self) -> bool {
        matches!(self, Self::Online | Self::Draining)
    }
}

impl fmt::Display for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a node state")]
pub struct UnknownState;

impl FromStr for NodeState {
    type Err = UnknownState;
    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(UnknownState)
    }
}

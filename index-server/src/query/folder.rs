//! The folder that `path:` names.

use std::fmt;

use super::Problem;

/// An absolute path, cut at its slashes; no segments is the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    segments: Vec<String>,
}

impl Folder {
    /// Takes `/a/b` and `/a/b/`; refuses what could name no folder (`a`, `//`, `/../a`).
    pub(super) fn parse(value: &str) -> Result<Self, Problem> {
        let refused = || Problem::NoFolder { value: value.to_owned() };
        let inner = value.strip_prefix('/').ok_or_else(refused)?;
        if inner.is_empty() {
            return Ok(Self { segments: Vec::new() });
        }
        let segments: Vec<String> =
            inner.strip_suffix('/').unwrap_or(inner).split('/').map(str::to_owned).collect();
        if segments.iter().any(|segment| matches!(segment.as_str(), "" | "." | "..")) {
            return Err(refused());
        }
        Ok(Self { segments })
    }

    /// The names on the way down from the root.
    pub fn segments(&self) -> &[String] {
        &self.segments
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.segments.is_empty() {
            return formatter.write_str("/");
        }
        self.segments.iter().try_for_each(|segment| write!(formatter, "/{segment}"))
    }
}

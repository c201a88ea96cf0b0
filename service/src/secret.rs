//! Secrets: never in a log, never in a world-readable file.

use anyhow::{Context, ensure};
use std::{fmt, os::unix::fs::PermissionsExt, path::Path};

/// A text that must not be shown.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Reads a secret from a file that only its owner may read; a final line break is not part of it.
    ///
    /// # Errors
    /// The file is missing, empty, or readable by others.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = read_private(path)?;
        let text = text.trim_end_matches(['\n', '\r']);
        ensure!(!text.is_empty(), "secret file {} is empty", path.display());
        Ok(Self(text.to_owned()))
    }

    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares without telling by the time taken where the first difference is.
    pub fn matches(&self, other: &str) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), other.as_bytes());
        let differing = ours.iter().zip(theirs).fold(0u8, |seen, (a, b)| seen | (a ^ b));
        ours.len() == theirs.len() && std::hint::black_box(differing) == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Reads a text file that nobody but its owner may read.
///
/// # Errors
/// The file cannot be read, or group or others have any right to it.
pub fn read_private(path: &Path) -> anyhow::Result<String> {
    let metadata = path.metadata().with_context(|| format!("cannot read {}", path.display()))?;
    let mode = metadata.permissions().mode() & 0o777;
    ensure!(
        mode & 0o077 == 0,
        "{} is open to others (mode {mode:o}); allow its owner alone: chmod 600",
        path.display()
    );
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durable;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "***");
    }

    #[test]
    fn compares_whole() {
        let secret = Secret::new("abc");
        assert!(secret.matches("abc"));
        for other in ["", "ab", "abd", "abcd"] {
            assert!(!secret.matches(other), "{other}");
        }
    }

    #[test]
    fn refuses_a_file_that_others_can_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        durable::replace(&path, b"abc\n", 0o644).unwrap();
        assert!(Secret::read(&path).unwrap_err().to_string().contains("open to others"));
        durable::replace(&path, b"abc\n", 0o600).unwrap();
        assert_eq!(Secret::read(&path).unwrap().expose(), "abc");
        durable::replace(&path, b"\n", 0o600).unwrap();
        assert!(Secret::read(&path).unwrap_err().to_string().contains("empty"));
    }
}

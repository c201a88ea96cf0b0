//! Paths as people write them, checked once where they enter.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Deeper trees are refused: walking a path costs a query per segment.
pub const PATH_DEPTH_MAX: usize = 128;
/// Longest path, as on other systems.
pub const PATH_BYTES_MAX: usize = 4096;
/// Longest name of one file or folder, as on other systems; the column has room for exactly this.
pub const NAME_BYTES_MAX: usize = 255;

/// Why a text is not a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Paths begin at the root.
    #[error("invalid path: it must begin with '/'")]
    NotAbsolute,
    /// Two slashes in a row.
    #[error("invalid path: it has an empty segment")]
    EmptySegment,
    /// `.` or `..`: a path means one place, however it is read.
    #[error("invalid path: '.' and '..' are no names")]
    Dots,
    /// NUL, newline, escape and their like.
    #[error("invalid path: it has a control character")]
    Control,
    /// A segment of more than [`NAME_BYTES_MAX`] bytes.
    #[error("invalid path: a name is longer than {NAME_BYTES_MAX} bytes")]
    NameTooLong,
    /// More than [`PATH_BYTES_MAX`] bytes.
    #[error("invalid path: it is longer than {PATH_BYTES_MAX} bytes")]
    TooLong,
    /// More than [`PATH_DEPTH_MAX`] segments.
    #[error("invalid path: it is deeper than {PATH_DEPTH_MAX} folders")]
    TooDeep,
}

/// A place in a user's tree: `/` or `/a/b`, never with a slash at the end. Names are exact bytes: `a`, `A` and `a ` differ.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LogicalPath(String);

impl LogicalPath {
    /// The top of every user's tree.
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// True for `/`.
    pub fn is_root(&self) -> bool {
        self.0 == "/"
    }

    /// As text, beginning with `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names from the top down; none for the root.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|segment| !segment.is_empty())
    }

    /// The last name; none for the root.
    pub fn name(&self) -> Option<&str> {
        self.0.rsplit('/').next().filter(|name| !name.is_empty())
    }

    /// The folder it is in; none for the root.
    pub fn parent(&self) -> Option<Self> {
        let (parent, _) = self.0.rsplit_once('/').filter(|_| !self.is_root())?;
        Some(if parent.is_empty() { Self::root() } else { Self(parent.to_owned()) })
    }

    /// The folder it is in and its name there; none for the root.
    pub fn split(&self) -> Option<(Self, &str)> {
        Some((self.parent()?, self.name()?))
    }

    /// The place called `name` in this folder.
    ///
    /// # Errors
    /// `name` is no name, or the whole grows too long or too deep.
    pub fn join(&self, name: &str) -> Result<Self, PathError> {
        if name.contains('/') {
            return Err(PathError::EmptySegment);
        }
        let parent = if self.is_root() { "" } else { &self.0 };
        format!("{parent}/{name}").parse()
    }

    /// True if it is `folder` itself or lies anywhere below it.
    pub fn is_within(&self, folder: &Self) -> bool {
        folder.is_root()
            || self.0.strip_prefix(&folder.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn check_segment(segment: &str) -> Result<(), PathError> {
    match segment {
        "" => Err(PathError::EmptySegment),
        "." | ".." => Err(PathError::Dots),
        _ if segment.bytes().any(|byte| byte < 0x20 || byte == 0x7f) => Err(PathError::Control),
        _ if segment.len() > NAME_BYTES_MAX => Err(PathError::NameTooLong),
        _ => Ok(()),
    }
}

impl FromStr for LogicalPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        if text.len() > PATH_BYTES_MAX {
            return Err(PathError::TooLong);
        }
        let Some(below) = text.strip_prefix('/') else { return Err(PathError::NotAbsolute) };
        if below.is_empty() {
            return Ok(Self::root());
        }
        let below = below.strip_suffix('/').unwrap_or(below);
        let mut depth = 0;
        for segment in below.split('/') {
            check_segment(segment)?;
            depth += 1;
        }
        if depth > PATH_DEPTH_MAX {
            return Err(PathError::TooDeep);
        }
        Ok(Self(format!("/{below}")))
    }
}

impl TryFrom<String> for LogicalPath {
    type Error = PathError;
    fn try_from(text: String) -> Result<Self, PathError> {
        text.parse()
    }
}

impl From<LogicalPath> for String {
    fn from(path: LogicalPath) -> Self {
        path.0
    }
}

impl fmt::Display for LogicalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Result<&str, PathError>) {
        let parsed = text.parse::<LogicalPath>();
        assert_eq!(parsed.as_ref().map(LogicalPath::as_str), expected.as_ref().copied(), "{text:?}");
    }

    #[test]
    fn ordinary_paths_are_kept_and_the_last_slash_is_ignored() {
        for (text, kept) in
            [("/", "/"), ("/a", "/a"), ("/a/b.txt", "/a/b.txt"), ("/a/", "/a"), ("/a/b/", "/a/b")]
        {
            check(text, Ok(kept));
        }
    }

    #[test]
    fn a_path_that_could_leave_its_tree_is_refused() {
        for text in ["../", "a/../../b", "..", "C:\\x", "\\\\host\\x", "", "a", "%2e%2e/"] {
            check(text, Err(PathError::NotAbsolute));
        }
        for text in ["/..", "/../a", "/a/../b", "/a/..", "/.", "/a/./b", "/a/../"] {
            check(text, Err(PathError::Dots));
        }
        for text in ["//", "//a", "/a//b", "/a//", "///"] {
            check(text, Err(PathError::EmptySegment));
        }
    }

    #[test]
    fn control_characters_are_refused() {
        for text in ["/a\0", "/a\nb", "/\r", "/\u{1b}[31m", "/a\u{7f}"] {
            check(text, Err(PathError::Control));
        }
    }

    #[test]
    fn odd_names_are_literal() {
        for text in [
            "/%2e%2e%2f",
            "/%252e",
            "/..\\",
            "/C:\\",
            "/a\u{202e}b",
            "/\u{feff}",
            "/😀",
            "/文件",
            "/con",
            "/-rf",
            "/$(id)",
            "/`id`",
            "/;id",
            "/'",
            "/\"",
            "/\\",
            "/%00",
            "/...",
            "/ ",
            "/a ",
            "/a.",
            "/'; DROP TABLE x;--",
            "/%",
            "/_",
        ] {
            check(text, Ok(text));
        }
    }

    #[test]
    fn equal_looking_names_stay_different() {
        let (composed, decomposed) = ("/caf\u{e9}", "/cafe\u{301}");
        check(composed, Ok(composed));
        check(decomposed, Ok(decomposed));
        assert_ne!(composed.parse::<LogicalPath>(), decomposed.parse::<LogicalPath>());
    }

    #[test]
    fn sizes_are_bounded() {
        let name = |bytes: usize| format!("/{}", "x".repeat(bytes));
        assert!(name(255).parse::<LogicalPath>().is_ok());
        check(&name(256), Err(PathError::NameTooLong));
        check(&name(65_536), Err(PathError::TooLong));
        let deep = |depth: usize| "/d".repeat(depth);
        assert!(deep(128).parse::<LogicalPath>().is_ok());
        check(&deep(129), Err(PathError::TooDeep));
        check(&deep(10_000), Err(PathError::TooLong));
        // Characters may have four bytes: bytes count, not characters.
        assert!(format!("/{}", "😀".repeat(63)).parse::<LogicalPath>().is_ok());
        check(&format!("/{}", "😀".repeat(64)), Err(PathError::NameTooLong));
    }

    #[test]
    fn a_path_is_its_parent_and_its_name() {
        let path: LogicalPath = "/a/b/c".parse().unwrap();
        assert_eq!(path.segments().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(path.split().unwrap(), ("/a/b".parse().unwrap(), "c"));
        assert_eq!("/a".parse::<LogicalPath>().unwrap().parent(), Some(LogicalPath::root()));
        assert_eq!(LogicalPath::root().split(), None);
        assert_eq!(LogicalPath::root().join("a b").unwrap().as_str(), "/a b");
        assert_eq!(path.join("x/y"), Err(PathError::EmptySegment));
        assert_eq!(path.join(".."), Err(PathError::Dots));
    }

    #[test]
    fn within_means_below_and_not_beside() {
        let within = |path: &str, folder: &str| {
            path.parse::<LogicalPath>().unwrap().is_within(&folder.parse().unwrap())
        };
        assert!(within("/a/b", "/a") && within("/a", "/a") && within("/a", "/"));
        assert!(!within("/ab", "/a") && !within("/", "/a"));
    }

    proptest! {
        #[test]
        fn what_was_parsed_is_parsed_again_to_the_same(text in "(/[^/]{0,8}){0,6}/?") {
            if let Ok(path) = text.parse::<LogicalPath>() {
                prop_assert_eq!(path.as_str().parse::<LogicalPath>(), Ok(path.clone()));
                let rebuilt = path.segments().try_fold(LogicalPath::root(), |folder, name| folder.join(name));
                prop_assert_eq!(rebuilt, Ok(path));
            }
        }
    }
}

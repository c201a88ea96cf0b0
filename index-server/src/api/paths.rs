//! Paths in URLs: each segment decoded by itself, so that an encoded slash or dot never changes which file is meant.

use super::problem::ApiError;
use crate::catalog::LogicalPath;
use percent_encoding::percent_decode_str;

/// The segments behind `prefix`, decoded.
///
/// # Errors
/// Not UTF-8, or a segment that is empty or hides a slash.
pub(super) fn segments(raw: &str, prefix: &str) -> Result<Vec<String>, ApiError> {
    let rest = raw.strip_prefix(prefix).unwrap_or(raw);
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    if rest.is_empty() {
        return Ok(Vec::new());
    }
    rest.strip_suffix('/').unwrap_or(rest).split('/').map(segment).collect()
}

fn segment(raw: &str) -> Result<String, ApiError> {
    let name = percent_decode_str(raw).decode_utf8().map_err(|_| ApiError::BadPath("it is not UTF-8"))?;
    if name.is_empty() {
        return Err(ApiError::BadPath("it has an empty segment"));
    }
    if name.contains('/') {
        return Err(ApiError::BadPath("a name cannot have a slash"));
    }
    Ok(name.into_owned())
}

/// The path that segments make.
///
/// # Errors
/// They make none: `..`, NUL, too long, …
pub(super) fn path(segments: &[String]) -> Result<LogicalPath, ApiError> {
    Ok(format!("/{}", segments.join("/")).parse()?)
}

/// The path behind `prefix`.
///
/// # Errors
/// As [`segments`] and [`path`].
pub(super) fn path_behind(raw: &str, prefix: &str) -> Result<LogicalPath, ApiError> {
    path(&segments(raw, prefix)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, expected: Option<&str>) {
        let path = path_behind(raw, "/api/v1/files");
        assert_eq!(path.ok().map(|path| path.to_string()).as_deref(), expected, "{raw}");
    }

    #[test]
    fn segments_mean_what_they_say() {
        check("/api/v1/files/a/b%20c", Some("/a/b c"));
        check("/api/v1/files/%E6%96%87%E4%BB%B6/%F0%9F%8E%88", Some("/文件/🎈"));
        check("/api/v1/files/100%25", Some("/100%"));
        check("/api/v1/files/a+b", Some("/a+b"));
        check("/api/v1/files/", Some("/"));
        check("/api/v1/files/a/", Some("/a"));
    }

    #[test]
    fn nothing_climbs_out() {
        for bad in [
            "..",
            "a/../b",
            "%2e%2e",
            "a/%2e%2e/b",
            "a%2fb",
            "%2e%2e%2fetc",
            "a%00b",
            "%ff",
            "a//b",
            ".",
            "/",
            "//",
            "/a",
            "a//",
        ] {
            check(&format!("/api/v1/files/{bad}"), None);
        }
        // Decoded once only: this is a file whose name has a percent sign.
        check("/api/v1/files/%252e%252e", Some("/%2e%2e"));
    }
}

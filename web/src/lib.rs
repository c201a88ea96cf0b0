//! The web page, carried inside the binary.
//!
//! `npm run build` (or `make web`) leaves the page in `web/dist`; this crate embeds that folder in debug and release builds
//! alike, so that a binary needs no file beside it. Which path falls back to [`INDEX`] is the server's decision.

use std::borrow::Cow;
use std::fmt::Write;

use rust_embed::{EmbeddedFile, RustEmbed};

/// The page that every address of the single-page application starts from.
pub const INDEX: &str = "index.html";

/// Files below it carry a hash of their content in their name.
const HASHED_FOLDER: &str = "assets/";

#[derive(RustEmbed)]
#[folder = "$ASTERISM_WEB_DIST"]
struct Dist;

/// One file of the page, with what a server must say about it.
#[derive(Clone, Debug)]
pub struct Asset {
    /// The content.
    pub bytes: Cow<'static, [u8]>,
    /// The value of `Content-Type`.
    pub media_type: &'static str,
    /// The value of `ETag`, quotes included.
    pub etag: String,
    /// Whether this address can never mean other bytes (`Cache-Control: immutable`).
    pub immutable: bool,
}

/// The file at `path` (a leading slash is allowed), or nothing.
///
/// ```
/// assert!(asterism_web::asset("/index.html").is_some());
/// assert!(asterism_web::asset("/api/v1/files").is_none());
/// ```
pub fn asset(path: &str) -> Option<Asset> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let file = Dist::get(path)?;
    Some(Asset {
        etag: etag(&file),
        media_type: media_type(path),
        immutable: path.starts_with(HASHED_FOLDER),
        bytes: file.data,
    })
}

fn etag(file: &EmbeddedFile) -> String {
    let mut etag = String::from("\"");
    // Half of a SHA-256 tells two builds apart well enough.
    for byte in &file.metadata.sha256_hash()[..16] {
        let _ = write!(etag, "{byte:02x}");
    }
    etag.push('"');
    etag
}

/// What the build can produce; anything else is offered as bytes, never guessed.
fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("txt") => "text/plain; charset=utf-8",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_always_there_and_never_immutable() {
        let index = asset(INDEX).expect("an index");
        assert_eq!(index.media_type, "text/html; charset=utf-8");
        assert!(!index.immutable);
        assert!(index.bytes.starts_with(b"<!doctype html>"));
        assert_eq!(index.etag.len(), 34);
    }

    #[test]
    fn a_leading_slash_means_the_same_file() {
        let (one, other) = (asset("index.html"), asset("/index.html"));
        assert_eq!(one.map(|asset| asset.etag), other.map(|asset| asset.etag));
    }

    #[test]
    fn every_embedded_file_has_a_known_media_type() {
        for path in Dist::iter() {
            assert_ne!(media_type(&path), "application/octet-stream", "{path}");
        }
    }

    #[test]
    fn hashed_files_alone_are_immutable() {
        for path in Dist::iter() {
            let asset = asset(&path).expect("listed");
            assert_eq!(asset.immutable, path.starts_with("assets/"), "{path}");
        }
    }

    #[test]
    fn nothing_outside_the_page_is_served() {
        for path in ["", "/", "..", "../Cargo.toml", "/etc/passwd", "assets", "//index.html", "index.html\0"]
        {
            assert!(asset(path).is_none(), "{path:?}");
        }
    }
}

//! What a file is: its broad class and exact format, by content first and by extension only as a hint.

use file_format::{FileFormat, Kind as Family};

use crate::classes::{classes, spelled};
use crate::extensions;
use crate::input::Input;
use crate::{magic, plain};

/// A magic number, checked by the format's own structure where it has one.
const SCORE_MAGIC: f32 = 0.98;
/// Content of a family (text, zips) and an extension that says which member: each alone proves less.
const SCORE_CONTENT_AND_NAME: f32 = 0.9;
/// Only the name says so.
const SCORE_NAME: f32 = 0.4;

/// What the tagger makes of a file's bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Format {
    /// `image`, `document`, `code`…: the main class first, then a narrower one (`document`, `spreadsheet`).
    pub(crate) classes: Vec<&'static str>,
    /// `jpeg`, `docx`, `rust`…; empty when nothing is known.
    pub(crate) name: String,
    /// What the container carries by its name: `tar` in `source.tar.gz`.
    pub(crate) inner: Option<&'static str>,
    /// How sure both are.
    pub(crate) score: f32,
    /// Why, in words for people.
    pub(crate) evidence: String,
    /// Which reader understands the content.
    pub(crate) shape: Shape,
}

/// How the content is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Prose in UTF-8 or UTF-16.
    Prose,
    /// Prose with markdown signs.
    Markdown,
    /// Prose between HTML tags.
    Html,
    /// A PDF document.
    Pdf,
    /// A zip of XML: docx, pptx, xlsx, odt, epub…
    Office,
    /// A picture that may carry EXIF.
    Image,
    /// Sound that may carry tags.
    Audio,
    /// Nothing that a reader understands.
    Opaque,
}

/// Looks at the bytes; where they say nothing, the extension may.
pub(crate) fn recognise(input: &Input<'_>) -> Format {
    if input.content().is_empty() {
        return by_name(input);
    }
    let is_text = plain::is_text(input);
    match magic::look(input.content()) {
        Some(found) if !(is_text && is_binary_only(found)) => by_magic(input, found),
        _ if is_text => of_text(input),
        _ => by_name(input),
    }
}

/// What the name alone says: the fallback for content that nobody can read.
pub(crate) fn by_name(input: &Input<'_>) -> Format {
    let extension = input.extension();
    let evidence = format!("extension .{extension}");
    if let Some(known) = extensions::text_format(&extension) {
        return Format::hint(vec![known.class], known.name, evidence);
    }
    match FileFormat::from_extension(&extension).first() {
        Some(&format) => Format::hint(classes(format), spelled(format), evidence),
        None => Format::hint(vec!["data"], "", "content of no known format".to_owned()),
    }
}

impl Format {
    fn hint(classes: Vec<&'static str>, name: &str, evidence: String) -> Self {
        let name = name.to_owned();
        Self { classes, name, inner: None, score: SCORE_NAME, evidence, shape: Shape::Opaque }
    }
}

fn by_magic(input: &Input<'_>, found: FileFormat) -> Format {
    let (format, score, evidence) = match zipped(input, found) {
        Some(inside) => {
            (inside, SCORE_CONTENT_AND_NAME, format!("zip content, extension .{}", input.extension()))
        }
        None => (found, SCORE_MAGIC, format!("content of {}", found.name())),
    };
    Format {
        classes: classes(format),
        name: spelled(format).to_owned(),
        inner: inner(input, format),
        score,
        evidence,
        shape: shape(format),
    }
}

/// An office file is a zip; where the zip is cut or odd, the extension says which one.
fn zipped(input: &Input<'_>, found: FileFormat) -> Option<FileFormat> {
    let named = FileFormat::from_extension(&input.extension());
    named.iter().copied().find(|&named| found == FileFormat::Zip && is_office(named))
}

/// Readable text: the extension, a first line or the syntax may say which.
fn of_text(input: &Input<'_>) -> Format {
    let extension = input.extension();
    let known = extensions::text_format(&extension);
    let (class, name, evidence) = match (plain::syntax(input), known) {
        (Some((class, name)), _) => (class, name, "content".to_owned()),
        (None, Some(known)) => (known.class, known.name, format!("text content, extension .{extension}")),
        (None, None) => ("text", "txt", "text content".to_owned()),
    };
    let shape = match name {
        "html" => Shape::Html,
        "markdown" => Shape::Markdown,
        _ if class == "text" => Shape::Prose,
        _ => Shape::Opaque,
    };
    let score = SCORE_CONTENT_AND_NAME;
    Format { classes: vec![class], name: name.to_owned(), inner: None, score, evidence, shape }
}

/// Formats whose two-letter magic also begins words; a file that is readable to its end is not one of them.
fn is_binary_only(format: FileFormat) -> bool {
    use Family::{Archive, Audio, Compressed, Disk, Executable, Font, Image, Rom, Video};
    let family = format.kind();
    let binary =
        matches!(family, Archive | Audio | Compressed | Disk | Executable | Font | Image | Rom | Video);
    binary
        && !format.media_type().contains("xml")
        && !format.media_type().starts_with("text/")
        && !is_text_image(format)
}

/// Images that are written in plain ASCII.
fn is_text_image(format: FileFormat) -> bool {
    matches!(
        format,
        FileFormat::PortableBitmap
            | FileFormat::PortableGraymap
            | FileFormat::PortablePixmap
            | FileFormat::XPixmap
            | FileFormat::ScalableVectorGraphics
    )
}

/// `file.tar.gz` and `file.tgz` are compressed tape archives, as far as the name tells.
fn inner(input: &Input<'_>, format: FileFormat) -> Option<&'static str> {
    let name = input.name.to_lowercase();
    let compressed = format.kind() == Family::Compressed;
    let says_tar = input.stem().to_lowercase().ends_with(".tar")
        || [".tgz", ".tbz2", ".txz", ".tzst"].iter().any(|end| name.ends_with(end));
    (compressed && says_tar).then_some("tar")
}

fn shape(format: FileFormat) -> Shape {
    match format {
        FileFormat::HypertextMarkupLanguage => Shape::Html,
        FileFormat::PortableDocumentFormat => Shape::Pdf,
        FileFormat::Mpeg4Part14 | FileFormat::OggMultiplexedMedia | FileFormat::Mpeg4Part14Video => {
            Shape::Audio
        }
        _ if is_office(format) => Shape::Office,
        _ => match format.kind() {
            Family::Image => Shape::Image,
            Family::Audio => Shape::Audio,
            Family::Subtitle => Shape::Prose,
            _ => Shape::Opaque,
        },
    }
}

/// Zips of XML whose insides the office reader knows.
fn is_office(format: FileFormat) -> bool {
    let media_type = format.media_type();
    media_type.starts_with("application/vnd.openxmlformats-officedocument")
        || media_type.starts_with("application/vnd.oasis.opendocument")
        || format == FileFormat::ElectronicPublication
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, content: &[u8], class: &str, format: &str) {
        let found = recognise(&Input::new(name, content.len() as u64, 0, content));
        assert_eq!((found.classes[0], found.name.as_str()), (class, format), "{name}: {found:?}");
    }

    #[test]
    fn content_says_what_a_file_is() {
        check("a", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", "image", "png");
        check("a.txt", b"\xff\xd8\xff\xe0\0\x10JFIF\0", "image", "jpeg");
        check("a", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "document", "pdf");
        check("a", b"fLaC\0\0\0\x22", "audio", "flac");
        check("a", b"\x1f\x8b\x08\0\0\0\0\0\0\x03", "archive", "gzip");
        check("a", b"\x7fELF\x02\x01\x01\0", "program", "elf");
    }

    #[test]
    fn text_is_refined_by_syntax_and_extension() {
        check("notes", b"Just a few words.\n", "text", "txt");
        check("lib.rs", b"pub fn main() {}\n", "code", "rust");
        check("README.md", b"# Title\n\nWords.\n", "text", "markdown");
        check("data", b"{\"a\": [1, 2]}", "data", "json");
        check("page", b"\n<!DOCTYPE html>\n<html></html>", "text", "html");
        check("run", b"#!/usr/bin/env python3\nprint()\n", "code", "python");
        check("table.csv", b"a,b\n1,2\n", "data", "csv");
    }

    #[test]
    fn words_that_begin_like_a_magic_number_are_still_words() {
        check("letter", b"BM is how this letter begins.\n", "text", "txt");
        check("letter", b"MZ was here\n", "text", "txt");
    }

    #[test]
    fn an_extension_is_only_a_hint() {
        let unreadable = recognise(&Input::new("song.mp3", 4, 0, b"\0\x01\x02\x03"));
        assert_eq!((unreadable.classes[0], unreadable.name.as_str()), ("audio", "mp3"));
        assert!(unreadable.score < 0.5 && unreadable.shape == Shape::Opaque);
        check("", b"\0\x01\x02\x03", "data", "");
        check("empty.docx", b"", "document", "docx");
        check("cut.docx", b"PK\x03\x04\x14\0\0\0", "document", "docx");
        check("cut.zip", b"PK\x03\x04\x14\0\0\0", "archive", "zip");
    }

    #[test]
    fn a_compressed_tape_archive_is_both() {
        let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03";
        for name in ["a.tar.gz", "a.TGZ"] {
            assert_eq!(recognise(&Input::new(name, 10, 0, gzip)).inner, Some("tar"), "{name}");
        }
        assert_eq!(recognise(&Input::new("a.gz", 10, 0, gzip)).inner, None);
    }
}

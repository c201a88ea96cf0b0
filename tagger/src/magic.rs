//! Formats by their first bytes, and for zips by their directory.
//!
//! The format library looks deeper, and gives up where a file is cut: the directory of a zip and the index of a film are
//! often at the end, which we may not have. Then the first bytes still say enough.

use std::io::Cursor;

use file_format::FileFormat;
use zip::ZipArchive;

/// Offset, bytes, format.
const MAGIC: &[(usize, &[u8], FileFormat)] = &[
    (0, ZIP, FileFormat::Zip),
    (0, b"%PDF-", FileFormat::PortableDocumentFormat),
    (4, b"ftypM4A", FileFormat::AppleItunesAudio),
    (4, b"ftypqt", FileFormat::AppleQuicktime),
    (4, b"ftyp", FileFormat::Mpeg4Part14Video),
    (0, b"ID3", FileFormat::Mpeg12AudioLayer3),
    (0, b"\x1a\x45\xdf\xa3", FileFormat::MatroskaVideo),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FileFormat::CompoundFileBinary),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", FileFormat::AdvancedSystemsFormat),
    (0, b"SQLite format 3\0", FileFormat::Sqlite3),
    (0, b"MZ", FileFormat::MsDosExecutable),
];
const ZIP: &[u8] = b"PK\x03\x04";

/// The format of these bytes, or `None` when they show none; plain text shows none either.
pub(crate) fn look(content: &[u8]) -> Option<FileFormat> {
    if content.starts_with(ZIP) && !has_sound_directory(content) {
        return Some(FileFormat::Zip);
    }
    match FileFormat::from_bytes(content) {
        FileFormat::ArbitraryBinaryData | FileFormat::PlainText | FileFormat::Empty => {
            by_first_bytes(content)
        }
        found => Some(found),
    }
}

fn by_first_bytes(content: &[u8]) -> Option<FileFormat> {
    let shows = |&&(offset, bytes, _): &&(usize, &[u8], FileFormat)| {
        content.get(offset..).is_some_and(|content| content.starts_with(bytes))
    };
    MAGIC.iter().find(shows).map(|&(_, _, format)| format)
}

/// Whether a zip's directory is there and claims no entry larger than the file: the format library allocates what it claims.
fn has_sound_directory(content: &[u8]) -> bool {
    let Ok(mut archive) = ZipArchive::new(Cursor::new(content)) else { return false };
    let indices = 0..archive.len();
    indices.into_iter().all(|index| {
        archive.by_index_raw(index).is_ok_and(|entry| entry.compressed_size() <= content.len() as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &[u8], format: Option<FileFormat>) {
        assert_eq!(look(content), format, "{content:?}");
    }

    #[test]
    fn cut_files_still_show_what_they_are() {
        check(b"PK\x03\x04\x14\0\0\0", Some(FileFormat::Zip));
        check(b"%PDF-1.7\n1 0 obj", Some(FileFormat::PortableDocumentFormat));
        check(b"\0\0\0\x20ftypisom\0\0\x02\0", Some(FileFormat::Mpeg4Part14));
        check(b"\0\0\0\x20ftypM4A \0\0\x02\0", Some(FileFormat::AppleItunesAudio));
    }

    #[test]
    fn unknown_bytes_and_text_show_nothing() {
        for content in [&b"\0\x01\x02"[..], b"just words", b"", b"P"] {
            check(content, None);
        }
    }
}

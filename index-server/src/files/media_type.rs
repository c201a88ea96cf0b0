//! The media type of a file, by its first bytes; its name only decides among texts.

use file_format::FileFormat;

/// As much as is looked at.
pub(super) const HEAD_BYTES: usize = 4096;

/// What to answer as `Content-Type`. Nothing here makes a browser run it: downloads are sandboxed and never sniffed.
pub(super) fn guess(head: &[u8]) -> String {
    let format = FileFormat::from_bytes(head);
    let is_text = || match std::str::from_utf8(head) {
        Ok(_) => true,
        // A character cut in two at the end of the head is no fault.
        Err(error) => error.error_len().is_none() && error.valid_up_to() > 0,
    };
    match format {
        FileFormat::ArbitraryBinaryData | FileFormat::PlainText | FileFormat::Empty
            if !head.contains(&0) && is_text() =>
        {
            "text/plain; charset=utf-8".into()
        }
        FileFormat::ArbitraryBinaryData => "application/octet-stream".into(),
        format => format.media_type().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides() {
        assert_eq!(guess(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), "image/png");
        assert_eq!(guess("文件系统".as_bytes()), "text/plain; charset=utf-8");
        assert_eq!(guess(&"文件系统".as_bytes()[..10]), "text/plain; charset=utf-8");
        assert_eq!(guess(&[0xfe, 0xff, 0, 1, 2]), "application/octet-stream");
        assert_eq!(guess(b""), "text/plain; charset=utf-8");
    }
}

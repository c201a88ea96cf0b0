//! Bytes to characters: UTF-8, marked UTF-16, and the two encodings that old text files are still in.

use std::borrow::Cow;

use encoding_rs::{Encoding, GB18030, WINDOWS_1252};

use crate::words::is_han;

/// Fewer bytes could be anything.
const LEGACY_BYTES_MIN: usize = 16;

/// The text of bytes that are text; `cut` forgives half a character at the end.
pub(crate) fn decode(bytes: &[u8], cut: bool) -> Option<Cow<'_, str>> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => decode_utf8(rest, cut).map(Cow::Borrowed),
        [0xff, 0xfe, rest @ ..] => Some(Cow::Owned(decode_utf16(rest, u16::from_le_bytes))),
        [0xfe, 0xff, rest @ ..] => Some(Cow::Owned(decode_utf16(rest, u16::from_be_bytes))),
        _ => decode_utf8(bytes, cut).map(Cow::Borrowed).or_else(|| decode_legacy(bytes, cut).map(Cow::Owned)),
    }
}

fn decode_utf8(bytes: &[u8], cut: bool) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if cut && error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|&pair| unit(pair));
    char::decode_utf16(units).map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// Chinese text of the years before UTF-8, or Western European. Nothing marks them, so the result must look like it.
fn decode_legacy(bytes: &[u8], cut: bool) -> Option<String> {
    let is_control = |byte: &u8| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | b'\x0c');
    if bytes.len() < LEGACY_BYTES_MIN || bytes.iter().any(is_control) {
        return None;
    }
    let forgiven = if cut { 4 } else { 1 }; // A character of GB 18030 has up to four bytes.
    let chinese = (0..forgiven).find_map(|less| decode_strictly(GB18030, &bytes[..bytes.len() - less]));
    let western = || decode_strictly(WINDOWS_1252, bytes).filter(|text| looks_western(text));
    chinese.filter(|text| looks_chinese(text)).or_else(western)
}

fn decode_strictly(encoding: &'static Encoding, bytes: &[u8]) -> Option<String> {
    encoding.decode_without_bom_handling_and_without_replacement(bytes).map(Cow::into_owned)
}

/// Most of what is not ASCII is ideographs and their punctuation.
fn looks_chinese(text: &str) -> bool {
    let foreign = text.chars().filter(|c| !c.is_ascii()).count();
    let typical = text
        .chars()
        .filter(|&c| is_han(c) || matches!(c, '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ff5e}'))
        .count();
    typical * 10 >= foreign * 9
}

/// Most is ASCII, and most of the rest is accented letters.
fn looks_western(text: &str) -> bool {
    let characters = text.chars().count();
    let foreign = text.chars().filter(|c| !c.is_ascii()).count();
    let letters = text.chars().filter(|&c| !c.is_ascii() && c.is_alphabetic()).count();
    foreign * 4 <= characters && letters * 10 >= foreign * 8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], text: Option<&str>) {
        assert_eq!(decode(bytes, false).as_deref(), text, "{bytes:x?}");
    }

    #[test]
    fn unicode_in_all_its_forms() {
        check("words 文字".as_bytes(), Some("words 文字"));
        check(b"\xef\xbb\xbfa", Some("a"));
        check(b"\xff\xfea\0-N", Some("a中"));
        check(b"\xfe\xff\0a\x4e\x2d", Some("a中"));
        check(b"", Some(""));
    }

    #[test]
    fn old_chinese_and_western_texts() {
        let chinese = "存储节点断电以后，系统仍然能够恢复所有文件。";
        check(&GB18030.encode(chinese).0, Some(chinese));
        let french = "Le café est fermé à midi, même en été.";
        check(&WINDOWS_1252.encode(french).0, Some(french));
    }

    #[test]
    fn a_cut_is_forgiven_only_at_the_end() {
        let bytes = GB18030.encode("存储节点断电以后，系统仍然").0;
        let cut = &bytes[..bytes.len() - 1];
        assert!(decode(cut, true).is_some_and(|text| text.starts_with("存储节点")));
        assert_eq!(decode(cut, false), None);
    }

    #[test]
    fn other_bytes_are_no_text() {
        check(b"caf\xe9", None);
        check(b"\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90", None);
        check(b"words and then\0 some \xff bytes", None);
    }
}

//! Plain text: what counts as it, and what its first characters give away.

use serde::de::IgnoredAny;

use crate::encoding::decode;
use crate::input::Input;

/// A judgement needs no more than this; binary files show themselves early.
const SAMPLE_BYTES: usize = 64 << 10;
/// Parsing more than this to find out that it is JSON costs more than the tag is worth.
const JSON_BYTES_MAX: usize = 1 << 20;
/// One control character in so many characters is a typo, more is a binary format.
const CHARACTERS_PER_CONTROL: usize = 200;

/// Whether people could read the beginning of the file in an editor.
pub(crate) fn is_text(input: &Input<'_>) -> bool {
    let sample = &input.content()[..input.content().len().min(SAMPLE_BYTES)];
    let cut = sample.len() as u64 != input.size;
    decode(sample, cut).is_some_and(|text| is_readable(&text))
}

fn is_readable(text: &str) -> bool {
    let mut controls = 0;
    let mut characters = 0;
    for character in text.chars() {
        characters += 1;
        match character {
            '\0' => return false,
            '\t' | '\n' | '\r' | '\x0c' | '\x1b' => {}
            char::REPLACEMENT_CHARACTER => controls += 1,
            other => controls += usize::from(other.is_control()),
        }
    }
    characters > 0 && controls * CHARACTERS_PER_CONTROL <= characters
}

/// The class and format of text that shows its syntax, whatever its name is.
pub(crate) fn syntax(input: &Input<'_>) -> Option<(&'static str, &'static str)> {
    let sample = &input.content()[..input.content().len().min(SAMPLE_BYTES)];
    let text = decode(sample, true)?;
    let text = text.trim_start();
    if let Some(line) = text.strip_prefix("#!") {
        return interpreter(line.lines().next().unwrap_or_default()).map(|name| ("code", name));
    }
    let start: String = text.chars().take(15).flat_map(char::to_lowercase).collect();
    if start.starts_with("<!doctype html") || start.starts_with("<html") {
        return Some(("text", "html"));
    }
    is_json(input).then_some(("data", "json"))
}

/// The language that a `#!` line names.
fn interpreter(line: &str) -> Option<&'static str> {
    let program = line.split(['/', ' ', '\t']).rfind(|part| !part.is_empty() && !part.starts_with('-'))?;
    let known = [
        ("python", "python"),
        ("bash", "shell"),
        ("dash", "shell"),
        ("zsh", "shell"),
        ("sh", "shell"),
        ("perl", "perl"),
        ("ruby", "ruby"),
        ("node", "javascript"),
        ("lua", "lua"),
        ("php", "php"),
    ];
    known.iter().find(|(prefix, _)| program.starts_with(prefix)).map(|&(_, name)| name)
}

fn is_json(input: &Input<'_>) -> bool {
    let content = input.content();
    let first = content.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'['))
        && input.is_whole()
        && content.len() <= JSON_BYTES_MAX
        && serde_json::from_slice::<IgnoredAny>(content).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &[u8], size: usize, text: bool) {
        assert_eq!(is_text(&Input::new("a", size as u64, 0, content)), text, "{content:?}");
    }

    #[test]
    fn text_is_what_people_can_read() {
        check(b"words\n", 6, true);
        check("文字".as_bytes(), 6, true);
        check(b"\xff\xfea\0b\0", 6, true);
        check(b"\xef\xbb\xbfa", 4, true);
        check(b"", 0, false);
        check(b"a\0b", 3, false);
        check(b"\x01\x02\x03", 3, false);
    }

    #[test]
    fn half_a_character_at_the_cut_is_forgiven_only_there() {
        check(&"文字".as_bytes()[..5], 100, true);
        check(&"文字".as_bytes()[..5], 5, false);
    }

    #[test]
    fn interpreters_are_recognised() {
        let check = |line, name| assert_eq!(interpreter(line), name, "{line}");
        check("/usr/bin/env python3", Some("python"));
        check("/bin/sh -e", Some("shell"));
        check("/usr/bin/awk -f", None);
        check("", None);
    }
}

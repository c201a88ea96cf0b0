//! Words: what is one, which ones say nothing, and the Chinese dictionary that tells where they end.

use std::sync::LazyLock;

use jieba_rs::Jieba;

use crate::stop_words::is_stop_word;

/// Shorter words are initials and noise.
const LATIN_CHARACTERS_MIN: usize = 3;
/// Longer ones are hashes and identifiers.
const LATIN_CHARACTERS_MAX: usize = 32;
/// One Chinese character alone says little.
const HAN_CHARACTERS_MIN: usize = 2;
/// Segmentation looks at so much of a run without a space; a file name is never longer.
const RUN_BYTES_MAX: usize = 1024;

/// The segmentation dictionary: some 60 ms to load and tens of megabytes, so only when first needed.
pub(crate) static JIEBA: LazyLock<Jieba> = LazyLock::new(Jieba::new);

/// The words of a name or title that could be tags, in order, in lower case, each once.
///
/// Splits at everything that isn't a letter or digit, at `camelCase` humps and where a script changes.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for run in text.split(|c: char| !c.is_alphanumeric()) {
        for piece in split_scripts(run) {
            if piece.starts_with(is_han) {
                han_words(piece, &mut words);
            } else {
                latin_words(piece, &mut words);
            }
        }
    }
    words
}

/// Ideographs, which are written without spaces. Kana and Hangul mark word ends well enough by themselves.
pub(crate) fn is_han(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// A keyword must have something to read.
pub(crate) fn says_something(word: &str) -> bool {
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    let digits = word.chars().filter(char::is_ascii_digit).count();
    letters > digits && !is_stop_word(word)
}

fn split_scripts(run: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut previous: Option<char> = None;
    for (index, character) in run.char_indices() {
        if previous.is_some_and(|previous| is_han(previous) != is_han(character)) {
            pieces.push(&run[start..index]);
            start = index;
        }
        previous = Some(character);
    }
    if start < run.len() {
        pieces.push(&run[start..]);
    }
    pieces
}

fn han_words(run: &str, words: &mut Vec<String>) {
    let run = crate::tag::cut(run, RUN_BYTES_MAX);
    for token in JIEBA.cut(run, true) {
        if token.word.chars().count() >= HAN_CHARACTERS_MIN && !is_stop_word(token.word) {
            push(token.word.to_owned(), words);
        }
    }
}

fn latin_words(run: &str, words: &mut Vec<String>) {
    for word in split_humps(run) {
        let word = word.to_lowercase();
        let length = word.chars().count();
        if (LATIN_CHARACTERS_MIN..=LATIN_CHARACTERS_MAX).contains(&length) && says_something(&word) {
            push(word, words);
        }
    }
}

fn push(word: String, words: &mut Vec<String>) {
    if !words.contains(&word) {
        words.push(word);
    }
}

/// `quarterlyReport` has two words, `HTTPServer` too; `McDonald` pays for it.
fn split_humps(run: &str) -> Vec<&str> {
    let characters: Vec<(usize, char)> = run.char_indices().collect();
    let mut pieces = Vec::new();
    let mut start = 0;
    for window in 1..characters.len() {
        let (index, here) = characters[window];
        let before = characters[window - 1].1;
        let after = characters.get(window + 1).map(|&(_, character)| character);
        let hump = before.is_lowercase() && here.is_uppercase();
        let acronym_ends =
            before.is_uppercase() && here.is_uppercase() && after.is_some_and(char::is_lowercase);
        if hump || acronym_ends {
            pieces.push(&run[start..index]);
            start = index;
        }
    }
    pieces.push(&run[start..]);
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(words(text), expected, "{text:?}");
    }

    #[test]
    fn names_are_split_at_signs_and_humps() {
        check("quarterly_report-final v2", &["quarterly", "report"]);
        check("quarterlyReport", &["quarterly", "report"]);
        check("HTTPServer Log", &["http", "server", "log"]);
        check("Überraschung im Café", &["überraschung", "café"]);
        check("report REPORT Report", &["report"]);
    }

    #[test]
    fn numbers_and_noise_are_dropped() {
        check("IMG_20240503_120000", &[]);
        check("the end of it", &["end"]);
        check("3f2a9c81d04e", &[]);
        check("12345 67", &[]);
        check(&"x".repeat(100), &[]);
        check("", &[]);
    }

    #[test]
    fn chinese_names_are_segmented() {
        check("机器学习报告2024", &["机器", "学习", "报告"]);
        check("会议MeetingNotes纪要", &["会议", "meeting", "notes", "纪要"]);
    }

    proptest! {
        #[test]
        fn words_are_bounded_and_unique(text in any::<String>()) {
            let words = words(&text);
            for (index, word) in words.iter().enumerate() {
                prop_assert!(!word.is_empty());
                prop_assert!(!words[..index].contains(word));
            }
        }
    }
}

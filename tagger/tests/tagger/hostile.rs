//! Files that want to hurt the tagger.

use asterism_tagger::{Input, TAG_NAME_BYTES_MAX, TAGS_MAX, tag};
use proptest::prelude::*;

use crate::fixtures;

fn check(name: &str, content: &[u8]) {
    let tags = tag(Input::new(name, content.len() as u64, 0, content));
    assert!(!tags.is_empty() && tags.len() <= TAGS_MAX, "{name}: {tags:?}");
    for tag in tags {
        assert!(!tag.name.is_empty() && tag.name.len() <= TAG_NAME_BYTES_MAX, "{tag:?}");
        assert!(!tag.name.chars().any(char::is_control), "{tag:?}");
    }
}

/// A small generator with a seed, so that a failure can be repeated. (SplitMix64.)
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    /// Flips, overwrites, cuts, repeats and moves, as broken disks and fuzzers do.
    pub(crate) fn mutate(&mut self, content: &[u8]) -> Vec<u8> {
        let mut mutant = content.to_vec();
        for _ in 0..=self.below(8) {
            if mutant.is_empty() {
                break;
            }
            let at = self.below(mutant.len());
            let length = (self.below(64) + 1).min(mutant.len() - at);
            match self.below(6) {
                0 => mutant[at] ^= 1 << self.below(8),
                1 => mutant[at] = [0, 0x7f, 0x80, 0xff][self.below(4)],
                2 => mutant[at..at + length].fill(0xff),
                3 => mutant.truncate(at),
                4 => mutant.extend_from_within(at..at + length),
                _ => drop(mutant.drain(at..at + length)),
            }
        }
        mutant
    }
}

/// The whole matter of mutants goes through the workers (see `workers`); this many also run here, where a panic that
/// slips through the taggers' own guards would show.
const MUTANTS_PER_FIXTURE: usize = 300;

#[test]
fn mutants_of_every_format_get_tags() {
    let mut random = Random(20_240_503);
    for (name, content) in fixtures::all() {
        for _ in 0..MUTANTS_PER_FIXTURE {
            check(name, &random.mutate(&content));
        }
    }
}

#[test]
fn every_prefix_of_every_format_gets_tags() {
    for (name, content) in fixtures::all() {
        let step = (content.len() / 100).max(1);
        for end in (0..content.len()).step_by(step) {
            check(name, &content[..end]);
        }
    }
}

#[test]
fn an_inflating_office_file_is_read_within_bounds() {
    let bomb = vec![b'a'; 200 << 20];
    let docx = fixtures::zip(&[
        ("[Content_Types].xml", b"<Types><Override PartName=\"/word/document.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml\"/></Types>".as_slice()),
        ("word/document.xml", &bomb),
        ("docProps/core.xml", b"<c><title>Still read</title></c>"),
    ]);
    assert!(docx.len() < 1 << 20);
    let tags = tag(Input::new("bomb.docx", docx.len() as u64, 0, &docx));
    assert!(tags.iter().any(|tag| tag.name == "read"), "{tags:?}");
}

#[test]
fn a_crowded_zip_is_left_alone() {
    let names: Vec<String> = (0..12_000).map(|index| format!("ppt/slides/slide{index}.xml")).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    check("crowd.pptx", &fixtures::zip(&entries));
}

#[test]
fn nasty_names_are_only_names() {
    for name in [
        "",
        ".",
        "..",
        "/",
        "a/../b",
        "$(id)",
        "';--",
        "<img onerror=x>",
        "\u{202e}gpj.exe",
        "\0",
        "%00",
        "名\u{300}",
    ] {
        check(name, b"words");
    }
    check(&"长".repeat(10_000), b"words");
    check(&"aB".repeat(100_000), b"words");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_bytes_under_any_name_get_tags(name in any::<String>(), content in any::<Vec<u8>>()) {
        check(&name, &content);
    }
}

//! Which language a text is in, when that is beyond doubt.

use whatlang::Lang;

use crate::tag::cut;
use crate::words::is_han;

/// Detection converges within a page.
const SAMPLE_BYTES: usize = 8 << 10;
/// Shorter texts fit many languages.
const LETTERS_MIN: usize = 25;
/// Ideographs give themselves away sooner.
const HAN_MIN: usize = 6;

/// Letters that carry as much as one ideograph, at least.
const LATIN_PER_HAN: usize = 4;
/// A name or a quotation brings some kana into Chinese; Japanese has more kana than ideographs.
const KANA_SHARE: usize = 10;

/// A detected language.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Language {
    /// ISO 639-1, or 639-3 where that has no code.
    pub(crate) code: &'static str,
    /// Its name in English.
    pub(crate) name: &'static str,
    /// From 0 to 1.
    pub(crate) confidence: f32,
}

/// The language of `text`, or `None` when the text is too short or fits several.
pub(crate) fn detect(text: &str) -> Option<Language> {
    let sample = cut(text, SAMPLE_BYTES);
    let letters = sample.chars().filter(|c| c.is_alphabetic()).count();
    let han = sample.chars().filter(|&c| is_han(c)).count();
    let visible = sample.chars().filter(|c| !c.is_whitespace()).count();
    if (letters < LETTERS_MIN && han < HAN_MIN) || letters * 2 < visible {
        return None; // Too short, or a table, a listing, a program rather than prose.
    }
    if is_chinese(sample, letters, han) {
        return Some(Language { code: "zh", name: "Mandarin", confidence: 1.0 });
    }
    let found = whatlang::detect(sample).filter(whatlang::Info::is_reliable)?;
    #[expect(clippy::cast_possible_truncation, reason = "a confidence needs no more precision")]
    let confidence = found.confidence() as f32;
    Some(Language { code: iso_639_1(found.lang()), name: found.lang().eng_name(), confidence })
}

/// An ideograph is a word where a Latin letter is a fifth of one, so Chinese with many foreign names is still Chinese.
/// Japanese shows itself by its kana.
fn is_chinese(sample: &str, letters: usize, han: usize) -> bool {
    let kana = sample.chars().filter(|c| matches!(c, '\u{3040}'..='\u{30ff}')).count();
    han >= HAN_MIN && han * LATIN_PER_HAN > letters && kana * KANA_SHARE < han
}

/// The two-letter code that people and web pages use.
fn iso_639_1(language: Lang) -> &'static str {
    match language {
        Lang::Epo => "eo",
        Lang::Eng => "en",
        Lang::Rus => "ru",
        Lang::Cmn => "zh",
        Lang::Spa => "es",
        Lang::Por => "pt",
        Lang::Ita => "it",
        Lang::Ben => "bn",
        Lang::Fra => "fr",
        Lang::Deu => "de",
        Lang::Ukr => "uk",
        Lang::Kat => "ka",
        Lang::Ara => "ar",
        Lang::Hin => "hi",
        Lang::Jpn => "ja",
        Lang::Heb => "he",
        Lang::Yid => "yi",
        Lang::Pol => "pl",
        Lang::Amh => "am",
        Lang::Jav => "jv",
        Lang::Kor => "ko",
        Lang::Nob => "nb",
        Lang::Dan => "da",
        Lang::Swe => "sv",
        Lang::Fin => "fi",
        Lang::Tur => "tr",
        Lang::Nld => "nl",
        Lang::Hun => "hu",
        Lang::Ces => "cs",
        Lang::Ell => "el",
        Lang::Bul => "bg",
        Lang::Bel => "be",
        Lang::Mar => "mr",
        Lang::Kan => "kn",
        Lang::Ron => "ro",
        Lang::Slv => "sl",
        Lang::Hrv => "hr",
        Lang::Srp => "sr",
        Lang::Mkd => "mk",
        Lang::Lit => "lt",
        Lang::Lav => "lv",
        Lang::Est => "et",
        Lang::Tam => "ta",
        Lang::Vie => "vi",
        Lang::Urd => "ur",
        Lang::Tha => "th",
        Lang::Guj => "gu",
        Lang::Uzb => "uz",
        Lang::Pan => "pa",
        Lang::Aze => "az",
        Lang::Ind => "id",
        Lang::Tel => "te",
        Lang::Pes => "fa",
        Lang::Mal => "ml",
        Lang::Ori => "or",
        Lang::Mya => "my",
        Lang::Nep => "ne",
        Lang::Sin => "si",
        Lang::Khm => "km",
        Lang::Tuk => "tk",
        Lang::Aka => "ak",
        Lang::Zul => "zu",
        Lang::Sna => "sn",
        Lang::Afr => "af",
        Lang::Lat => "la",
        Lang::Slk => "sk",
        Lang::Cat => "ca",
        Lang::Tgl => "tl",
        Lang::Hye => "hy",
        Lang::Cym => "cy",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, code: Option<&str>) {
        assert_eq!(detect(text).map(|language| language.code), code, "{text}");
    }

    #[test]
    fn sentences_have_a_language() {
        check(
            "The quick brown fox jumps over the lazy dog, and nobody in the village was surprised by it.",
            Some("en"),
        );
        check("存储节点断电以后，系统仍然能够恢复所有文件。", Some("zh"));
        check("使用 cargo build 命令编译项目，然后运行 cargo test 检查所有测试是否通过。", Some("zh"));
        check(
            "Der schnelle braune Fuchs springt über den faulen Hund, und niemand im Dorf war darüber erstaunt.",
            Some("de"),
        );
        check("これは日本語の文章です。ファイルを保存します。よろしくお願いします。", Some("ja"));
    }

    #[test]
    fn listings_have_none() {
        check(
            "a b c d e f 1 2 3 4 | 0x12 -> [a:b:c] {1, 2, 3} \\\\ == != && ;; 12 34 56 78 90 x y z abc 1234 5678",
            None,
        );
    }

    #[test]
    fn too_little_text_has_none() {
        for text in ["", "ok", "1234 5678 91011 1213 1415 1617 1819", "中文"] {
            check(text, None);
        }
    }
}

//! The keywords of a text: YAKE for English, tf-idf for Chinese. Other languages have only the words of their names and titles.

use std::sync::LazyLock;

use jieba_rs::{KeywordExtract, TfIdf};
use yake_rust::{Config, StopWords};

use super::Subject;
use crate::attempt::Attempt;
use crate::language::detect;
use crate::tag::{Kind, TAG_NAME_BYTES_MAX, TagSet, cut};
use crate::words::{JIEBA, is_han, says_something};

/// More keywords than this are no longer key.
const KEYWORDS_MAX: usize = 10;
/// Both methods weigh repetition; what the first pages repeat is what the text is about.
const SAMPLE_BYTES: usize = 48 << 10;
/// Too few words repeat nothing.
const TEXT_BYTES_MIN: usize = 60;
const SCORE_FIRST: f32 = 0.8;
const SCORE_STEP: f32 = 0.03;

/// Document frequencies of Chinese words: some megabytes, so only when first needed.
static TF_IDF: LazyLock<TfIdf> = LazyLock::new(TfIdf::default);
static ENGLISH: LazyLock<Option<StopWords>> = LazyLock::new(|| StopWords::predefined("en"));

pub(super) fn tag(subject: &Subject<'_>, tags: &mut TagSet) -> Attempt<()> {
    let text = subject.facts.text();
    if text.len() < TEXT_BYTES_MIN {
        return Ok(());
    }
    let sample = cut(text, SAMPLE_BYTES);
    let (keywords, evidence) = match detect(text).map(|language| language.code) {
        Some("en") => (english(sample)?, "English text"),
        Some("zh") => (chinese(sample), "Chinese text"),
        _ => return Ok(()),
    };
    let scores = (0..).map(|rank: u8| SCORE_FIRST - SCORE_STEP * f32::from(rank));
    for (keyword, score) in keywords.iter().take(KEYWORDS_MAX).zip(scores) {
        tags.add(Kind::Keyword, keyword, score, format!("keyword of {evidence}"));
    }
    Ok(())
}

fn english(text: &str) -> Attempt<Vec<String>> {
    let stop_words = ENGLISH.as_ref().ok_or("the English stop words are missing")?;
    let config = Config { ngrams: 2, only_alphanumeric_and_hyphen: true, ..Config::default() };
    let found = yake_rust::get_n_best(4 * KEYWORDS_MAX, text, stop_words, &config);
    Ok(found.into_iter().map(|item| item.keyword).filter(|keyword| is_key_phrase(keyword)).collect())
}

/// Key phrases are made of words, each once, and fit into a tag.
fn is_key_phrase(phrase: &str) -> bool {
    let words: Vec<&str> = phrase.split_whitespace().collect();
    let repeats = words.len() == 2 && words[0] == words[1];
    phrase.len() <= TAG_NAME_BYTES_MAX && !repeats && words.iter().all(|word| says_something(word))
}

fn chinese(text: &str) -> Vec<String> {
    let found = TF_IDF.extract_keywords(&JIEBA, text, 2 * KEYWORDS_MAX, Vec::new());
    let words = found.into_iter().map(|keyword| keyword.keyword);
    words.filter(|word| word.chars().any(is_han) && says_something(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_phrases_come_out() {
        let text = "Erasure coding splits every file into data shards and parity shards. A cluster that uses erasure coding \
            survives the loss of storage nodes. Erasure coding needs less space than replication, and the storage nodes share the load.";
        let found = english(text).unwrap();
        assert!(found.iter().any(|keyword| keyword == "erasure coding"), "{found:?}");
        assert!(found.iter().all(|keyword| is_key_phrase(keyword)));
    }

    #[test]
    fn chinese_words_come_out() {
        let text =
            "分布式存储系统把文件编码成数据分片和校验分片，存储节点断电以后，存储系统仍然能够恢复文件。";
        let found = chinese(text);
        assert!(found.iter().any(|keyword| keyword == "存储系统" || keyword == "存储"), "{found:?}");
    }

    #[test]
    fn junk_is_no_key_phrase() {
        for junk in ["2024 05", "data data", &"x".repeat(65), "the"] {
            assert!(!is_key_phrase(junk), "{junk}");
        }
        assert!(is_key_phrase("parity shards"));
    }
}

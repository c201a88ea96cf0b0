//! Small JSON in columns.

use super::Labels;

pub(super) fn labels(labels: &Labels) -> String {
    serde_json::to_string(labels).unwrap_or_default()
}

pub(super) fn read_labels(text: &str) -> Labels {
    serde_json::from_str(text).unwrap_or_default()
}

pub(super) fn words(words: &[String]) -> String {
    serde_json::to_string(words).unwrap_or_default()
}

pub(super) fn read_words(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_default()
}

//! The words of a markdown page, without its code, its addresses and its signs.

use crate::attempt::Attempt;
use crate::encoding::decode;
use crate::facts::{Facts, TEXT_BYTES_MAX};
use crate::input::Input;

pub(super) fn read(input: &Input<'_>, facts: &mut Facts) -> Attempt<()> {
    let sample = &input.content()[..input.content().len().min(2 * TEXT_BYTES_MAX)];
    let page = decode(sample, true).ok_or("text in no known encoding")?;
    scan(&page, facts);
    Ok(())
}

fn scan(page: &str, facts: &mut Facts) {
    let mut in_code = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~") {
            in_code = !in_code;
        } else if !in_code {
            let words = words_of(line);
            if let Some(title) = words.strip_prefix("# ").filter(|_| facts.titles.is_empty()) {
                facts.push_title(title, "heading");
            }
            if !facts.push_text(words.trim_start_matches(['#', '>', '-', '*', ' '])) || !facts.push_text("\n")
            {
                return;
            }
        }
    }
}

/// The line without `(targets)` of links, `<tags>`, `code` and bare addresses.
fn words_of(line: &str) -> String {
    let line = without(line, "](", ")");
    let line = without(&line, "<", ">");
    let line = without(&line, "`", "`");
    let words = line.split(' ').filter(|word| !word.contains("://"));
    words.map(|word| word.replace(['[', ']', '*', '|'], " ")).collect::<Vec<_>>().join(" ")
}

/// Cuts every stretch from `open` to `close`; one that is never closed stays.
fn without(line: &str, open: &str, close: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find(open) {
        let inside = &rest[start + open.len()..];
        let Some(end) = inside.find(close) else { break };
        kept.push_str(&rest[..start]);
        kept.push(' ');
        rest = &inside[end + close.len()..];
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(page: &str, text: &str) {
        let mut facts = Facts::default();
        scan(page, &mut facts);
        assert_eq!(facts.text().split_whitespace().collect::<Vec<_>>().join(" "), text);
    }

    #[test]
    fn words_are_found_between_signs() {
        check("## Heading\n- [link text](https://a.example/b) and **bold**", "Heading link text and bold");
        check("before\n```rust\nfn code() {}\n```\nafter", "before after");
        check("see https://a.example/ or <b>this</b> `code()`.", "see or this .");
        check("[open](never closed < `x", "open (never closed < `x");
    }

    #[test]
    fn the_first_heading_is_the_title() {
        let mut facts = Facts::default();
        scan("badge\n# Star *charts*\n# Second", &mut facts);
        assert_eq!(
            facts.titles.iter().map(|title| title.text.as_str()).collect::<Vec<_>>(),
            ["Star  charts"]
        );
    }
}

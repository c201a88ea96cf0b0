//! The words of a web page. Pages are rarely well-formed, so this scans for tags and never fails.

use quick_xml::escape::resolve_html5_entity;

use crate::attempt::Attempt;
use crate::encoding::decode;
use crate::facts::{Facts, TEXT_BYTES_MAX};
use crate::input::Input;

/// Markup is most of a page; this much of it is looked at for words.
const PAGE_BYTES_MAX: usize = 8 * TEXT_BYTES_MAX;
/// The longest entity name that is looked up (`&CounterClockwiseContourIntegral;` is the longest there is).
const ENTITY_BYTES_MAX: usize = 32;

pub(super) fn read(input: &Input<'_>, facts: &mut Facts) -> Attempt<()> {
    let sample = &input.content()[..input.content().len().min(PAGE_BYTES_MAX)];
    let page = decode(sample, true).ok_or("text in no known encoding")?;
    scan(&page, facts);
    Ok(())
}

/// Adds the words and the title of a page; also used for the chapters of an e-book.
pub(super) fn scan(page: &str, facts: &mut Facts) {
    let mut rest = page;
    let mut in_title = false;
    while let Some(open) = rest.find('<') {
        let text = unescape(&rest[..open]);
        if in_title {
            facts.push_title(&text, "page title");
        }
        if !facts.push_text(&text) {
            return;
        }
        rest = &rest[open..];
        let Some((element, after)) = skip_tag(rest) else { return };
        in_title = element == "title";
        if ends_a_line(&element) {
            facts.push_text("\n");
        }
        rest = after;
    }
    facts.push_text(&unescape(rest));
}

/// The lower-case name of the tag at the start of `rest` and what follows it; scripts and styles are skipped whole.
fn skip_tag(rest: &str) -> Option<(String, &str)> {
    if let Some(comment) = rest.strip_prefix("<!--") {
        return comment.find("-->").map(|end| (String::new(), &comment[end + 3..]));
    }
    let end = rest.find('>')?;
    let name = rest[1..end].split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default();
    let element = if name.len() <= 16 { name.to_ascii_lowercase() } else { String::new() };
    let after = &rest[end + 1..];
    if !matches!(element.as_str(), "script" | "style" | "svg" | "template") {
        return Some((element, after));
    }
    let closing = format!("</{element}");
    let close = find_ignoring_case(after, &closing)?;
    Some((String::new(), &after[close..]))
}

fn find_ignoring_case(text: &str, needle: &str) -> Option<usize> {
    text.as_bytes().windows(needle.len()).position(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
}

/// Words in neighbouring cells and lines are not neighbours in a sentence.
fn ends_a_line(element: &str) -> bool {
    matches!(
        element,
        "p" | "br" | "div" | "li" | "tr" | "td" | "th" | "h1" | "h2" | "h3" | "h4" | "title" | ""
    )
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        plain.push_str(&rest[..start]);
        rest = &rest[start + 1..];
        let end = rest.bytes().take(ENTITY_BYTES_MAX).position(|byte| byte == b';');
        match end.and_then(|end| Some((end, entity(rest.get(..end)?)?))) {
            Some((end, character)) => {
                plain.push_str(&character);
                rest = &rest[end + 1..];
            }
            None => plain.push('&'),
        }
    }
    plain.push_str(rest);
    plain
}

fn entity(name: &str) -> Option<String> {
    let Some(number) = name.strip_prefix('#') else {
        return resolve_html5_entity(name).map(str::to_owned);
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(code).map(String::from)
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
    fn words_are_found_between_tags() {
        check("<p class='a'>one</p><P>two", "one two");
        check("a &amp; b &#20013; &#x4e2d; &nosuch; &", "a & b 中 中 &nosuch; &");
        check("x<script>if (a < b) {}</SCRIPT>y<style>p {}</style>z", "x y z");
        check("x<!-- <p>no</p> -->y", "x y");
    }

    #[test]
    fn tag_soup_ends_the_scan() {
        check("a<b", "a");
        check("a<script>never closed", "a");
        check("a<!-- never closed", "a");
        check("<>a</>b<中>c", "a bc");
    }

    #[test]
    fn the_title_is_told() {
        let mut facts = Facts::default();
        scan("<html><head><TITLE>Star charts</TITLE></head><body>words", &mut facts);
        assert_eq!(facts.titles[0].text, "Star charts");
    }
}

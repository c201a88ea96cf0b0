//! The text of an XML part, element by element. Entities are the five of XML; there is no DTD, so there are no bombs.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

use crate::attempt::Attempt;

/// What a walk over XML comes across.
pub(super) enum Piece<'a> {
    /// Text directly inside the element of this local name.
    Text(&'a str, &'a str),
    /// The element of this local name ended (or was empty).
    End(&'a str),
}

/// Elements nest no deeper in files that people made.
const DEPTH_MAX: usize = 256;

/// Calls `visit` for each piece until it returns false; a truncated or broken part ends the walk with what came before.
pub(super) fn walk(xml: &str, mut visit: impl FnMut(Piece<'_>) -> bool) -> Attempt<()> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_unmatched_ends = true;
    reader.config_mut().allow_dangling_amp = true;
    let mut open: Vec<String> = Vec::new();
    loop {
        let element = open.last().map_or("", String::as_str);
        let goes_on = match reader.read_event()? {
            Event::Start(_) if open.len() >= DEPTH_MAX => return Err("elements nest too deep".into()),
            Event::Start(start) => {
                open.push(start.local_name().as_ref().to_owned());
                true
            }
            Event::Empty(empty) => visit(Piece::End(empty.local_name().as_ref())),
            Event::Text(text) => visit(Piece::Text(element, &text.xml10_content())),
            Event::CData(text) => visit(Piece::Text(element, &text.xml10_content())),
            Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                Ok(Some(character)) => visit(Piece::Text(element, character.encode_utf8(&mut [0; 4]))),
                _ => {
                    resolve_predefined_entity(&reference).is_none_or(|text| visit(Piece::Text(element, text)))
                }
            },
            Event::End(_) => open.pop().is_none_or(|element| visit(Piece::End(&element))),
            Event::Eof => return Ok(()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => true,
        };
        if !goes_on {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(xml: &str, text: &str) {
        let mut found = String::new();
        let _broken = walk(xml, |piece| {
            match piece {
                Piece::Text(element, text) => found.push_str(&format!("{element}:{text} ")),
                Piece::End(element) => found.push_str(&format!("/{element} ")),
            }
            found.len() < 200
        });
        assert_eq!(found.trim_end(), text);
    }

    #[test]
    fn text_is_found_with_its_element() {
        check("<w:p><w:t>a &amp; b</w:t><w:br/></w:p>", "t:a  t:& t: b /t /br /p");
        check("<a><![CDATA[<b>]]></a>", "a:<b> /a");
        check("<a>&#x4e2d;</a>", "a:中 /a");
    }

    #[test]
    fn a_broken_part_gives_what_it_has() {
        check("<a>text<b", "a:text");
        check("</a></b><c>x", "c:x");
        check("<!DOCTYPE a [<!ENTITY b \"lol\">]><a>&b;</a>", "/a");
    }

    #[test]
    fn deep_nesting_is_refused() {
        assert!(walk(&"<a>".repeat(100_000), |_| true).is_err());
    }
}

//! Word, PowerPoint, Excel, OpenDocument and e-book files: zips of XML parts.
//!
//! A zip says how large its entries are, and lies; sizes are bounded by what really comes out of the decompressor.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::read::read_zipfile_from_stream;

use super::html;
use super::xml::{self, Piece};
use crate::attempt::{Attempt, attempt};
use crate::facts::Facts;
use crate::input::Input;

/// Real documents have hundreds of parts; a directory of more is not walked.
const ENTRIES_MAX: usize = 10_000;
/// No part is inflated further than this.
const PART_BYTES_MAX: u64 = 4 << 20;
/// All parts of a file together are inflated to at most this.
const PARTS_BYTES_MAX: u64 = 16 << 20;

/// What the parts of an office file are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// Title, author, dates.
    Properties,
    /// Words inside `<t>` elements (docx, pptx, xlsx).
    Runs,
    /// Words anywhere (OpenDocument).
    Content,
    /// A chapter of an e-book.
    Chapter,
}

pub(super) fn read(input: &Input<'_>, facts: &mut Facts) -> Attempt<()> {
    match ZipArchive::new(Cursor::new(input.content())) {
        Ok(archive) => read_directory(archive, facts),
        Err(_) => read_stream(input.content(), facts), // Its directory is at the end, which may be cut off.
    }
}

/// Properties first; then slides and chapters in order.
fn read_directory(mut archive: ZipArchive<Cursor<&[u8]>>, facts: &mut Facts) -> Attempt<()> {
    if archive.len() > ENTRIES_MAX {
        return Err(format!("{} entries are more than a document has", archive.len()).into());
    }
    let mut parts: Vec<(Part, String)> = archive
        .file_names()
        .filter_map(Result::ok)
        .filter_map(|name| part(&name).map(|part| (part, name.into_owned())))
        .collect();
    parts.sort();
    let mut room = PARTS_BYTES_MAX;
    for (part, name) in parts {
        let content = attempt("office part", || inflate(archive.by_name(&name)?, room)).unwrap_or_default();
        room -= content.len() as u64;
        let goes_on = attempt("office part", || read_part(part, &content, facts));
        if room == 0 || goes_on == Some(false) {
            break;
        }
    }
    Ok(())
}

/// Part after part as they stand in the file, until it ends or breaks.
fn read_stream(mut content: &[u8], facts: &mut Facts) -> Attempt<()> {
    let mut room = PARTS_BYTES_MAX;
    for _ in 0..ENTRIES_MAX {
        let Some(entry) = read_zipfile_from_stream(&mut content)? else { break };
        let Some(part) = entry.name().ok().and_then(|name| part(&name)) else { continue };
        let inflated = inflate(entry, room)?;
        room -= inflated.len() as u64;
        if !read_part(part, &inflated, facts)? || room == 0 {
            break;
        }
    }
    Ok(())
}

/// Which entries matter, by name.
fn part(name: &str) -> Option<Part> {
    let is_slide = name.starts_with("ppt/slides/slide") && name.ends_with(".xml");
    match name {
        "docProps/core.xml" | "meta.xml" => Some(Part::Properties),
        _ if name.ends_with(".opf") => Some(Part::Properties),
        "word/document.xml" | "xl/sharedStrings.xml" => Some(Part::Runs),
        _ if is_slide => Some(Part::Runs),
        "content.xml" => Some(Part::Content),
        _ if name.ends_with(".xhtml") || name.ends_with(".html") => Some(Part::Chapter),
        _ => None,
    }
}

/// At most `room` bytes of an entry, whatever size it claims; a cut part is still worth reading.
fn inflate(entry: impl Read, room: u64) -> Attempt<Vec<u8>> {
    let mut content = Vec::new();
    entry.take(room.min(PART_BYTES_MAX)).read_to_end(&mut content)?;
    Ok(content)
}

/// Says whether there is room for more text.
fn read_part(part: Part, content: &[u8], facts: &mut Facts) -> Attempt<bool> {
    let content = String::from_utf8_lossy(content);
    let mut goes_on = true;
    match part {
        Part::Properties => read_properties(&content, facts)?,
        Part::Chapter => html::scan(&content, facts),
        Part::Runs | Part::Content => xml::walk(&content, |piece| {
            goes_on = match piece {
                Piece::Text(element, text) if part == Part::Content || element == "t" => {
                    facts.push_text(text)
                }
                Piece::End("p" | "h" | "si" | "tr" | "table-row") => facts.push_text("\n"),
                Piece::End("tab" | "br" | "s" | "line-break") => facts.push_text(" "),
                _ => true,
            };
            goes_on
        })?,
    }
    Ok(goes_on)
}

/// Dublin Core, as `docProps/core.xml`, `meta.xml` and an e-book's package all carry it.
fn read_properties(content: &str, facts: &mut Facts) -> Attempt<()> {
    let mut value = String::new();
    xml::walk(content, |piece| {
        match piece {
            Piece::Text(_, text) => value.push_str(text),
            Piece::End(element) => {
                property(element, value.trim(), facts);
                value.clear();
            }
        }
        true
    })
}

fn property(element: &str, value: &str, facts: &mut Facts) {
    match element {
        "title" => facts.push_title(value, "document title"),
        "creator" | "initial-creator" => facts.push_people(value, "document author"),
        "keywords" | "keyword" | "subject" => facts.push_phrases(value, "document keywords"),
        "created" | "creation-date" | "date" => facts.set_created(value, "document creation date"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_known_by_name() {
        assert_eq!(part("word/document.xml"), Some(Part::Runs));
        assert_eq!(part("ppt/slides/slide12.xml"), Some(Part::Runs));
        assert_eq!(part("ppt/slides/_rels/slide1.xml.rels"), None);
        assert_eq!(part("word/media/image1.png"), None);
    }

    #[test]
    fn properties_become_facts() {
        let mut facts = Facts::default();
        let core = "<cp:coreProperties><dc:title>Star &amp; dust</dc:title><dc:creator>A. Author</dc:creator>\
            <cp:keywords>a, b</cp:keywords><dcterms:created>2024-05-03T10:00:00Z</dcterms:created></cp:coreProperties>";
        read_properties(core, &mut facts).unwrap();
        assert_eq!(facts.titles[0].text, "Star & dust");
        assert_eq!(facts.people[0].text, "A. Author");
        assert_eq!(facts.phrases.len(), 2);
        assert_eq!(facts.created.unwrap().0.to_string(), "2024-05");
    }
}

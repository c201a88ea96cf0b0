//! Title, author, date and words of PDF documents.
//!
//! The parser inflates streams without a limit of its own: it must run where memory and time are limited
//! (see [`crate::worker`]).

use std::fmt;

use pdf_extract::{Dictionary, Document, Object, OutputDev, OutputError, PlainTextOutput, output_doc_page};

use crate::attempt::{Attempt, attempt};
use crate::encoding::decode;
use crate::facts::{Facts, TEXT_BYTES_MAX};
use crate::input::Input;

/// What a paper is about stands on its first pages.
const PAGES_MAX: u32 = 12;

pub(super) fn read(input: &Input<'_>, facts: &mut Facts) -> Attempt<()> {
    let document = Document::load_mem(input.content())?;
    let _no_information = attempt("pdf information", || read_information(&document, facts));
    let pages = u32::try_from(document.get_pages().len()).unwrap_or(u32::MAX).min(PAGES_MAX);
    for page in 1..=pages {
        let text = attempt("pdf page", || page_text(&document, page)).unwrap_or_default();
        if !facts.push_text(&text) || !facts.push_text("\n") {
            break;
        }
    }
    Ok(())
}

fn read_information(document: &Document, facts: &mut Facts) -> Attempt<()> {
    let (_, information) = document.dereference(document.trailer.get(b"Info")?)?;
    let information = information.as_dict()?;
    if let Some(title) = entry(document, information, b"Title") {
        facts.push_title(&title, "PDF title");
    }
    if let Some(author) = entry(document, information, b"Author") {
        facts.push_people(&author, "PDF author");
    }
    if let Some(keywords) = entry(document, information, b"Keywords") {
        facts.push_phrases(&keywords, "PDF keywords");
    }
    if let Some(date) = entry(document, information, b"CreationDate") {
        facts.set_created(&date, "PDF creation date");
    }
    Ok(())
}

fn entry(document: &Document, information: &Dictionary, key: &[u8]) -> Option<String> {
    let (_, value) = document.dereference(information.get(key).ok()?).ok()?;
    match value {
        Object::String(bytes, _) => Some(text_string(bytes)),
        _ => None,
    }
}

/// PDF text strings are marked UTF-16 or UTF-8, or else PDFDocEncoding, of which the part in use is Latin-1.
fn text_string(bytes: &[u8]) -> String {
    match bytes {
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0xef, 0xbb, 0xbf, ..] => {
            decode(bytes, false).unwrap_or_default().into_owned()
        }
        _ => std::str::from_utf8(bytes)
            .map_or_else(|_| bytes.iter().copied().map(char::from).collect(), str::to_owned),
    }
}

/// The words of a page in reading order, as far as the page tells it.
fn page_text(document: &Document, page: u32) -> Attempt<String> {
    let mut text = String::new();
    let mut output = Bounded { inner: PlainTextOutput::new(&mut text), characters: 0 };
    match output_doc_page(document, &mut output, page) {
        Err(error) if text.is_empty() => Err(error.into()),
        _ => Ok(text), // A page that breaks off in the middle has words, too.
    }
}

/// Stops a page that never ends.
struct Bounded<'a> {
    inner: PlainTextOutput<&'a mut String>,
    characters: usize,
}

impl OutputDev for Bounded<'_> {
    fn begin_page(
        &mut self,
        number: u32,
        media_box: &pdf_extract::MediaBox,
        art_box: Option<(f64, f64, f64, f64)>,
    ) -> Result<(), OutputError> {
        self.inner.begin_page(number, media_box, art_box)
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        self.inner.end_page()
    }

    fn output_character(
        &mut self,
        transform: &pdf_extract::Transform,
        width: f64,
        spacing: f64,
        font_size: f64,
        text: &str,
    ) -> Result<(), OutputError> {
        self.characters += text.len();
        if self.characters > TEXT_BYTES_MAX {
            return Err(OutputError::FormatError(fmt::Error));
        }
        self.inner.output_character(transform, width, spacing, font_size, text)
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        self.inner.begin_word()
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        self.inner.end_word()
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        self.inner.end_line()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_strings_of_all_encodings_are_read() {
        let check = |bytes: &[u8], text| assert_eq!(text_string(bytes), text);
        check(b"plain", "plain");
        check(b"caf\xe9", "café");
        check(b"\xfe\xff\x4e\x2d", "中");
        check(b"\xef\xbb\xbf\xe4\xb8\xad", "中");
        check(b"\xfe\xff\x4e", "");
    }
}

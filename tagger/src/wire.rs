//! What a pool and its workers say to each other over pipes.
//!
//! A question is a length, a JSON header of that length, and the content, whose length the header states. An answer is
//! a length and the JSON list of tags. Lengths are 32-bit little-endian. Neither side trusts the other's lengths.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use crate::input::{CONTENT_BYTES_MAX, Input};
use crate::tag::{EVIDENCE_BYTES_MAX, TAG_NAME_BYTES_MAX, TAGS_MAX, Tag, TagSet, cut};

/// The longest name that file systems know is 255 bytes; nothing behind that makes a tag.
const NAME_BYTES_MAX: usize = 1024;
/// JSON writes a control character in six bytes.
const JSON_BYTES_PER_BYTE: usize = 6;
/// Field names, numbers and punctuation of one JSON object.
const JSON_OBJECT_BYTES: usize = 256;
const HEADER_BYTES_MAX: usize = NAME_BYTES_MAX * JSON_BYTES_PER_BYTE + JSON_OBJECT_BYTES;
/// No honest answer is longer.
pub(crate) const ANSWER_BYTES_MAX: usize =
    TAGS_MAX * ((TAG_NAME_BYTES_MAX + EVIDENCE_BYTES_MAX) * JSON_BYTES_PER_BYTE + JSON_OBJECT_BYTES);
const _: () = assert!(CONTENT_BYTES_MAX <= u32::MAX as usize && ANSWER_BYTES_MAX <= 1 << 20);

/// One file to be tagged, owned.
#[derive(Clone, Debug)]
pub struct Request {
    header: Header,
    content: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    name: String,
    size: u64,
    modified_ms: i64,
    content_bytes: usize,
}

impl Request {
    /// A file's name, size, time of last change in milliseconds since 1970, and beginning of its content, of which
    /// [`CONTENT_BYTES_MAX`] bytes are kept.
    pub fn new(name: &str, size: u64, modified_ms: i64, mut content: Vec<u8>) -> Self {
        content.truncate(CONTENT_BYTES_MAX);
        let name = name.rsplit('/').next().unwrap_or(name);
        let name = cut(name, NAME_BYTES_MAX).to_owned();
        Self { header: Header { name, size, modified_ms, content_bytes: content.len() }, content }
    }

    /// The same, borrowed.
    pub fn input(&self) -> Input<'_> {
        Input::new(&self.header.name, self.header.size, self.header.modified_ms, &self.content)
    }

    /// Everything before the content.
    pub(crate) fn preamble(&self) -> io::Result<Vec<u8>> {
        framed(&serde_json::to_vec(&self.header)?)
    }

    pub(crate) fn content(&self) -> &[u8] {
        &self.content
    }

    /// The next question, or `None` when there are no more.
    pub(crate) fn read(reader: &mut impl Read) -> io::Result<Option<Self>> {
        let Some(header_bytes) = read_length(reader)? else { return Ok(None) };
        let header = read_exactly(reader, bounded(header_bytes, HEADER_BYTES_MAX)?)?;
        let header: Header = serde_json::from_slice(&header)?;
        let content = read_exactly(reader, bounded(header.content_bytes, CONTENT_BYTES_MAX)?)?;
        Ok(Some(Self { header, content }))
    }
}

/// Writes an answer.
pub(crate) fn write_answer(writer: &mut impl Write, tags: &[Tag]) -> io::Result<()> {
    writer.write_all(&framed(&serde_json::to_vec(tags)?)?)?;
    writer.flush()
}

/// Reads an answer's body. The worker parsed hostile bytes and may be anybody by now: its tags are normalised again.
pub(crate) fn parse_answer(body: &[u8]) -> Result<Vec<Tag>, serde_json::Error> {
    let mut tags = TagSet::default();
    tags.extend(serde_json::from_slice::<Vec<Tag>>(body)?);
    Ok(tags.into_best())
}

fn framed(body: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(body.len()).map_err(|_| io::Error::other("a message of 4 GiB"))?;
    Ok([&length.to_le_bytes(), body].concat())
}

/// `None` at the end of the stream; an end inside the length is an error.
fn read_length(reader: &mut impl Read) -> io::Result<Option<usize>> {
    let mut length = [0; 4];
    loop {
        match reader.read(&mut length[..1]) {
            Ok(0) => return Ok(None),
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    reader.read_exact(&mut length[1..])?;
    Ok(Some(u32::from_le_bytes(length) as usize))
}

fn read_exactly(reader: &mut impl Read, bytes: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; bytes];
    reader.read_exact(&mut buffer)?;
    Ok(buffer)
}

fn bounded(bytes: usize, bytes_max: usize) -> io::Result<usize> {
    if bytes <= bytes_max {
        Ok(bytes)
    } else {
        Err(io::Error::other(format!("a length of {bytes}, over {bytes_max}")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tag::Kind;

    fn sent(request: &Request) -> Vec<u8> {
        [&request.preamble().unwrap()[..], request.content()].concat()
    }

    #[test]
    fn questions_follow_each_other() {
        let requests = [Request::new("a\u{1}\"名", 5, -1, vec![1, 2]), Request::new("", 0, 0, Vec::new())];
        let stream: Vec<u8> = requests.iter().flat_map(sent).collect();
        let mut reader = &stream[..];
        for request in &requests {
            let read = Request::read(&mut reader).unwrap().unwrap();
            assert_eq!((&read.header, &read.content), (&request.header, &request.content));
        }
        assert!(Request::read(&mut reader).unwrap().is_none());
    }

    #[test]
    fn the_longest_name_fits() {
        let stream = sent(&Request::new(&"\u{1}".repeat(5000), 0, 0, Vec::new()));
        assert!(Request::read(&mut &stream[..]).unwrap().is_some());
    }

    #[test]
    fn a_cut_or_oversized_question_is_an_error() {
        let stream = sent(&Request::new("name", 3, 0, vec![1, 2, 3]));
        for end in 1..stream.len() {
            assert!(Request::read(&mut &stream[..end]).is_err(), "{end}");
        }
        assert!(Request::read(&mut &[0xff; 8][..]).is_err());
    }

    #[test]
    fn answers_are_normalised_again() {
        let hostile = Tag {
            name: " <B>\u{7} ".to_owned(),
            kind: Kind::Keyword,
            score: 7.0,
            evidence: "x".repeat(1000),
        };
        let tags = parse_answer(&serde_json::to_vec(&vec![hostile; 500]).unwrap()).unwrap();
        assert_eq!(
            (tags.len(), tags[0].name.as_str(), tags[0].score, tags[0].evidence.len()),
            (1, "<b>", 1.0, 120)
        );
    }

    #[test]
    fn the_longest_answer_fits() {
        let tag = |index: usize| Tag {
            name: format!("{index:02}{}", "\"".repeat(TAG_NAME_BYTES_MAX - 2)),
            kind: Kind::Language,
            score: 0.123_456_79,
            evidence: "\u{1}".repeat(EVIDENCE_BYTES_MAX),
        };
        let mut answer = Vec::new();
        write_answer(&mut answer, &(0..TAGS_MAX).map(tag).collect::<Vec<_>>()).unwrap();
        assert!(answer.len() <= ANSWER_BYTES_MAX);
        assert_eq!(parse_answer(&answer[4..]).unwrap().len(), TAGS_MAX);
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_parent_panic(body in any::<Vec<u8>>()) {
            let _refused = parse_answer(&body);
        }
    }
}

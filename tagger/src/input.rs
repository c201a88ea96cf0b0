//! What a tagger gets to see of a file.

/// Taggers read at most this much of the beginning of a file: enough for nearly every picture and document whole,
/// little enough that a worker's memory stays bounded.
pub const CONTENT_BYTES_MAX: usize = 16 << 20;

/// A file as the taggers see it: what the catalogue knows, and the beginning of its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The file's own name, without folders.
    pub name: &'a str,
    /// The size of the whole file in bytes.
    pub size: u64,
    /// When the content was last changed, in milliseconds since 1970.
    pub modified_ms: i64,
    content: &'a [u8],
}

impl<'a> Input<'a> {
    /// Keeps the last segment of `name` and at most [`CONTENT_BYTES_MAX`] bytes of `content`.
    pub fn new(name: &'a str, size: u64, modified_ms: i64, content: &'a [u8]) -> Self {
        let name = name.rsplit('/').next().unwrap_or(name);
        Self { name, size, modified_ms, content: &content[..content.len().min(CONTENT_BYTES_MAX)] }
    }

    /// The beginning of the file, or all of it.
    pub const fn content(&self) -> &'a [u8] {
        self.content
    }

    /// Whether [`Input::content`] is the whole file.
    pub const fn is_whole(&self) -> bool {
        self.content.len() as u64 >= self.size
    }

    /// The name without its extension.
    pub(crate) fn stem(&self) -> &'a str {
        match self.name.rfind('.') {
            Some(dot) if dot > 0 => &self.name[..dot],
            _ => self.name,
        }
    }

    /// The extension in lower case, without the dot; empty when there is none.
    pub(crate) fn extension(&self) -> String {
        match self.name.rfind('.') {
            Some(dot) if dot > 0 => self.name[dot + 1..].to_lowercase(),
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, stem: &str, extension: &str) {
        let input = Input::new(name, 0, 0, b"");
        assert_eq!((input.stem(), input.extension().as_str()), (stem, extension));
    }

    #[test]
    fn a_name_is_a_stem_and_an_extension() {
        check("report.PDF", "report", "pdf");
        check("src.tar.gz", "src.tar", "gz");
        check("README", "README", "");
        check(".profile", ".profile", "");
        check("folder/photo.jpg", "photo", "jpg");
        check("", "", "");
    }

    #[test]
    fn only_the_beginning_of_a_large_file_is_seen() {
        let content = vec![0; CONTENT_BYTES_MAX + 1];
        let input = Input::new("big", content.len() as u64, 0, &content);
        assert_eq!(input.content().len(), CONTENT_BYTES_MAX);
        assert!(!input.is_whole());
        assert!(Input::new("small", 3, 0, b"abc").is_whole());
    }
}

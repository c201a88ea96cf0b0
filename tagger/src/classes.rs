//! The names that people search for: broad classes and formats.

use file_format::{FileFormat, Kind as Family};

/// The main class of a format, and a narrower one where people would search for it.
pub(crate) fn classes(format: FileFormat) -> Vec<&'static str> {
    match format {
        FileFormat::HypertextMarkupLanguage => return vec!["text"],
        FileFormat::Mpeg4Part14 | FileFormat::OggMultiplexedMedia | FileFormat::AdvancedSystemsFormat => {
            return vec!["video"];
        }
        FileFormat::Realmedia => return vec!["video"],
        FileFormat::Zip => return vec!["archive"],
        _ => {}
    }
    match format.kind() {
        Family::Archive | Family::Compressed => vec!["archive"],
        Family::Package => vec!["archive", "package"],
        Family::Audio => vec!["audio"],
        Family::Database => vec!["data", "database"],
        Family::Diagram => vec!["document", "diagram"],
        Family::Disk => vec!["archive", "disk image"],
        Family::Document | Family::Formula => vec!["document"],
        Family::Ebook => vec!["document", "ebook"],
        Family::Executable => vec!["program"],
        Family::Font => vec!["font"],
        Family::Image => vec!["image"],
        Family::Model => vec!["model"],
        Family::Presentation => vec!["document", "presentation"],
        Family::Spreadsheet => vec!["document", "spreadsheet"],
        Family::Subtitle => vec!["text", "subtitle"],
        Family::Video => vec!["video"],
        Family::Geospatial | Family::Metadata | Family::Playlist | Family::Rom => vec!["data"],
        Family::Other if is_script(format) => vec!["code"],
        Family::Other => vec!["data"],
        _ => vec!["data"],
    }
}

fn is_script(format: FileFormat) -> bool {
    format.name().ends_with("Script")
        || matches!(format, FileFormat::MsDosBatch | FileFormat::WebassemblyText)
}

/// The name people search for, where it isn't the extension.
pub(crate) fn spelled(format: FileFormat) -> &'static str {
    match format {
        FileFormat::JointPhotographicExpertsGroup => "jpeg",
        FileFormat::TagImageFileFormat => "tiff",
        FileFormat::Mpeg4Part14Audio => "m4a",
        FileFormat::Gzip => "gzip",
        FileFormat::Bzip2 => "bzip2",
        FileFormat::Zstandard => "zstd",
        FileFormat::PythonScript => "python",
        FileFormat::PerlScript => "perl",
        FileFormat::RubyScript => "ruby",
        FileFormat::ShellScript => "shell",
        FileFormat::ExecutableAndLinkableFormat => "elf",
        FileFormat::PlainText => "txt",
        FileFormat::ArbitraryBinaryData | FileFormat::Empty => "",
        _ => extension_of(format),
    }
}

/// `FileFormat` is `'static` data, but its accessor borrows; the listing of all formats does not.
fn extension_of(format: FileFormat) -> &'static str {
    FileFormat::from_kind(format.kind())
        .iter()
        .find(|&&known| known == format)
        .map_or("", |known| known.extension())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: FileFormat, expected: &[&str], name: &str) {
        assert_eq!((classes(format).as_slice(), spelled(format)), (expected, name), "{format}");
    }

    #[test]
    fn formats_have_the_names_that_people_use() {
        check(FileFormat::JointPhotographicExpertsGroup, &["image"], "jpeg");
        check(FileFormat::OfficeOpenXmlSpreadsheet, &["document", "spreadsheet"], "xlsx");
        check(FileFormat::PythonScript, &["code"], "python");
        check(FileFormat::DebianPackage, &["archive", "package"], "deb");
        check(FileFormat::Mpeg4Part14, &["video"], "mp4");
        check(FileFormat::ArbitraryBinaryData, &["data"], "");
    }
}
